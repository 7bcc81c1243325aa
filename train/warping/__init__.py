"""The grid generator and the sampler alone, Figure 2."""
