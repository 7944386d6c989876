"""Calls that are made again, from the recipes inside pictures."""
