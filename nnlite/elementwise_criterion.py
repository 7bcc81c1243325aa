"""Further losses that are a sum over entries, like those of `criterion.py`."""

import numpy as np

from . import backend
from .criterion import Criterion, ElementwiseCriterion, MSECriterion, number
from .layers.activation import sigmoid
from .margin_criterion import check_labels, check_range
from .typing import Array, Number


class WeightedMSECriterion(MSECriterion):
    """Squared error against a target that is multiplied by weights first.

    Shapes: input and target of any shape, the same; weight of that shape, or that of one entry of a batch.
    Forward: L = Σ (xᵢ - wᵢ tᵢ)² / n; without `size_average` not divided by n. (Torch7's own: the
    weights act on the target, not on the error.)
    Backward: grad_input = 2 (x - w t) / n.
    Errors: TypeError, ValueError when input and target differ in dtype, device or shape, or the weight fits
    neither.
    Source: nn.WeightedMSECriterion.
    """

    def __init__(self, weight: Array, size_average: bool = True) -> None:
        super().__init__(size_average)
        self.weight = backend.as_numpy(weight).copy()

    def difference(self, input, target):
        """Return d = input - weight · target."""
        self.check(input, target)
        if self.weight.shape not in (input.shape, input.shape[1:]):
            raise ValueError(
                f"{self.name}: weight of shape {self.weight.shape} fits neither an input of shape "
                f"{input.shape} nor one entry of it as a batch"
            )
        return input - backend.asarray(self.weight, input.dtype, backend.device_of(input)) * target


class DistKLDivCriterion(ElementwiseCriterion):
    """Kullback-Leibler divergence of a distribution from probabilities given as logarithms.

    Shapes: input (log-probabilities) and target (probabilities) of any shape, the same.
    Forward: L = Σ tᵢ (log tᵢ - xᵢ) / n over the entries with tᵢ > 0; n counts all entries; without
    `size_average` not divided.
    Backward: grad_inputᵢ = -tᵢ / n where tᵢ > 0, else 0.
    Errors: TypeError, ValueError when input and target differ in dtype, device or shape.
    Source: nn.DistKLDivCriterion.
    """

    def update_output(self, input, target):
        self.check(input, target)
        xp = backend.get_array_module(input)
        counted = target > 0
        losses = target * (xp.log(xp.where(counted, target, 1)) - input)
        self.output = number(xp.where(counted, losses, 0).sum(dtype=np.float64) * self.norm(input))
        return self.output

    def update_grad_input(self, input, target):
        self.check(input, target)
        self.grad_input = -backend.get_array_module(input).maximum(target, 0) * self.norm(input)
        return self.grad_input


class MarginCriterion(ElementwiseCriterion):
    """Hinge loss of two classes, labelled 1 and -1.

    Shapes: input and target of any shape, the same.
    Forward: L = Σ max(0, margin - xᵢ tᵢ) / n; without `size_average` not divided by n.
    Backward: grad_inputᵢ = -tᵢ / n where xᵢ tᵢ < margin, else 0.
    Errors: TypeError, ValueError when input and target differ in dtype, device or shape.
    Source: nn.MarginCriterion.

        >>> print(nn.MarginCriterion().forward(np.float32([0.5, 2]), np.float32([1, 1])))
        0.25
    """

    def __init__(self, margin: Number = 1.0, size_average: bool = True) -> None:
        super().__init__(size_average)
        self.margin = margin

    def update_output(self, input, target):
        self.check(input, target)
        losses = backend.get_array_module(input).maximum(self.margin - input * target, 0)
        self.output = number(losses.sum(dtype=np.float64) * self.norm(input))
        return self.output

    def update_grad_input(self, input, target):
        self.check(input, target)
        self.grad_input = -target * (input * target < self.margin) * self.norm(input)
        return self.grad_input


class SoftMarginCriterion(ElementwiseCriterion):
    """Logistic loss of two classes, labelled 1 and -1.

    Shapes: input and target of any shape, the same.
    Forward: L = Σ log(1 + e^(-xᵢ tᵢ)) / n; without `size_average` not divided by n.
    Backward: grad_inputᵢ = -tᵢ σ(-xᵢ tᵢ) / n.
    Errors: TypeError, ValueError when input and target differ in dtype, device or shape.
    Source: nn.SoftMarginCriterion.
    """

    def update_output(self, input, target):
        self.check(input, target)
        losses = backend.get_array_module(input).logaddexp(0, -input * target)
        self.output = number(losses.sum(dtype=np.float64) * self.norm(input))
        return self.output

    def update_grad_input(self, input, target):
        self.check(input, target)
        self.grad_input = -target * sigmoid(-input * target) * self.norm(input)
        return self.grad_input


class MultiLabelSoftMarginCriterion(ElementwiseCriterion):
    """Logistic loss of classes of which any number may be there, one unnormalised score each.

    Shapes: input and target (1 where a class is there, 0 where not) of any shape, the same; weights
    (K,), one a class, for targets (K,) and (N, K).
    Forward: L = -Σ wᵢ [tᵢ log σ(xᵢ) + (1 - tᵢ) log σ(-xᵢ)] / n; n counts entries, not weights; without
    `size_average` not divided.
    Backward: grad_input = w (σ(x) - t) / n.
    Errors: TypeError, ValueError when input and target differ in dtype, device or shape, or there is another
    number of weights.
    Source: nn.MultiLabelSoftMarginCriterion.
    """

    def __init__(self, weights: Array | None = None, size_average: bool = True) -> None:
        super().__init__(size_average)
        self.weights = None if weights is None else backend.as_numpy(weights)
        if self.weights is not None and self.weights.ndim != 1:
            raise ValueError(f"{self.name}: weights must be a vector, got shape {self.weights.shape}")

    def update_output(self, input, target):
        weights, xp = self._checked_weights(input, target), backend.get_array_module(input)
        losses = (xp.logaddexp(0, -abs(input)) + xp.maximum(input, 0) - input * target) * weights
        self.output = number(losses.sum(dtype=np.float64) * self.norm(input))
        return self.output

    def update_grad_input(self, input, target):
        weights = self._checked_weights(input, target)
        self.grad_input = (sigmoid(input) - target) * weights * self.norm(input)
        return self.grad_input

    def _checked_weights(self, input, target):
        """Check input and target, and return the weights in the form of the input, 1 without any."""
        self.check(input, target)
        if self.weights is None:
            return input.dtype.type(1)
        if input.shape[-1:] != self.weights.shape:
            raise ValueError(
                f"{self.name}: {self.weights.size} weights do not fit an input of shape {input.shape}"
            )
        return backend.asarray(self.weights, input.dtype, backend.device_of(input))


class L1Cost(Criterion):
    """The sum of magnitudes, a loss without a target.

    Shapes: input of any shape; a target is not looked at.
    Forward: L = Σ |xᵢ|.
    Backward: grad_input = sign(x), sign(0) = 0.
    Errors: TypeError, ValueError when the input is no float array or is empty.
    Source: nn.L1Cost.
    """

    def forward(self, input, target=None):
        """Return the loss of `input`."""
        return self.update_output(input, target)

    def backward(self, input, target=None):
        """Return d loss / d input."""
        return self.update_grad_input(input, target)

    def update_output(self, input, target=None):
        self.check_floats(input)
        self.output = number(abs(input).sum(dtype=np.float64))
        return self.output

    def update_grad_input(self, input, target=None):
        self.check_floats(input)
        self.grad_input = backend.get_array_module(input).sign(input)
        return self.grad_input


class ClassSimplexCriterion(MSECriterion):
    """Squared error against the corner of a regular simplex that stands for the class.

    Shapes: input (K,) or (N, K); target one integer label (a number or an array of one) or (N,), labels
    0..K-1.
    Forward: L = Σ (x_i,k - s_tᵢ,k)² / (N K), `simplex` s (K, K) with rows of length 1 as far apart as
    can be: any two have the product -1 / (K - 1). Without `size_average` not divided.
    Backward: grad_input = 2 (x - s_t) / (N K).
    Errors: ValueError for a label that is not in 0..K-1 or another number of classes.
    Source: nn.ClassSimplexCriterion, whose labels count from 1; Mroueh et al. 2012, arXiv:1209.1360.
    """

    def __init__(self, n_classes: int, size_average: bool = True) -> None:
        super().__init__(size_average)
        if n_classes != int(n_classes) or n_classes < 2:
            raise ValueError(f"{self.name}: n_classes must be an integer >= 2, got {n_classes}")
        self.n_classes, self.simplex = n_classes, _simplex(n_classes)

    def difference(self, input, target):
        """Return d = input - the corners of the labels."""
        self.check_floats(input)
        if input.ndim not in (1, 2) or input.shape[-1] != self.n_classes:
            raise ValueError(
                f"{self.name}: input must have shape (N, {self.n_classes}) or ({self.n_classes},), "
                f"got {input.shape}"
            )
        xp = backend.get_array_module(input)
        target = xp.asarray(target) if isinstance(target, int | np.integer) else target
        check_labels(self, input, target, input.shape[:-1])
        check_range(self, target, 0, self.n_classes)
        corners = backend.asarray(self.simplex, input.dtype, backend.device_of(input))
        return input - corners[target].reshape(input.shape)

    def get_predictions(self, input: Array) -> Array:
        """Return the products of the inputs with all corners, (N, K)."""
        x = input.reshape(-1, self.n_classes)
        return x @ backend.asarray(self.simplex, input.dtype, backend.device_of(input)).T

    def get_top_prediction(self, input: Array) -> Array:
        """Return the label of the nearest corner, (N,)."""
        return backend.get_array_module(input).argmax(self.get_predictions(input), 1)


def _simplex(n):
    """Return n unit vectors (n, n) with equal distances, the last component of each 0, corner by corner."""
    corners = np.zeros((n, n))
    for k in range(n - 1):
        corners[k, k] = np.sqrt(1 - corners[k, :k] @ corners[k, :k])
        corners[k + 1 :, k] = (corners[k, k] ** 2 - 1 - 1 / (n - 1)) / corners[k, k]
    return corners
