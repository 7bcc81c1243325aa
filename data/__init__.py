"""Data sets and their file formats, one per file; all return plain arrays (see `video_dataset`)."""
