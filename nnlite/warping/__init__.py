"""The paper's own modules: smoothness penalty, grid generator and image sampler."""

from .bilinear_sampler import BilinearSamplerBHWD
from .grid_generator import AffineGridGeneratorOpticalFlow2D
from .huber_penalty import SmoothHuberPenalty

__all__ = ["AffineGridGeneratorOpticalFlow2D", "BilinearSamplerBHWD", "SmoothHuberPenalty"]
