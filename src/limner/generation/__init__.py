"""New pictures: variations of one picture, or pictures from a generator trained on a folder."""
