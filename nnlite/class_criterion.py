"""Losses of class labels, summed in float64 like those of `criterion.py`."""

import numpy as np

from . import backend
from .criterion import Criterion, number
from .layers.activation import LogSoftMax
from .ops import cross_entropy
from .typing import Array


class ClassNLLCriterion(Criterion):
    """Negative log-likelihood of class labels, given log-probabilities.

    Shapes: input (K,) or (N, K); target one integer label (a number or an array of one) or (N,), labels
    0..K-1; weights (K,), one a class, >= 0.
    Forward: L = -Σᵢ wᵢ x_i,tᵢ / Σᵢ wᵢ, wᵢ = weights[tᵢ], but 0 where tᵢ is `ignore_index`; without
    `size_average` not divided. L = 0 when all wᵢ are 0.
    Backward: grad_input_i,tᵢ = -wᵢ / Σⱼ wⱼ, zero elsewhere.
    Errors: ValueError for a label that is neither in 0..K-1 nor `ignore_index`.
    Source: nn.ClassNLLCriterion.
    """

    image_dims = 0

    def __init__(
        self, weights: Array | None = None, size_average: bool = True, ignore_index: int = -1
    ) -> None:
        super().__init__()
        self.weights = None if weights is None else backend.as_numpy(weights)
        self.size_average, self.ignore_index = size_average, ignore_index
        self.total_weight = 0.0
        if self.weights is not None and (self.weights.ndim != 1 or not (self.weights >= 0).all()):
            raise ValueError(f"{self.name}: weights must be a vector of numbers >= 0, got {self.weights}")

    def update_output(self, input, target):
        scores, labels, w = self._positions(input, target)
        self.total_weight = number(w.sum(dtype=np.float64))
        self.output = number(cross_entropy.label_sum(scores, labels, w) * self._norm(w))
        return self.output

    def update_grad_input(self, input, target):
        scores, labels, w = self._positions(input, target)
        grad = cross_entropy.label_gradient(scores, labels, w, self._norm(w))
        self.grad_input = grad.reshape(input.shape)
        return self.grad_input

    def _norm(self, w):
        """Return 1 / Σ w or 1. Where Σ w = 0 all that it multiplies is 0: any finite number will do."""
        if not self.size_average:
            return 1.0
        return 1.0 / backend.get_array_module(w).maximum(w.sum(dtype=np.float64), np.finfo(np.float64).tiny)

    def _positions(self, input, target):
        """Return the input as (N, K, P), P pixels an image, and labels and weights as (N, P).

        Ignored positions get label 0 and weight 0.
        """
        self.check_floats(input)
        xp = backend.get_array_module(input)
        target = xp.asarray(target) if isinstance(target, int | np.integer) else target
        self.check_target(input, target)
        axis = input.ndim - self.image_dims - 1
        if axis not in (0, 1):
            raise ValueError(
                f"{self.name}: input must have {self.image_dims + 1} or {self.image_dims + 2} dimensions, "
                f"got shape {input.shape}"
            )
        classes, form = input.shape[axis], input.shape[:axis] + input.shape[axis + 1 :]
        if target.dtype.kind not in "iu":
            raise TypeError(f"{self.name}: target must hold integer labels, got {target.dtype}")
        if target.shape != form and not (form == () and target.size == 1):
            raise ValueError(f"{self.name}: target must have shape {form}, got {target.shape}")
        if self.weights is not None and self.weights.size != classes:
            raise ValueError(f"{self.name}: {self.weights.size} weights, but {classes} classes in the input")

        scores = input.reshape(input.shape[0] if axis else 1, classes, -1)
        target = target.reshape(scores.shape[0], scores.shape[2])
        labels = target.astype(np.int64)
        if target.dtype == np.uint64:  # beyond int64 it would come out negative, perhaps as ignore_index
            labels = xp.where(labels < 0, np.int64(2**63 - 1), labels)
        counted = labels != self.ignore_index
        wrong = counted & ((labels < 0) | (labels >= classes))
        if wrong.any():
            raise ValueError(
                f"{self.name}: label {int(target[wrong][0])} is neither in 0..{classes - 1} nor "
                f"ignore_index ({self.ignore_index})"
            )
        labels = xp.where(counted, labels, 0)
        weights = xp.ones(classes, input.dtype) if self.weights is None else self.weights
        weights = backend.asarray(weights, input.dtype, backend.device_of(input))
        return scores, labels, weights[labels] * counted


class SpatialClassNLLCriterion(ClassNLLCriterion):
    """Negative log-likelihood of one class label a pixel, given log-probabilities.

    Shapes: input (K, H, W) or (N, K, H, W), target (H, W) or (N, H, W) with labels 0..K-1.
    Forward, backward and errors: as in `ClassNLLCriterion`, the sums over all pixels of the batch.
    Source: nn.SpatialClassNLLCriterion.
    """

    image_dims = 2


class CrossEntropyCriterion(ClassNLLCriterion):
    """Negative log-likelihood of class labels, given unnormalised scores.

    Shapes: input (K,) or (N, K), besides dimensions of size 1, which are dropped; target as in
    `ClassNLLCriterion`.
    Forward: L = NLL(log p, t), p = softmax(x) (`log_soft_max`).
    Backward: grad_input = g - p Σₖ gₖ, g the gradient of the NLL with respect to log p.
    Errors: as in `ClassNLLCriterion`.
    Source: nn.CrossEntropyCriterion.

        >>> loss = nn.CrossEntropyCriterion()
        >>> round(loss.forward(np.float32([[0, 0]]), np.array([1])), 4)  # log 2
        0.6931
        >>> loss.backward(np.float32([[0, 0]]), np.array([1])).tolist()
        [[0.5, -0.5]]
    """

    def __init__(
        self, weights: Array | None = None, size_average: bool = True, ignore_index: int = -1
    ) -> None:
        super().__init__(weights, size_average, ignore_index)
        self.log_soft_max = LogSoftMax()

    def update_output(self, input, target):
        return super().update_output(self._log_p(input), _squeeze(target))

    def update_grad_input(self, input, target):
        g = super().update_grad_input(self._log_p(input), _squeeze(target))
        self.grad_input = self.log_soft_max.backward(input.squeeze(), g).reshape(input.shape)
        return self.grad_input

    def _log_p(self, input):
        self.check_floats(input)
        return self.log_soft_max.type(input.dtype, backend.device_of(input)).forward(input.squeeze())


def _squeeze(target):
    """Return the labels without dimensions of size 1, as Torch7's CrossEntropyCriterion takes them."""
    return target.squeeze() if backend.is_array(target) else target
