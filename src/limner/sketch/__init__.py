"""`colorize` and `sketch`: colours for line drawings, and line drawings of pictures."""
