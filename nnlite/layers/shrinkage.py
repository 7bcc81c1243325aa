"""Shrinkage: functions of one element that pull it towards zero."""

from ..module import Module
from ..typing import Number


class HardShrink(Module):
    """Zero for every element within λ of zero, the others as they are.

    Shapes: input of any shape, output the same.
    Forward: y = x where x > λ or x < -λ, else 0.
    Backward: grad_input = g where x > λ or x < -λ, else 0 (also at exactly ±λ).
    Errors: TypeError when the input is no array of the module's dtype and device.
    Source: nn.HardShrink.
    """

    def __init__(self, lambda_: Number = 0.5) -> None:
        super().__init__()
        self.lambda_ = float(lambda_)

    def update_output(self, input):
        self.check_array(input)
        self.output = self.xp.where(self._kept(input), input, self.dtype.type(0))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.xp.where(self._kept(input), grad_output, self.dtype.type(0))
        return self.grad_input

    def _kept(self, input):
        return (input > self.lambda_) | (input < -self.lambda_)


class SoftShrink(Module):
    """Every element moved towards zero by λ, or to zero when it is closer than that.

    Shapes: input of any shape, output the same.
    Forward: y = x - λ where x > λ, x + λ where x < -λ, else 0.
    Backward: grad_input = g where x > λ or x < -λ, else 0 (also at exactly ±λ).
    Errors: TypeError when the input is no array of the module's dtype and device.
    Source: nn.SoftShrink.

        >>> nn.SoftShrink(0.5).forward(np.float32([-2, 0.25, 2])).tolist()
        [-1.5, 0.0, 1.5]
    """

    def __init__(self, lambda_: Number = 0.5) -> None:
        super().__init__()
        self.lambda_ = float(lambda_)

    def update_output(self, input):
        self.check_array(input)
        below = self.xp.where(input < -self.lambda_, input + self.lambda_, self.dtype.type(0))
        self.output = self.xp.where(input > self.lambda_, input - self.lambda_, below)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        moved = (input > self.lambda_) | (input < -self.lambda_)
        self.grad_input = self.xp.where(moved, grad_output, self.dtype.type(0))
        return self.grad_input


class TanhShrink(Module):
    """What the hyperbolic tangent takes away from every element.

    Shapes: input of any shape, output the same.
    Forward: y = x - tanh x.
    Backward: grad_input = g tanh² x.
    Errors: TypeError when the input is no array of the module's dtype and device.
    Source: nn.TanhShrink.
    """

    def update_output(self, input):
        self.check_array(input)
        self.output = input - self.xp.tanh(input)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        tanh = self.xp.tanh(input)
        self.grad_input = grad_output * tanh * tanh
        return self.grad_input
