"""AE-ConvLSTM-flow on real video with and without each of its options."""
