"""Losses that ask for a margin between the scores of classes, or between two scores."""

import numpy as np

from . import backend
from .criterion import Criterion, number
from .typing import Array, Number


class MultiMarginCriterion(Criterion):
    """Hinge loss of class labels: the right class should score higher than each other one by a margin.

    Shapes: input (K,) or (N, K); target one integer label (a number or an array of one) or (N,), labels
    0..K-1; weights (K,), one a class.
    Forward: L = Σᵢ w_tᵢ Σ_{k≠tᵢ} max(0, margin - x_i,tᵢ + x_i,k)ᵖ / (N K); without `size_average` / K.
    Backward: with h_i,k = p w_tᵢ max(0, margin - x_i,tᵢ + x_i,k)ᵖ⁻¹ / (N K), 0 where the maximum is:
    grad_input_i,k = h_i,k for k ≠ tᵢ, and minus the sum of these for k = tᵢ.
    Errors: ValueError for a p other than 1 and 2, another number of weights, or a label that is not in
    0..K-1.
    Source: nn.MultiMarginCriterion, whose labels count from 1.

        >>> print(nn.MultiMarginCriterion().forward(np.float32([[1, 0.5]]), np.array([0])))
        0.25
    """

    def __init__(
        self, p: Number = 1, weights: Array | None = None, margin: Number = 1.0, size_average: bool = True
    ) -> None:
        super().__init__()
        if p not in (1, 2):
            raise ValueError(f"{self.name}: p must be 1 or 2, got {p}")
        self.p, self.margin, self.size_average = p, margin, size_average
        self.weights = None if weights is None else backend.as_numpy(weights)
        if self.weights is not None and self.weights.ndim != 1:
            raise ValueError(f"{self.name}: weights must be a vector, got shape {self.weights.shape}")

    def update_output(self, input, target):
        _, hinge, weights = self._hinges(input, target)
        total = (hinge**self.p * weights).sum(dtype=np.float64)
        self.output = number(total / (hinge.size if self.size_average else hinge.shape[1]))
        return self.output

    def update_grad_input(self, input, target):
        own, hinge, weights = self._hinges(input, target)
        slope = hinge > 0 if self.p == 1 else 2 * hinge
        slope = slope * (weights / (hinge.size if self.size_average else hinge.shape[1]))
        slope -= own * slope.sum(axis=1, keepdims=True)
        self.grad_input = slope.reshape(input.shape)
        return self.grad_input

    def _hinges(self, input, target):
        """Return where the right class is (N, K), the hinges (N, K), 0 there, and the weights (N, 1)."""
        self.check_floats(input)
        if input.ndim not in (1, 2):
            raise ValueError(f"{self.name}: input must have 1 or 2 dimensions, got shape {input.shape}")
        xp, classes = backend.get_array_module(input), input.shape[-1]
        target = xp.asarray(target) if isinstance(target, int | np.integer) else target
        check_labels(self, input, target, input.shape[:-1])
        x, labels = input.reshape(-1, classes), target.reshape(-1)
        check_range(self, labels, 0, classes)
        if self.weights is not None and self.weights.size != classes:
            raise ValueError(f"{self.name}: {self.weights.size} weights, but {classes} classes in the input")
        own = labels[:, None] == xp.arange(classes)
        hinge = xp.maximum(self.margin - xp.take_along_axis(x, labels[:, None], 1) + x, 0) * ~own
        weights = np.ones(classes) if self.weights is None else self.weights
        return own, hinge, backend.asarray(weights, input.dtype, backend.device_of(input))[labels][:, None]


class MultiLabelMarginCriterion(Criterion):
    """Hinge loss of sets of labels: each class that is there should score higher by 1 than each that is not.

    Shapes: input (K,) or (N, K); target integers of the same shape: the labels of the classes that are
    there, in 0..K-1, then -1, after which nothing counts.
    Forward: L = Σᵢ Σ_t Σ_k max(0, 1 - x_i,t + x_i,k) / (N K), t over the labels (twice for one that is named
    twice) and k over the classes that are not there; without `size_average` / K.
    Backward: each term above 0 gives -1 / (N K) to grad_input_i,t and 1 / (N K) to grad_input_i,k.
    Errors: ValueError for a target of another shape or a label that is not in -1..K-1.
    Source: nn.MultiLabelMarginCriterion, whose labels count from 1 and end with 0.
    """

    def __init__(self, size_average: bool = True) -> None:
        super().__init__()
        self.size_average = size_average

    def update_output(self, input, target):
        _, x, hinge = self._hinges(input, target)
        self.output = number(hinge.sum(dtype=np.float64) / (x.size if self.size_average else x.shape[1]))
        return self.output

    def update_grad_input(self, input, target):
        labels, x, hinge = self._hinges(input, target)
        xp = backend.get_array_module(x)
        active = (hinge > 0).astype(x.dtype)  # (N, labels, classes)
        grad = active.sum(axis=1)
        pulled = (labels[:, :, None] == xp.arange(x.shape[1])).astype(x.dtype)
        grad -= (active.sum(axis=2)[:, :, None] * pulled).sum(axis=1)
        self.grad_input = (grad / (x.size if self.size_average else x.shape[1])).reshape(input.shape)
        return self.grad_input

    def _hinges(self, input, target):
        """Return the labels and the input (N, K), and max(0, 1 - x_t + x_k) or, where nothing counts, 0."""
        self.check_floats(input)
        if input.ndim not in (1, 2):
            raise ValueError(f"{self.name}: input must have 1 or 2 dimensions, got shape {input.shape}")
        check_labels(self, input, target, input.shape)
        xp, classes = backend.get_array_module(input), input.shape[-1]
        x, labels = input.reshape(-1, classes), target.reshape(-1, classes)
        check_range(self, labels, -1, classes)
        counted = xp.cumsum(labels < 0, axis=1) == 0
        labels = xp.where(counted, labels, -1)
        absent = (labels[:, :, None] != xp.arange(classes)).all(axis=1)
        scores = xp.take_along_axis(x, xp.maximum(labels, 0), 1)
        hinge = xp.maximum(1 - scores[:, :, None] + x[:, None, :], 0)
        return labels, x, hinge * (counted[:, :, None] & absent[:, None, :])


class MarginRankingCriterion(Criterion):
    """Hinge loss of two scores: one of them should be higher than the other by a margin.

    Shapes: input a table of two arrays of one shape; target an array of that shape, or a number when
    each input is one number: 1 when the first should be higher, -1 when the second.
    Forward: L = Σᵢ max(0, margin - tᵢ (aᵢ - bᵢ)) / N, N the size of the first dimension; without
    `size_average` not divided.
    Backward: grad_input = [-m t, m t] / N, m = 1 where tᵢ (aᵢ - bᵢ) <= margin, else 0.
    Errors: TypeError, ValueError when the three differ in dtype, device or shape.
    Source: nn.MarginRankingCriterion.
    """

    def __init__(self, margin: Number = 1.0, size_average: bool = True) -> None:
        super().__init__()
        self.margin, self.size_average = margin, size_average

    def update_output(self, input, target):
        hinge, _ = self._hinges(input, target)
        total = backend.get_array_module(hinge).maximum(hinge, 0).sum(dtype=np.float64)
        self.output = number(total / (len(hinge) if self.size_average else 1))
        return self.output

    def update_grad_input(self, input, target):
        hinge, target = self._hinges(input, target)
        grad = (hinge >= 0) * target / (len(hinge) if self.size_average else 1)
        self.grad_input = [-grad, grad]
        return self.grad_input

    def _hinges(self, input, target):
        """Return margin - t (a - b), and the target as an array."""
        a, b = check_two(self, input)
        if isinstance(target, int | float) and a.size == 1:
            target = backend.get_array_module(a).asarray(target)
        self.check_target(a, target)
        if target.shape != a.shape and not target.size == a.size == 1:
            raise ValueError(f"{self.name}: target must have shape {a.shape}, got {target.shape}")
        target = target.astype(a.dtype).reshape(a.shape)
        return self.margin - target * (a - b), target


def check_two(criterion, input):
    """Return the two float arrays of a table; raise unless they have one dtype, device and shape."""
    if not isinstance(input, list | tuple) or len(input) != 2:
        raise TypeError(f"{criterion.name}: input must be a list of two arrays, got {type(input).__name__}")
    for x in input:
        criterion.check_floats(x)
    a, b = input
    criterion.check_target(a, b)
    if b.dtype != a.dtype or b.shape != a.shape:
        raise ValueError(
            f"{criterion.name}: the two inputs must be alike, got {a.dtype} {a.shape} and {b.dtype} {b.shape}"
        )
    return a, b


def check_labels(criterion, input, target, shape):
    """Raise unless `target` is an array of integer labels of this shape; for (), of one entry."""
    criterion.check_target(input, target)
    if target.dtype.kind not in "iu":
        raise TypeError(f"{criterion.name}: target must hold integer labels, got {target.dtype}")
    if target.shape != shape and not (shape == () and target.size == 1):
        raise ValueError(f"{criterion.name}: target must have shape {shape}, got {target.shape}")


def check_range(criterion, labels, first, classes):
    """Raise ValueError unless all labels are in first..classes-1."""
    wrong = (labels < first) | (labels >= classes)
    if wrong.any():
        raise ValueError(f"{criterion.name}: label {int(labels[wrong][0])} is not in {first}..{classes - 1}")
