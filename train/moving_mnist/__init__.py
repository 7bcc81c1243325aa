"""The moving digits of Table 1 and Figures 3 and 5."""
