"""Color spaces, color transfer and palettes."""
