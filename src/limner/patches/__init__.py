"""Pieces of one picture laid into another."""
