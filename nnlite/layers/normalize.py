"""Vectors brought to length one."""

import math

from ..module import Module
from ..typing import Number


class Normalize(Module):
    """A vector divided by its p-norm.

    Shapes: input (D,) or (N, D), output the same.
    Forward: y = x / n, n = (Σᵢ |xᵢ|ᵖ + ε)^(1/p); for p = ∞ n = maxᵢ |xᵢ| + ε.
    Backward: grad_input = g / n - b Σⱼ gⱼ xⱼ / (n q), q = Σᵢ |xᵢ|ᵖ + ε and bᵢ = xᵢ |xᵢ|ᵖ⁻² (for p < 2
    other than whole even numbers xᵢ (|xᵢ| + ε)ᵖ⁻²). For p = ∞ q = n, bᵢ = xᵢ / n at the place of the
    maximum and 0 elsewhere.
    Errors: ValueError when p is not above 0, or when the input is no vector and no batch of vectors, or
    these have no entry.
    Source: nn.Normalize.

        >>> print(nn.Normalize(2).forward(np.float32([[3, 4]])).round(4))
        [[0.6 0.8]]
    """

    def __init__(self, p: Number, eps: Number = 1e-10) -> None:
        super().__init__()
        if not p > 0:
            raise ValueError(f"{self.name}: p must be above 0, got {p}")
        self.p, self.eps = p, eps

    def update_output(self, input):
        self.check_array(input, ndim=(1, 2))
        if not input.shape[-1]:
            raise ValueError(f"{self.name}: input must have at least one entry, got shape {input.shape}")
        self.output = input / self._norm(input)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        xp, p, size, n = self.xp, self.p, abs(input), self._norm(input)
        if p == math.inf:
            q = n
            largest = xp.arange(input.shape[-1]) == xp.argmax(size, -1)[..., None]
            b = input / n * largest
        else:
            q = (size**p).sum(-1, keepdims=True) + self.eps
            b = input if p == 2 else input * (size + (self.eps if p < 2 else 0)) ** (p - 2)
        product = (grad_output * input).sum(-1, keepdims=True)
        self.grad_input = grad_output / n - b * (product / (n * q))
        return self.grad_input

    def describe(self):
        return f"({self.p:g})" if self.p == math.inf or self.p % 1 == 0 else f"({self.p:f})"

    def _norm(self, input):
        size = abs(input)
        if self.p == math.inf:
            return size.max(-1, keepdims=True) + self.eps
        return ((size**self.p).sum(-1, keepdims=True) + self.eps) ** (1 / self.p)
