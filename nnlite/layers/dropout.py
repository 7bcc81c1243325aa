"""Layers that drop or disturb elements, or drop whole maps, at random while training."""

from .. import backend
from ..module import Module
from ..random import default_generator
from ..typing import Number


class Dropout(Module):
    """Set elements to zero with probability p while training.

    Shapes: input of any shape, output the same.
    Forward: training y = x ⊙ m with m = 0 with probability p, else 1 / (1 - p); evaluating y = x.
    With `v1` training m = 0 or 1; evaluating y = (1 - p) x.
    Backward: grad_input = g ⊙ m; evaluating g, with `v1` (1 - p) g.
    Errors: ValueError unless 0 <= p < 1.
    Source: nn.Dropout, whose first version (`v1`) is that of old files. The mask is `noise`.

        >>> net = nn.Dropout(0.5)
        >>> sorted(set(net.forward(np.ones(100, np.float32)).tolist()))
        [0.0, 2.0]
        >>> net.evaluate()
        >>> set(net.forward(np.ones(100, np.float32)).tolist())
        {1.0}
    """

    state_names = ("output", "grad_input", "noise")

    def __init__(self, p: Number = 0.5, v1: bool = False) -> None:
        super().__init__()
        self.p, self.v1 = checked_probability(self.name, p), v1
        self.noise = None

    def update_output(self, input):
        self.check_array(input)
        self.noise = None
        if self.train and self.p > 0:
            kept = default_generator.bernoulli(1 - self.p, input.shape)
            self.noise = backend.asarray(kept / (1 if self.v1 else 1 - self.p), self.dtype, self.device)
        elif self.v1 and self.p > 0:
            self.noise = self.dtype.type(1 - self.p)
        self.output = input if self.noise is None else input * self.noise
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output if self.noise is None else grad_output * self.noise
        return self.grad_input

    def describe(self):
        return f"({self.p:f})"


class SpatialDropout(Module):
    """Set whole maps to zero with probability p while training.

    Shapes: input (C, H, W) or (N, C, H, W), output the same.
    Forward: training y = x ⊙ m with one m for each map, 0 with probability p, else 1 (not 1 / (1 - p));
    evaluating y = (1 - p) x.
    Backward: grad_input = g ⊙ m.
    Errors: ValueError unless 0 <= p < 1; RuntimeError for the backward pass of an evaluation.
    Source: nn.SpatialDropout. The mask is `noise`.
    """

    state_names = ("output", "grad_input", "noise")

    def __init__(self, p: Number = 0.5) -> None:
        super().__init__()
        self.p = checked_probability(self.name, p)
        self.noise = None

    def update_output(self, input):
        self.check_array(input, ndim=(3, 4))
        if self.train:
            kept = default_generator.bernoulli(1 - self.p, (*input.shape[:-2], 1, 1))
            self.noise = backend.asarray(kept, self.dtype, self.device)
            self.output = input * self.noise
        else:
            self.noise = None
            self.output = input * (1 - self.p)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        if self.noise is None:
            raise RuntimeError(f"{self.name}: the forward pass was evaluating, it has no backward pass")
        self.grad_input = grad_output * self.noise
        return self.grad_input

    def describe(self):
        return f"({self.p:f})"


class WhiteNoise(Module):
    """Normal noise added to every element in training mode, its mean alone when evaluating.

    Shapes: input of any shape, output the same.
    Forward: y = x + ε with ε from N(mean, std²), drawn from Torch7's generator; evaluating y = x + mean.
    Backward: grad_input = g.
    Errors: RuntimeError for backward in evaluation mode, as in Torch7.
    Source: nn.WhiteNoise.
    """

    def __init__(self, mean: Number = 0.0, std: Number = 0.1) -> None:
        super().__init__()
        self.mean, self.std = float(mean), float(std)

    def update_output(self, input):
        self.check_array(input)
        if self.train:
            drawn = default_generator.normal(self.mean, self.std, input.shape)
            self.output = input + backend.asarray(drawn, self.dtype, self.device)
        else:
            self.output = input + self.mean
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        if not self.train:
            raise RuntimeError(f"{self.name}: backward needs training mode; call training() before forward")
        self.grad_input = grad_output
        return self.grad_input

    def describe(self):
        return f" mean: {self.mean:f}, std: {self.std:f}"


def checked_probability(name, p):
    """Return `p`; ValueError unless 0 <= p < 1."""
    if not 0 <= p < 1:
        raise ValueError(f"{name}: p must be at least 0 and below 1, got {p}")
    return p
