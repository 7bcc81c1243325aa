"""Rectifiers beyond `ReLU`: the identity above a threshold, something flat or nearly flat below.

`inplace` is there for Torch7's sake and changes nothing: no module writes to its input here.
"""

from .. import backend
from ..module import Module
from ..random import default_generator
from ..typing import Number
from .activation import HardTanh
from .axes import halves


class Threshold(Module):
    """Every element that is above a threshold, and one constant in place of the others.

    Shapes: input of any shape, output the same.
    Forward: y = x where x > th, else v (also where x is NaN).
    Backward: grad_input = g where x > th, else 0.
    Errors: ValueError for v > th with `inplace`, which Torch7 refuses; TypeError when the input is no
    array of the module's dtype and device.
    Source: nn.Threshold.
    """

    def __init__(self, th: Number = 1e-6, v: Number = 0.0, inplace: bool = False) -> None:
        super().__init__()
        if inplace and v > th:
            raise ValueError(f"{self.name}: with inplace v must be at most th, got v = {v} and th = {th}")
        self.threshold, self.val = float(th), float(v)

    def update_output(self, input):
        self.check_array(input)
        self.output = self.xp.where(input > self.threshold, input, self.dtype.type(self.val))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.xp.where(input > self.threshold, grad_output, self.dtype.type(0))
        return self.grad_input


class ReLU6(HardTanh):
    """Every element cut to [0, 6]: `HardTanh` with these bounds. Source: nn.ReLU6."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0)


class LeakyReLU(Module):
    """Positive elements as they are, the others times a small constant.

    Shapes: input of any shape, output the same.
    Forward: y = x where x > 0, else a x, with a = negval.
    Backward: grad_input = g where x > 0, else a g (also at exactly 0).
    Errors: TypeError when the input is no array of the module's dtype and device.
    Source: nn.LeakyReLU, whose only argument may also be `inplace`.

        >>> nn.LeakyReLU(0.5).forward(np.float32([-2, 2])).tolist()
        [-1.0, 2.0]
    """

    def __init__(self, negval: Number = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negval = 0.01 if isinstance(negval, bool) else float(negval)

    def update_output(self, input):
        self.check_array(input)
        self.output = self.xp.where(input > 0, input, input * self.negval)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.xp.where(input > 0, grad_output, grad_output * self.negval)
        return self.grad_input

    def describe(self):
        return f"({self.negval:g})"


class PReLU(Module):
    """`LeakyReLU` whose slope below zero is learnt: one for all elements, or one a channel.

    Shapes: input of any shape, output the same; weight (1,). With n_output_plane channels input (C,), or
    (N, C, ...) of any number of dimensions, and weight (C,). Initial weights are 0.25.
    Forward: y = x where x > 0, else w x.
    Backward: grad_input = g where x > 0, else w g; grad_weight += scale · Σ g x over the elements <= 0
    that w was used for.
    Errors: ValueError when the input has another number of channels. A single image needs a batch dimension.
    Source: nn.PReLU.
    """

    parameter_names = ("weight",)

    def __init__(self, n_output_plane: int = 0) -> None:
        super().__init__()
        if n_output_plane != 0:
            self.check_counts(n_output_plane=n_output_plane)
        self.n_output_plane = n_output_plane
        self.add_parameter("weight", (n_output_plane or 1,))
        self.weight.fill(0.25)

    def update_output(self, input):
        self.check_array(input)
        self.output = self.xp.where(input > 0, input, input * self._aligned_weight(input))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.xp.where(input > 0, grad_output, grad_output * self._aligned_weight(input))
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        products = self.xp.where(input <= 0, grad_output * input, self.dtype.type(0))
        if self.n_output_plane and input.ndim > 1:
            products = products.swapaxes(0, 1).reshape(self.n_output_plane, -1).sum(axis=1)
        elif not self.n_output_plane:
            products = products.sum()
        self.grad_weight += scale * products

    def _aligned_weight(self, input):
        """Return the weight in a shape that broadcasts to `input`."""
        if not self.n_output_plane:
            return self.weight
        if input.ndim < 1 or input.shape[input.ndim > 1] != self.n_output_plane:
            raise ValueError(
                f"{self.name}: input must have shape ({self.n_output_plane},) or "
                f"(N, {self.n_output_plane}, ...), got {input.shape}; give a single image a batch dimension"
            )
        return self.weight.reshape(-1, *(1,) * (input.ndim - 2)) if input.ndim > 1 else self.weight


class RReLU(Module):
    """`LeakyReLU` whose slope below zero is drawn anew for every element in training mode.

    Shapes: input of any shape, output the same.
    Forward: y = x where x > 0, else a x, with a from U(lower, upper), drawn from Torch7's generator for each
    element <= 0 in row-major order; when evaluating a = (lower + upper) / 2.
    Backward: grad_input = g where x > 0, else a g, with the a of the last forward pass.
    Errors: ValueError unless 0 <= lower <= upper; RuntimeError for backward without forward.
    Source: nn.RReLU.
    """

    state_names = (*Module.state_names, "noise")

    def __init__(self, lower: Number = 1 / 8, upper: Number = 1 / 3, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= lower <= upper:
            raise ValueError(f"{self.name}: needs 0 <= lower <= upper, got {lower} and {upper}")
        self.lower, self.upper = float(lower), float(upper)
        self.noise = None

    def update_output(self, input):
        self.check_array(input)
        below = input <= 0
        self.noise = self.xp.ones(input.shape, self.dtype)
        if self.train:
            drawn = default_generator.uniform(self.lower, self.upper, int(below.sum()))
            self.noise[below] = backend.asarray(drawn, self.dtype, self.device)
        else:
            self.noise[below] = (self.lower + self.upper) / 2
        self.output = input * self.noise
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output * self.noise
        return self.grad_input

    def describe(self):
        return f" (l:{self.lower:f}, u:{self.upper:f})"


class ELU(Module):
    """Positive elements as they are, the others on an exponential that levels off at -alpha.

    Shapes: input of any shape, output the same.
    Forward: y = x where x > 0, else α (eˣ - 1).
    Backward: grad_input = g where x > 0, else g (y + α) = g α eˣ.
    Errors: TypeError when the input is no array of the module's dtype and device.
    Source: nn.ELU; Clevert et al. 2015, arXiv:1511.07289, eq. 16.
    """

    def __init__(self, alpha: Number = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = float(alpha)

    def update_output(self, input):
        self.check_array(input)
        xp = self.xp
        self.output = xp.where(input > 0, input, self.alpha * xp.expm1(xp.minimum(input, 0)))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        slope = self.xp.where(input > 0, self.dtype.type(1), self.output + self.alpha)
        self.grad_input = grad_output * slope
        return self.grad_input

    def describe(self):
        return f" (alpha:{self.alpha:f})"


class CReLU(Module):
    """The positive parts of x and of -x, one after the other along the channels.

    Shapes: input of n_input_dims dimensions, (C, ...), or of one more, (N, C, ...); output with 2C channels.
    Forward: y = [max(x, 0), max(-x, 0)].
    Backward: with g = [g₁, g₂]: grad_input = g₁ where x > 0, -g₂ where x < 0, and 0 where x = 0.
    Errors: ValueError for another number of dimensions.
    Source: nn.CReLU; Shang et al. 2016, arXiv:1603.05201.
    """

    def __init__(self, n_input_dims: int, inplace: bool = False) -> None:
        super().__init__()
        self.check_counts(n_input_dims=n_input_dims)
        self.n_input_dims = n_input_dims

    def update_output(self, input):
        self.check_array(input, ndim=(self.n_input_dims, self.n_input_dims + 1))
        xp = self.xp
        self.output = xp.concatenate([xp.fmax(input, 0), xp.fmax(-input, 0)], axis=self._channels(input))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        positive, negative = halves(grad_output, self._channels(input))
        below = self.xp.where(input < 0, -negative, self.dtype.type(0))
        self.grad_input = self.xp.where(input > 0, positive, below)
        return self.grad_input

    def _channels(self, input):
        return input.ndim - self.n_input_dims
