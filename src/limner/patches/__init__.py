"""Patches of one picture, rearranged into another: a field of places, search and voting."""
