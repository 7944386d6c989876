"""Generators trained on a folder of pictures."""
