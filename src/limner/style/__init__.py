"""Neural style transfer: `stylize` makes a photo look like a painting."""
