"""Oklab, palettes, and color transfer."""
