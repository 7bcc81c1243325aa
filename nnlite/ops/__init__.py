"""Pure array functions, forward and backward side by side, one body for NumPy and CuPy."""
