"""New pictures."""
