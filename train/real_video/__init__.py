"""Real video, section 5.1 and Figure 6."""
