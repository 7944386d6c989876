"""Color for line drawings."""
