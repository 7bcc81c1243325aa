"""Training runs: options declared once, the loop, checkpoints, resuming, groups of runs."""
