"""AE-ConvLSTM-flow with and without each of its parts."""
