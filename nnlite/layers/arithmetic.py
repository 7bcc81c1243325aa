"""Sums and products with parameters or constants."""

import math

from ..module import Module
from ..typing import Number


class Mul(Module):
    """Product with one trainable number.

    Shapes: input of any shape, output the same; weight (1,).
    Forward: y = w x.
    Backward: grad_input = w g; grad_weight += scale · Σ g x.
    Errors: TypeError unless the input is an array of the module's dtype and device.
    Source: nn.Mul.
    """

    def __init__(self) -> None:
        super().__init__()
        self.add_parameter("weight", (1,))
        self.reset()

    def reset(self, stdv=None):
        """Draw the weight from U(-1, 1), or U(-√3 · stdv, √3 · stdv) when `stdv` is given."""
        self.reset_uniform(1.0 if stdv is None else stdv * math.sqrt(3.0))

    def update_output(self, input):
        self.check_array(input)
        self.output = input * self.weight[0]
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output * self.weight[0]
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        self.grad_weight += scale * self.xp.sum(grad_output * input)


class CMul(Module):
    """Product of every component with its own trainable number.

    Shapes: `sizes` is the shape of the weight; input of that shape, or a batch of it, or of as many
    dimensions, a weight of size 1 then counting for the whole dimension: CMul(1, C, 1, 1) scales the channels
    of (N, C, H, W). Output as the input.
    Forward: y_i = w_i x_i.
    Backward: grad_input_i = w_i g_i; grad_weight_i += scale · g_i x_i, summed over all that w_i was used for.
    Errors: ValueError when the shapes do not fit.
    Source: nn.CMul.

        >>> net = nn.CMul(3)
        >>> net.weight[...] = [1, 2, 3]
        >>> net.forward(np.float32([[10, 10, 10]])).tolist()
        [[10.0, 20.0, 30.0]]
    """

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.add_parameter("weight", sizes)
        self.reset()

    def reset(self, stdv=None):
        """Draw the weight from U(-r, r), r = 1/√(its size), or √3 · stdv when `stdv` is given."""
        self.reset_uniform(1.0 / math.sqrt(self.weight.size) if stdv is None else stdv * math.sqrt(3.0))

    def update_output(self, input):
        self.check_array(input)
        self.output = input * aligned(self, self.weight, input)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output * aligned(self, self.weight, input)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        self.grad_weight += scale * summed_uses(self, self.weight, grad_output * input)


class CAdd(Module):
    """Sum of every component with its own trainable number.

    Shapes: `sizes` is the shape of the bias; input of that shape, or a batch of it, or of as many
    dimensions, a bias of size 1 then counting for the whole dimension: CAdd(1, C, 1, 1) adds to the
    channels of (N, C, H, W). Output as the input.
    Forward: y_i = x_i + b_i.
    Backward: grad_input_i = g_i; grad_bias_i += scale · g_i, summed over all that b_i was used for.
    Errors: ValueError when the shapes do not fit.
    Source: nn.CAdd.
    """

    parameter_names = ("bias",)

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.add_parameter("bias", sizes)
        self.reset()

    def reset(self, stdv=None):
        """Draw the bias from U(-r, r), r = 1/√(its size), or √3 · stdv when `stdv` is given."""
        self.reset_uniform(1.0 / math.sqrt(self.bias.size) if stdv is None else stdv * math.sqrt(3.0))

    def update_output(self, input):
        self.check_array(input)
        self.output = input + aligned(self, self.bias, input)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        self.grad_bias += scale * summed_uses(self, self.bias, grad_output)


class Add(Module):
    """Sum with a trainable vector, or with one trainable number.

    Shapes: bias (n,), input (n,) or a batch whose entries have n components each, in any shape. With
    `scalar` bias (1,) and input of any shape. Output as the input.
    Forward: y = x + b.
    Backward: grad_input = g; grad_bias += scale · g, summed over the batch (over everything with `scalar`).
    Errors: ValueError unless the entries of the input have n components.
    Source: nn.Add.
    """

    parameter_names = ("bias",)

    def __init__(self, n: int, scalar: bool = False) -> None:
        super().__init__()
        self.scalar = scalar
        self.add_parameter("bias", (1 if scalar else n,))
        self.reset()

    def reset(self, stdv=None):
        """Draw the bias from U(-r, r), r = 1/√(its size), or √3 · stdv when `stdv` is given."""
        self.reset_uniform(1.0 / math.sqrt(self.bias.size) if stdv is None else stdv * math.sqrt(3.0))

    def update_output(self, input):
        self.check_array(input)
        if self.scalar:
            self.output = input + self.bias[0]
        else:
            self.output = input + self.bias.reshape(self._entry_shape(input))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        self.grad_bias += scale * grad_output.reshape(-1, self.bias.size).sum(axis=0)

    def _entry_shape(self, input):
        """Return the shape of one entry of the batch `input`, or of `input` itself when it is not a batch."""
        entry = input.shape if input.shape == self.bias.shape else input.shape[1:]
        if math.prod(entry) != self.bias.size:
            raise ValueError(
                f"{self.name}: input must have shape {self.bias.shape} or be a batch of entries with "
                f"{self.bias.size} components each, got {input.shape}"
            )
        return entry


class AddConstant(Module):
    """Sum with a constant.

    Shapes: input of any shape, output the same.
    Forward: y = x + c.
    Backward: grad_input = g.
    Errors: TypeError unless the input is an array of the module's dtype and device.
    Source: nn.AddConstant.
    """

    def __init__(self, constant: Number) -> None:
        super().__init__()
        self.constant = float(constant)

    def update_output(self, input):
        self.check_array(input)
        self.output = input + self.constant
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output
        return self.grad_input


class MulConstant(Module):
    """Product with a constant.

    Shapes: input of any shape, output the same.
    Forward: y = c x.
    Backward: grad_input = c g.
    Errors: TypeError unless the input is an array of the module's dtype and device.
    Source: nn.MulConstant.
    """

    def __init__(self, constant: Number) -> None:
        super().__init__()
        self.constant = float(constant)

    def update_output(self, input):
        self.check_array(input)
        self.output = input * self.constant
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output * self.constant
        return self.grad_input


def aligned(module, parameter, input):
    """Return a parameter of `CMul` or `CAdd` in a shape that broadcasts to `input`."""
    if input.size == parameter.size:
        return parameter.reshape(input.shape)
    if input.ndim == parameter.ndim:
        if all(w in (1, x) for w, x in zip(parameter.shape, input.shape)):
            return parameter
    elif math.prod(input.shape[1:]) == parameter.size:
        return parameter.reshape(1, *input.shape[1:])
    raise ValueError(
        f"{module.name}: input must have shape {parameter.shape}, be a batch of that or have a size "
        f"wherever the {module.parameter_names[0]} has size 1, got {input.shape}"
    )


def summed_uses(module, parameter, grads):
    """Return the sum of the gradients of all uses of every number of the parameter, in its shape."""
    shape = aligned(module, parameter, grads).shape
    shared = tuple(axis for axis, size in enumerate(shape) if size == 1)
    return grads.sum(shared).reshape(parameter.shape)
