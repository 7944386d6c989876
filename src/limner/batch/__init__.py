"""Calls made again, from their recipes."""
