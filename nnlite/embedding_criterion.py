"""Losses that bring similar things together and push others apart; labels are 1 (similar) and -1."""

import numpy as np

from . import backend
from .criterion import Criterion, number
from .layers.activation import sigmoid
from .layers.pairs import cosine, random_sign
from .margin_criterion import check_two
from .typing import Number


class HingeEmbeddingCriterion(Criterion):
    """Distances that should be small for similar pairs, and at least a margin for others.

    Shapes: input (distances) and target (1 or -1) of any shape, the same; or one number as target.
    Forward: L = Σ lᵢ / n, lᵢ = xᵢ where tᵢ = 1, max(0, margin - xᵢ) where tᵢ = -1; without `size_average` not
    divided by n.
    Backward: grad_inputᵢ = 1 / n where tᵢ = 1; -1 / n where tᵢ = -1 and xᵢ <= margin; else 0.
    Errors: ValueError for labels other than 1 and -1, or a target of another shape.
    Source: nn.HingeEmbeddingCriterion.
    """

    def __init__(self, margin: Number = 1.0, size_average: bool = True) -> None:
        super().__init__()
        self.margin, self.size_average = margin, size_average

    def update_output(self, input, target):
        similar = self._similar(input, target)
        xp = backend.get_array_module(input)
        total = xp.where(similar, input, xp.maximum(self.margin - input, 0)).sum(dtype=np.float64)
        self.output = number(total / (input.size if self.size_average else 1))
        return self.output

    def update_grad_input(self, input, target):
        similar = self._similar(input, target)
        slope = similar.astype(input.dtype) - (~similar & (input <= self.margin))
        self.grad_input = slope / (input.size if self.size_average else 1)
        return self.grad_input

    def _similar(self, input, target):
        self.check_floats(input)
        similar = is_similar(self, input, target)
        if similar.shape != input.shape:
            raise ValueError(f"{self.name}: target must have shape {input.shape}, got {similar.shape}")
        return similar


class L1HingeEmbeddingCriterion(Criterion):
    """L1 distance of two arrays, small for a similar pair and at least a margin for another.

    Shapes: input a table of two arrays of one shape, which is one pair whatever the shape; target 1 or -1.
    Forward: L = d = Σᵢ |aᵢ - bᵢ| for target 1, max(0, margin - d) for -1.
    Backward: grad_input = [s, -s], sᵢ = sign(aᵢ - bᵢ) for target 1; its negative for -1, and 0 where d
    > margin. A difference of 0 counts as +1 or -1, as Torch7's generator decides.
    Errors: TypeError, ValueError when the two inputs are unlike or the label is neither 1 nor -1.
    Source: nn.L1HingeEmbeddingCriterion.
    """

    def __init__(self, margin: Number = 1.0) -> None:
        super().__init__()
        self.margin = margin

    def update_output(self, input, target):
        _, distance, similar = self._distance(input, target)
        xp = backend.get_array_module(distance)
        self.output = number(distance if similar else xp.maximum(self.margin - distance, 0))
        return self.output

    def update_grad_input(self, input, target):
        d, distance, similar = self._distance(input, target)
        slope = random_sign(d)
        if not similar:
            slope = -slope * (distance <= self.margin)
        self.grad_input = [slope, -slope]
        return self.grad_input

    def _distance(self, input, target):
        """Return a - b, its L1 norm, and whether the pair is similar."""
        a, b = check_two(self, input)
        similar = is_similar(self, a.ravel()[:1], target)
        if similar.size != 1:
            raise ValueError(f"{self.name}: target must be one label, got shape {similar.shape}")
        return a - b, abs(a - b).sum(dtype=np.float64), bool(similar.ravel()[0])


class CosineEmbeddingCriterion(Criterion):
    """Cosine of the angle between two vectors, large for a similar pair and at most a margin for another.

    Shapes: input a table of two arrays (D,) or (N, D); target a number (or an array of one) or (N,), 1 or -1.
    Forward: L = Σ lᵢ / N, lᵢ = 1 - cᵢ where tᵢ = 1, max(0, cᵢ - margin) where tᵢ = -1, cᵢ the cosine of
    `CosineDistance`; without `size_average` not divided.
    Backward: minus the derivative of cᵢ where tᵢ = 1 and lᵢ > 0, plus it where tᵢ = -1 and lᵢ > 0, else
    0; divided likewise.
    Errors: TypeError, ValueError when the two inputs are unlike, for labels other than 1 and -1, or
    another number of them.
    Source: nn.CosineEmbeddingCriterion.

        >>> loss, pair = nn.CosineEmbeddingCriterion(), [np.float32([1, 0]), np.float32([1, 0])]
        >>> [round(loss.forward(pair, similar), 4) for similar in (1, -1)]
        [0.0, 1.0]
    """

    def __init__(self, margin: Number = 0.0, size_average: bool = True) -> None:
        super().__init__()
        self.margin, self.size_average = margin, size_average

    def update_output(self, input, target):
        _, losses, _ = self._losses(input, target)
        self.output = number(losses.sum(dtype=np.float64) / (losses.size if self.size_average else 1))
        return self.output

    def update_grad_input(self, input, target):
        similar, losses, slopes = self._losses(input, target)
        xp = backend.get_array_module(losses)
        sign = xp.where(similar, -1, 1) * (losses > 0) / (losses.size if self.size_average else 1)
        sign = sign.astype(losses.dtype)[:, None]
        self.grad_input = [(sign * slope).reshape(x.shape) for slope, x in zip(slopes, input, strict=True)]
        return self.grad_input

    def _losses(self, input, target):
        """Return which pairs are similar, the losses (N,), and the derivatives of the cosines (N, D)."""
        a, b = check_two(self, input)
        if a.ndim not in (1, 2):
            raise ValueError(f"{self.name}: the inputs must have 1 or 2 dimensions, got shape {a.shape}")
        a, b = a.reshape(-1, a.shape[-1]), b.reshape(-1, b.shape[-1])
        similar = is_similar(self, a[:1, 0], target).ravel()
        if similar.size != len(a):
            raise ValueError(f"{self.name}: target must have {len(a)} labels, got {similar.size}")
        c, *slopes = cosine(a, b)
        xp = backend.get_array_module(a)
        return similar, xp.where(similar, 1 - c, xp.maximum(c - self.margin, 0)), slopes


class DistanceRatioCriterion(Criterion):
    """Softmax loss of triplets: the distance of a similar pair should be smaller than that of another.

    Shapes: input a table of two arrays of one shape, (N, ...), the distances a of similar pairs and b
    of others; a target is not looked at.
    Forward: L = Σ log(1 + e^(aᵢ - bᵢ)) / N = -Σ log(e^(-aᵢ) / (e^(-aᵢ) + e^(-bᵢ))) / N; without
    `size_average` not divided.
    Backward: grad_input = [σ(a - b), -σ(a - b)] / N.
    Errors: TypeError, ValueError when the two inputs are unlike.
    Source: nn.DistanceRatioCriterion.
    """

    def __init__(self, size_average: bool = True) -> None:
        super().__init__()
        self.size_average = size_average

    def forward(self, input, target=None):
        """Return the loss of `input`."""
        return self.update_output(input, target)

    def backward(self, input, target=None):
        """Return d loss / d input."""
        return self.update_grad_input(input, target)

    def update_output(self, input, target=None):
        a, b = check_two(self, input)
        losses = backend.get_array_module(a).logaddexp(0, a - b)
        self.output = number(losses.sum(dtype=np.float64) / (len(a) if self.size_average else 1))
        return self.output

    def update_grad_input(self, input, target=None):
        a, b = check_two(self, input)
        slope = sigmoid(a - b) / (len(a) if self.size_average else 1)
        self.grad_input = [slope, -slope]
        return self.grad_input


def is_similar(criterion, like, target):
    """Return an array that says where `target`, a number or an array of labels 1 and -1, is 1.

    A number stands for an array of the shape of `like`.
    """
    if isinstance(target, int | float) or (backend.is_array(target) and target.ndim == 0):
        xp = backend.get_array_module(like)
        target = xp.broadcast_to(xp.asarray(target), like.shape)
    criterion.check_target(like, target)
    wrong = (target != 1) & (target != -1)
    if wrong.any():
        raise ValueError(f"{criterion.name}: labels must be 1 or -1, got {target[wrong][0]}")
    return target == 1
