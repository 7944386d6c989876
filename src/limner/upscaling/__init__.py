"""Upscaling: make pictures larger, for a screen or for print."""
