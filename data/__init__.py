"""Data sets and the formats they come in, one a file; all give plain arrays."""
