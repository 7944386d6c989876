"""The room of `beautify`: what the eye can predict, and pictures that let it."""
