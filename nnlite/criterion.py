"""Losses. They are summed in float64 whatever the dtype; gradients have the dtype of the input.

Losses are functions of (input, target) alone: `backward` needs nothing that `forward` left behind.
"""

import copy
from typing import Any

import numpy as np

from . import backend
from .ops import cross_entropy
from .typing import Array, Value


class Criterion:
    """Base of every loss: a number from an input and a target, and its derivative with respect to the input.

    `output` is the last loss (a Python float on the CPU, a 0-d array on the GPU so that nothing waits
    for it; `float()` converts both), `grad_input` the last derivative.
    """

    def __init__(self) -> None:
        self.output: Any = 0.0
        self.grad_input: Any = None

    def update_output(self, input: Value, target: Any) -> Any:
        """Compute and return the loss `self.output`."""
        raise NotImplementedError(f"{self.name} has no update_output")

    def update_grad_input(self, input: Value, target: Any) -> Any:
        """Compute and return `self.grad_input` = d loss / d input."""
        raise NotImplementedError(f"{self.name} has no update_grad_input")

    def forward(self, input: Value, target: Any) -> Any:
        """Return the loss of `input` against `target`."""
        return self.update_output(input, target)

    def backward(self, input: Value, target: Any) -> Any:
        """Return d loss / d input."""
        return self.update_grad_input(input, target)

    def check_floats(self, input: Any) -> None:
        """Raise unless `input` is a float array that is not empty."""
        if not backend.is_array(input):
            raise TypeError(f"{self.name}: input must be an array, got {type(input).__name__}")
        if input.dtype not in backend.FLOAT_DTYPES:
            raise TypeError(f"{self.name}: input must be float32 or float64, got {input.dtype}")
        if not input.size:
            raise ValueError(f"{self.name}: input must not be empty, got shape {input.shape}")

    def check_target(self, input: Any, target: Any) -> None:
        """Raise unless `target` is an array on the device of `input`."""
        if not backend.is_array(target):
            raise TypeError(f"{self.name}: target must be an array, got {type(target).__name__}")
        home, other = backend.device_of(input), backend.device_of(target)
        if home != other:
            raise TypeError(f"{self.name}: input is on {home}, target on {other}; move one of them")

    @property
    def name(self) -> str:
        """The name that messages use, such as "nn.MSECriterion"."""
        return f"nn.{type(self).__name__}"

    def __repr__(self) -> str:
        return self.name


class ElementwiseCriterion(Criterion):
    """Base of the losses that sum a function of the entries of input and target, arrays of one shape.

    `size_average`, which may be set at any time, says whether the sum is divided by the number of entries.
    """

    def __init__(self, size_average: bool = True) -> None:
        super().__init__()
        self.size_average = size_average

    def check(self, input: Any, target: Any) -> None:
        """Raise unless input and target are float arrays of one dtype, device and shape."""
        self.check_floats(input)
        self.check_target(input, target)
        if target.dtype != input.dtype:
            raise TypeError(f"{self.name}: target must be {input.dtype} like the input, got {target.dtype}")
        if target.shape != input.shape:
            raise ValueError(f"{self.name}: target must have shape {input.shape}, got {target.shape}")

    def difference(self, input: Array, target: Array) -> Array:
        """Return d = input - target."""
        self.check(input, target)
        return input - target

    def norm(self, input: Array) -> float:
        """Return the factor of the sum: 1/n for the mean over n entries, else 1."""
        return 1.0 / input.size if self.size_average else 1.0


class MSECriterion(ElementwiseCriterion):
    """Squared error.

    Shapes: input and target of any shape, the same.
    Forward: L = Σ dᵢ² / n, d = x - t; without `size_average` not divided by n.
    Backward: grad_input = 2 d / n.
    Errors: TypeError, ValueError when input and target differ in dtype, device or shape.
    Source: nn.MSECriterion.

        >>> loss = nn.MSECriterion()
        >>> print(loss.forward(np.float32([1, 2]), np.float32([0, 0])))
        2.5
        >>> loss.backward(np.float32([1, 2]), np.float32([0, 0])).tolist()
        [1.0, 2.0]
    """

    def update_output(self, input, target):
        d = self.difference(input, target)
        self.output = number((d * d).sum(dtype=np.float64) * self.norm(d))
        return self.output

    def update_grad_input(self, input, target):
        d = self.difference(input, target)
        self.grad_input = d * (2.0 * self.norm(d))
        return self.grad_input


class AbsCriterion(ElementwiseCriterion):
    """Absolute error.

    Shapes: input and target of any shape, the same.
    Forward: L = Σ |dᵢ| / n, d = x - t; without `size_average` not divided by n.
    Backward: grad_input = sign(d) / n, with sign(0) = +1.
    Errors: TypeError, ValueError when input and target differ in dtype, device or shape.
    Source: nn.AbsCriterion.
    """

    def update_output(self, input, target):
        d = self.difference(input, target)
        self.output = number(abs(d).sum(dtype=np.float64) * self.norm(d))
        return self.output

    def update_grad_input(self, input, target):
        d = self.difference(input, target)
        slope = d.dtype.type(self.norm(d))
        self.grad_input = backend.get_array_module(d).where(d >= 0, slope, -slope)
        return self.grad_input


class SmoothL1Criterion(ElementwiseCriterion):
    """Squared error near zero, absolute error beyond.

    Shapes: input and target of any shape, the same.
    Forward: L = Σ l(dᵢ) / n, l(d) = d²/2 for |d| < 1, else |d| - 1/2; without `size_average` not divided.
    Backward: grad_input = clip(d, -1, 1) / n.
    Errors: TypeError, ValueError when input and target differ in dtype, device or shape.
    Source: nn.SmoothL1Criterion; Girshick, "Fast R-CNN" (2015), eq. 3.
    """

    def update_output(self, input, target):
        d = abs(self.difference(input, target))
        losses = backend.get_array_module(d).where(d < 1, 0.5 * d * d, d - 0.5)
        self.output = number(losses.sum(dtype=np.float64) * self.norm(d))
        return self.output

    def update_grad_input(self, input, target):
        d = self.difference(input, target)
        self.grad_input = d.clip(-1, 1) * self.norm(d)
        return self.grad_input


class CharbonnierCriterion(ElementwiseCriterion):
    """Squared error near zero and absolute error beyond, with a smooth transition at ε.

    Shapes: input and target of any shape, the same.
    Forward: L = Σ (√(dᵢ² + ε²) - ε) / n, d = x - t; without `size_average` not divided by n.
    Backward: grad_input = d / √(d² + ε²) / n.
    Errors: TypeError, ValueError when input and target differ in dtype, device or shape; ValueError unless
    epsilon is above 0.
    Source: Charbonnier et al., "Two deterministic half-quadratic regularization algorithms for computed
    imaging" (1994), divided by what makes the slope of large errors 1.
    """

    def __init__(self, size_average: bool = True, epsilon: float = 1e-3) -> None:
        super().__init__(size_average)
        if not epsilon > 0:
            raise ValueError(f"{self.name}: epsilon must be above 0, got {epsilon}")
        self.epsilon = float(epsilon)

    def update_output(self, input, target):
        d = self.difference(input, target)
        # √(d² + ε²) - ε without the cancellation at small d
        losses = d * d / (self._root(d) + self.epsilon)
        self.output = number(losses.sum(dtype=np.float64) * self.norm(d))
        return self.output

    def update_grad_input(self, input, target):
        d = self.difference(input, target)
        self.grad_input = d * self.norm(d) / self._root(d)
        return self.grad_input

    def _root(self, d):
        """Return √(d² + ε²)."""
        return backend.get_array_module(d).sqrt(d * d + self.epsilon**2)


class BCECriterion(ElementwiseCriterion):
    """Binary cross-entropy of probabilities.

    Shapes: input (probabilities) and target (in [0, 1]) of any shape, the same; weights broadcast to it.
    Forward: L = -Σ wᵢ [tᵢ log(xᵢ + ε) + (1 - tᵢ) log(1 - xᵢ + ε)] / n, ε = 1e-12; n counts entries, not
    weights; without `size_average` not divided.
    Backward: grad_input = w (x - t) / ((1 - x + ε) (x + ε)) / n.
    Errors: ValueError, from both passes, for an input or a target outside [0, 1] (not on the GPU, where
    looking would mean waiting; an input outside makes the loss NaN there) or for different shapes.
    Source: nn.BCECriterion.
    """

    def __init__(self, weights: Array | None = None, size_average: bool = True) -> None:
        super().__init__(size_average)
        self.weights = None if weights is None else backend.as_numpy(weights)

    def update_output(self, input, target):
        self._check_probabilities(input, target)
        total = cross_entropy.binary_sum(input, target, self._weights_like(input))
        self.output = number(total * self.norm(input))
        return self.output

    def update_grad_input(self, input, target):
        self._check_probabilities(input, target)
        weights = self._weights_like(input)
        self.grad_input = cross_entropy.binary_gradient(input, target, weights, self.norm(input))
        return self.grad_input

    def _check_probabilities(self, input, target):
        """Raise unless input and target go together and, on the CPU, are in [0, 1]."""
        self.check(input, target)
        if backend.device_of(input) != "cpu":
            return
        for what, x in (("input", input), ("target", target)):
            if not (x.min() >= 0 and x.max() <= 1):
                wrong = x[~((x >= 0) & (x <= 1))][0]
                hint = "; divide pixels of 8 bits by 255" if what == "target" and wrong > 1 else ""
                raise ValueError(f"{self.name}: {what} must be in [0, 1], got {wrong}{hint}")

    def _weights_like(self, input):
        """Return the weights in the shape of the input; without any, ones that take no memory."""
        xp, weights = backend.get_array_module(input), self.weights
        if weights is None:
            weights = xp.ones((), input.dtype)
        weights = backend.asarray(weights, input.dtype, backend.device_of(input))
        try:
            return xp.broadcast_to(weights, input.shape)
        except ValueError as error:
            raise ValueError(
                f"{self.name}: weights of shape {weights.shape} do not broadcast to the input's {input.shape}"
            ) from error


class SequencerCriterion(Criterion):
    """Sum a criterion over the steps of a sequence.

    Shapes: input and target time-first: arrays (T, ...) or lists of T.
    Forward: L = Σ_t criterion(x_t, y_t); with `size_average` divided by T.
    Backward: grad_input_t = ∂L/∂x_t, in the form (array or list) of the input.
    Errors: ValueError when input and target differ in length or are empty; RuntimeError without forward.
    Source: nn.SequencerCriterion (rnn).
    """

    def __init__(self, criterion: Criterion, size_average: bool = False) -> None:
        super().__init__()
        self.criterion, self.size_average = criterion, size_average
        self.steps: list[Criterion] = []

    def update_output(self, input, target):
        if len(input) != len(target) or not len(input):
            raise ValueError(f"{self.name}: {len(input)} steps of input, {len(target)} of target")
        # A custom criterion may be stateful, so each step has a copy of its own.
        self.steps = [copy.deepcopy(self.criterion) for _ in input]
        total = sum(step.forward(x, y) for step, x, y in zip(self.steps, input, target))
        self.output = total / len(input) if self.size_average else total
        return self.output

    def update_grad_input(self, input, target):
        if not len(self.steps) == len(input) == len(target):
            raise RuntimeError(f"{self.name}: call forward with these {len(input)} steps before backward")
        grads = [step.backward(x, y) for step, x, y in zip(self.steps, input, target)]
        if self.size_average:
            grads = [grad / len(grads) for grad in grads]
        listed = isinstance(input, list | tuple)
        self.grad_input = grads if listed else backend.get_array_module(input).stack(grads)
        return self.grad_input


def number(x):
    """Return a loss as Criterion promises it: a Python float on the CPU, a 0-d array on the GPU."""
    return float(x) if isinstance(x, float) else x
