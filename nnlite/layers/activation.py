"""Activations: functions of one element, and the soft maxima over classes."""

import numpy as np

from ..backend import get_array_module
from ..module import Module
from ..ops import get_ops
from ..typing import Number


class Tanh(Module):
    """Hyperbolic tangent of every element.

    Shapes: input of any shape, output the same.
    Forward: y = tanh x.
    Backward: grad_input = g (1 - y²).
    Errors: TypeError unless the input is an array of the module's dtype and device.
    Source: nn.Tanh.
    """

    def update_output(self, input):
        self.check_array(input)
        tanh = self.xp.tanh
        self.output = get_ops(input).map_elements(lambda x, y: tanh(x, out=y), input)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        xp = self.xp

        def slope(g, y, out):
            xp.multiply(y, y, out=out)
            xp.subtract(1, out, out=out)
            out *= g

        self.grad_input = get_ops(grad_output).map_elements(slope, grad_output, self.output)
        return self.grad_input


class Sigmoid(Module):
    """Logistic function of every element.

    Shapes: input of any shape, output the same.
    Forward: y = σ(x) = 1 / (1 + e⁻ˣ).
    Backward: grad_input = g y (1 - y).
    Errors: TypeError unless the input is an array of the module's dtype and device.
    Source: nn.Sigmoid.
    """

    def update_output(self, input):
        self.check_array(input)
        self.output = sigmoid(input)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        xp = self.xp

        def slope(g, y, out):
            xp.multiply(g, y, out=out)
            out *= 1 - y

        self.grad_input = get_ops(grad_output).map_elements(slope, grad_output, self.output)
        return self.grad_input


class LogSigmoid(Module):
    """Logarithm of the logistic function of every element.

    Shapes: input of any shape, output the same.
    Forward: y = log σ(x) = min(x, 0) - log(1 + e^(-|x|)), finite for every finite x.
    Backward: grad_input = g (1 - σ(x)) = g σ(-x).
    Errors: TypeError unless the input is an array of the module's dtype and device.
    Source: nn.LogSigmoid.
    """

    def update_output(self, input):
        self.check_array(input)
        xp = self.xp
        self.output = xp.minimum(input, 0) - xp.log1p(xp.exp(-xp.abs(input)))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output * sigmoid(-input)
        return self.grad_input


class ReLU(Module):
    """Positive part of every element.

    `inplace` is accepted as in Torch7 and has no effect: no module here writes to its input.

    Shapes: input of any shape, output the same.
    Forward: y = max(x, 0), and 0 where x is NaN.
    Backward: grad_input = g where x > 0, else 0 (also at exactly 0).
    Errors: TypeError unless the input is an array of the module's dtype and device.
    Source: nn.ReLU.

        >>> net = nn.ReLU()
        >>> net.forward(np.float32([-1, 0, 2])).tolist()
        [0.0, 0.0, 2.0]
        >>> net.backward(np.float32([-1, 0, 2]), np.float32([10, 10, 10])).tolist()
        [0.0, 0.0, 10.0]
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def update_output(self, input):
        self.check_array(input)
        self.output = get_ops(input).positive_part(input)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = get_ops(input).where_positive(input, grad_output)
        return self.grad_input


class HardTanh(Module):
    """Every element cut to [min_val, max_val].

    Shapes: input of any shape, output the same.
    Forward: y = max(min(x, max_val), min_val), and max_val where x is NaN.
    Backward: grad_input = 0 where x <= min_val or x >= max_val (also at exactly the bounds), else g.
    Errors: ValueError when min_val is not below max_val; TypeError when the input is no array of the
    module's dtype and device.
    Source: nn.HardTanh.
    """

    def __init__(self, min_val: Number = -1.0, max_val: Number = 1.0) -> None:
        super().__init__()
        if not min_val < max_val:
            raise ValueError(f"{self.name}: min_val must be below max_val, got {min_val} and {max_val}")
        self.min_val, self.max_val = float(min_val), float(max_val)

    def update_output(self, input):
        self.check_array(input)
        self.output = self.xp.fmax(self.xp.fmin(input, self.max_val), self.min_val)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        outside = (input <= self.min_val) | (input >= self.max_val)
        self.grad_input = self.xp.where(outside, self.dtype.type(0), grad_output)
        return self.grad_input


class Clamp(HardTanh):
    """`HardTanh` whose bounds have no default. Source: nn.Clamp."""

    def __init__(self, min_val: Number, max_val: Number) -> None:
        super().__init__(min_val, max_val)


class Abs(Module):
    """Magnitude of every element.

    Shapes: input of any shape, output the same.
    Forward: y = |x|.
    Backward: grad_input = g where x >= 0, else -g.
    Errors: TypeError unless the input is an array of the module's dtype and device.
    Source: nn.Abs.
    """

    def update_output(self, input):
        self.check_array(input)
        self.output = self.xp.abs(input)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.xp.where(input >= 0, grad_output, -grad_output)
        return self.grad_input


class Square(Module):
    """Square of every element.

    Shapes: input of any shape, output the same.
    Forward: y = x².
    Backward: grad_input = 2 g x.
    Errors: TypeError unless the input is an array of the module's dtype and device.
    Source: nn.Square.
    """

    def update_output(self, input):
        self.check_array(input)
        self.output = input * input
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = 2 * grad_output * input
        return self.grad_input


class Sqrt(Module):
    """Square root of every element.

    `b` and `ip` are accepted as in Torch7 and have no effect: its C code does not look at b either (its CUDA
    code adds it to x), and no module here writes to its input.

    Shapes: input of any shape, output the same.
    Forward: y = √x, NaN where x < 0.
    Backward: grad_input = g / 2y, and 0 where y = 0.
    Errors: TypeError unless the input is an array of the module's dtype and device.
    Source: nn.Sqrt.
    """

    def __init__(self, b: Number = 0, ip: bool = False) -> None:
        super().__init__()

    def update_output(self, input):
        self.check_array(input)
        self.output = self.xp.sqrt(input)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        zero = self.output == 0
        slope = 0.5 * grad_output / (self.output + zero)
        self.grad_input = self.xp.where(zero, self.dtype.type(0), slope)
        return self.grad_input


class SoftMax(Module):
    """Probabilities from scores, over the classes of a vector or at every pixel.

    Shapes: input (K,), (N, K), (K, H, W) or (N, K, H, W), output the same.
    Forward: y_k = e^(x_k) / Σ_j e^(x_j).
    Backward: grad_input_k = y_k (g_k - Σ_j g_j y_j).
    Errors: ValueError when the input has more than 4 dimensions or none, or no class.
    Source: nn.SoftMax.

        >>> nn.SoftMax().forward(np.float32([[0, 0], [np.log(3), 0]])).round(4).tolist()
        [[0.5, 0.5], [0.75, 0.25]]
    """

    allowed_ndim: tuple[int, ...] = (1, 2, 3, 4)

    def update_output(self, input):
        self.check_array(input, ndim=self.allowed_ndim)
        axis = class_axis(self, input)
        shifted = self.xp.exp(input - input.max(axis, keepdims=True))
        self.output = shifted / shifted.sum(axis, keepdims=True)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        mean = (grad_output * self.output).sum(class_axis(self, input), keepdims=True)
        self.grad_input = self.output * (grad_output - mean)
        return self.grad_input


class SpatialSoftMax(SoftMax):
    """`SoftMax` at every pixel: (K, H, W) or (N, K, H, W) only. Source: nn.SpatialSoftMax."""

    allowed_ndim = (3, 4)


class LogSoftMax(Module):
    """Log-probabilities from scores, over the classes of a vector or at every pixel.

    Shapes: input (K,), (N, K), (K, H, W) or (N, K, H, W), output the same.
    Forward: y_k = x_k - log Σ_j e^(x_j).
    Backward: grad_input_k = g_k - e^(y_k) Σ_j g_j.
    Errors: ValueError when the input has another number of dimensions, or no class.
    Source: nn.LogSoftMax.
    """

    allowed_ndim: tuple[int, ...] = (1, 2, 3, 4)

    def update_output(self, input):
        self.check_array(input, ndim=self.allowed_ndim)
        axis = class_axis(self, input)
        # Without its maximum no score overflows, and the largest term of the sum is 1.
        shifted = input - input.max(axis, keepdims=True)
        self.output = shifted - self.xp.log(self.xp.exp(shifted).sum(axis, keepdims=True))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        total = grad_output.sum(class_axis(self, input), keepdims=True)
        self.grad_input = grad_output - self.xp.exp(self.output) * total
        return self.grad_input


class SpatialLogSoftMax(LogSoftMax):
    """`LogSoftMax` at every pixel: (K, H, W) or (N, K, H, W) only. Source: nn.SpatialLogSoftMax."""

    allowed_ndim = (3, 4)


def sigmoid(x):
    """Return σ(x) = 1 / (1 + e⁻ˣ) of every element.

    (1 + tanh(x/2)) / 2 is a little faster in float32, but has no right digit below x = -17 (-37 in float64).
    """
    with np.errstate(over="ignore"):  # e⁻ˣ = ∞ gives the right 0
        return 1 / (1 + get_array_module(x).exp(-x))


def class_axis(module, x):
    """Return the axis of the classes: the last of a vector or a batch of vectors, the channel of images."""
    axis = -1 if x.ndim < 3 else -3
    if not x.shape[axis]:
        raise ValueError(f"{module.name}: input must have at least one class, got shape {x.shape}")
    return axis
