"""Time and memory side by side with PyTorch: `python -m benchmarks.train_step`."""
