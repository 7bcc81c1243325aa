"""Smooth functions of one element, and two that look further: `SoftMin` and `GatedLinearUnit`."""

from ..module import Module
from ..typing import Number
from .activation import SoftMax, sigmoid
from .axes import halves


class Exp(Module):
    """Exponential function of every element.

    Shapes: input of any shape, output the same.
    Forward: y = eˣ.
    Backward: grad_input = g y.
    Errors: TypeError when the input is no array of the module's dtype and device.
    Source: nn.Exp.
    """

    def update_output(self, input):
        self.check_array(input)
        self.output = self.xp.exp(input)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output * self.output
        return self.grad_input


class Log(Module):
    """Natural logarithm of every element.

    Shapes: input of any shape, output the same.
    Forward: y = log x, -∞ where x = 0 and NaN where x < 0.
    Backward: grad_input = g / x.
    Errors: TypeError when the input is no array of the module's dtype and device.
    Source: nn.Log.
    """

    def update_output(self, input):
        self.check_array(input)
        self.output = self.xp.log(input)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output / input
        return self.grad_input


class Power(Module):
    """A constant power of every element.

    Shapes: input of any shape, output the same.
    Forward: y = xᵖ, NaN where x < 0 and p is not whole.
    Backward: grad_input = p g xᵖ⁻¹.
    Errors: TypeError when the input is no array of the module's dtype and device.
    Source: nn.Power.

        >>> nn.Power(3).forward(np.float32([1, 2, 3])).tolist()
        [1.0, 8.0, 27.0]
    """

    def __init__(self, p: Number) -> None:
        super().__init__()
        self.pow = float(p)

    def update_output(self, input):
        self.check_array(input)
        self.output = input**self.pow
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = input ** (self.pow - 1) * grad_output * self.pow
        return self.grad_input


class SoftPlus(Module):
    """A smooth form of the positive part.

    Shapes: input of any shape, output the same.
    Forward: y = log(1 + e^(βx)) / β, and x itself where βx > 20.
    Backward: grad_input = g (1 - e^(-βy)) = g σ(βx), and g where βy > 20.
    Errors: ValueError when β is 0; TypeError when the input is no array of the module's dtype and device.
    Source: nn.SoftPlus.
    """

    threshold = 20.0

    def __init__(self, beta: Number = 1.0) -> None:
        super().__init__()
        if beta == 0:
            raise ValueError(f"{self.name}: beta must not be 0")
        self.beta = float(beta)

    def update_output(self, input):
        self.check_array(input)
        xp, z = self.xp, input * self.beta
        soft = xp.log1p(xp.exp(xp.minimum(z, self.threshold))) / self.beta
        self.output = xp.where(z > self.threshold, input, soft)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        xp, z = self.xp, self.output * self.beta
        self.grad_input = xp.where(z > self.threshold, grad_output, -grad_output * xp.expm1(-z))
        return self.grad_input


class SoftSign(Module):
    """x / (1 + |x|) of every element, a sigmoid with long tails.

    Shapes: input of any shape, output the same.
    Forward: y = x / (1 + |x|).
    Backward: grad_input = g / (1 + |x|)².
    Errors: TypeError when the input is no array of the module's dtype and device.
    Source: nn.SoftSign.
    """

    def update_output(self, input):
        self.check_array(input)
        self.output = input / (1 + abs(input))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        size = 1 + abs(input)
        self.grad_input = grad_output / (size * size)
        return self.grad_input


class SoftMin(SoftMax):
    """Probabilities from costs: the `SoftMax` of -x.

    Shapes: input (K,), (N, K), (K, H, W) or (N, K, H, W), output the same.
    Forward: y_k = e^(-x_k) / Σ_j e^(-x_j).
    Backward: grad_input_k = -y_k (g_k - Σ_j g_j y_j).
    Errors: ValueError when the input has more than 4 dimensions or none.
    Source: nn.SoftMin.
    """

    def update_output(self, input):
        self.check_array(input)
        return super().update_output(-input)

    def update_grad_input(self, input, grad_output):
        self.grad_input = -super().update_grad_input(input, grad_output)
        return self.grad_input


class GatedLinearUnit(Module):
    """The first half of a dimension, each element gated by the logistic function of one of the second half.

    Shapes: input (..., 2K, ...), output (..., K, ...); `dim` (0-based; negative from the end) is that
    dimension, by default the last.
    Forward: y = a σ(b), x = [a, b].
    Backward: grad_input = [g σ(b), g a σ(b) (1 - σ(b))].
    Errors: ValueError when the size of the dimension is odd or there is no such dimension.
    Source: nn.GatedLinearUnit; Dauphin et al. 2016, arXiv:1612.08083.
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def update_output(self, input):
        a, gate = self._halves(input)
        self.output = a * gate
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        a, gate = self._halves(input)
        halves = [grad_output * gate, grad_output * a * gate * (1 - gate)]
        self.grad_input = self.xp.concatenate(halves, axis=self.dim)
        return self.grad_input

    def _halves(self, input):
        """Return a and σ(b)."""
        self.check_array(input)
        if not -input.ndim <= self.dim < input.ndim or input.shape[self.dim] % 2:
            raise ValueError(
                f"{self.name}: input must have an even size in dimension {self.dim}, got shape {input.shape}"
            )
        a, b = halves(input, self.dim)
        return a, sigmoid(b)
