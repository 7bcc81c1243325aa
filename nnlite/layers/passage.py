"""Layers that hand their input on as it is and differ in what they do with the gradient, if in anything."""

from typing import Any

import numpy as np

from ..module import Module
from ..typing import Number


class Identity(Module):
    """Return the input, an array or a table, unchanged.

    Forward: y = x.
    Backward: grad_input = g.
    Source: nn.Identity.
    """

    def update_output(self, input):
        self.output = input
        return self.output

    def update_grad_input(self, input, grad_output):
        self.grad_input = grad_output
        return self.grad_input


class GradientReversal(Module):
    """The identity, whose gradient is turned round: what comes before learns to raise the loss.

    Shapes: input of any shape, output the same.
    Forward: y = x.
    Backward: grad_input = -λ g, which is no derivative of y.
    Errors: TypeError when the input is no array of the module's dtype and device.
    Source: nn.GradientReversal; Ganin and Lempitsky 2014, arXiv:1409.7495, eq. 9-10.

        >>> net = nn.GradientReversal(0.5)
        >>> net.forward(np.float32([1, 2])).tolist()
        [1.0, 2.0]
        >>> net.backward(np.float32([1, 2]), np.float32([1, 1])).tolist()
        [-0.5, -0.5]
    """

    def __init__(self, lambda_: Number = 1.0) -> None:
        super().__init__()
        self.lambda_ = float(lambda_)

    def update_output(self, input):
        self.check_array(input)
        self.output = input
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output * -self.lambda_
        return self.grad_input

    def set_lambda(self, lambda_: Number) -> "GradientReversal":
        """Set λ, and return self."""
        self.lambda_ = float(lambda_)
        return self


class ZeroGrad(Module):
    """The identity, through which no gradient flows.

    Shapes: input of any shape, output the same.
    Forward: y = x.
    Backward: grad_input = 0, which is no derivative of y.
    Errors: TypeError when the input is no array of the module's dtype and device.
    Source: nn.ZeroGrad (rnn).
    """

    def update_output(self, input):
        self.check_array(input)
        self.output = input
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.xp.zeros_like(grad_output)
        return self.grad_input


class L1Penalty(Module):
    """The identity that adds, on the way back, the gradient of a penalty on the magnitude of its input.

    Shapes: input of any shape, output the same.
    Forward: y = x; `loss` = m Σ |x|, with m = l1weight, divided by the number of elements when
    `size_average`.
    Backward: grad_input = g + m sign(x), sign(0) = 0; without `provide_output` g is left out.
    Errors: TypeError when the input is no array of the module's dtype and device.
    Source: nn.L1Penalty.
    """

    penalises = True
    state_names = (*Module.state_names, "loss")

    def __init__(self, l1weight: Number, size_average: bool = False, provide_output: bool = True) -> None:
        super().__init__()
        self.l1weight, self.size_average, self.provide_output = l1weight, size_average, provide_output
        self.loss = None

    def update_output(self, input):
        self.check_array(input)
        self.loss = self._scale(input) * abs(input).sum(dtype=np.float64)
        self.output = input
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.xp.sign(input) * self._scale(input)
        if self.provide_output:
            self.grad_input += grad_output
        return self.grad_input

    @property
    def value(self) -> Any:
        """The penalty of the last forward pass, 0 before the first."""
        return 0.0 if self.loss is None else self.loss

    def _scale(self, input):
        return self.l1weight / max(input.size, 1) if self.size_average else self.l1weight


class Copy(Module):
    """A copy of the input.

    Torch7's copies between the types `intype` and `outtype`; here a net has one type, and both are
    accepted and not needed.

    Shapes: input of any shape, output the same.
    Forward: y = x.
    Backward: grad_input = g.
    Errors: TypeError when the input is no array of the module's dtype and device.
    Source: nn.Copy.
    """

    def __init__(self, intype: Any = None, outtype: Any = None) -> None:
        super().__init__()

    def update_output(self, input):
        self.check_array(input)
        self.output = input.copy()
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output.copy()
        return self.grad_input


class Contiguous(Module):
    """The input in row-major order without gaps: itself when it is, else a copy.

    Shapes: input of any shape, output the same.
    Forward: y = x.
    Backward: grad_input = g.
    Errors: TypeError when the input is no array of the module's dtype and device.
    Source: nn.Contiguous.
    """

    def update_output(self, input):
        self.check_array(input)
        self.output = self.xp.ascontiguousarray(input)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.xp.ascontiguousarray(grad_output)
        return self.grad_input
