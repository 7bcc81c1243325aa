"""Layers, one family a file."""

from .linear import Linear, LinearNoBias

__all__ = ["Linear", "LinearNoBias"]
