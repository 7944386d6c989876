"""The version of limner."""

__version__ = "0.1.0"
