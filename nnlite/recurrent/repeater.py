"""A module that is given the same input again and again."""

import operator
from functools import reduce
from typing import Any

from .. import table
from ..decorators import Decorator
from ..module import Module
from .abstract_recurrent import AbstractRecurrent
from .recursor import Recursor


class Repeater(Decorator):
    """Give a module the same input for `rho` steps; a module that is not recurrent is put in a `Recursor`.

    Shapes: input that of the module, output a list of rho outputs.
    Forward: yₜ = f(x, state after step t - 1) for t = 1..rho, from the beginning each time.
    Backward: grad_input = Σₜ (∂yₜ/∂x)ᵀ gₜ, the last step first; parameter gradients sum over the steps.
    Errors: ValueError when rho is no integer of at least 1 or grad_output has not rho entries; those of
    the module.
    Source: nn.Repeater (rnn).

        >>> [y.tolist() for y in nn.Repeater(nn.Square(), 2).forward(np.float32([3]))]
        [[9.0], [9.0]]
    """

    module: AbstractRecurrent

    def __init__(self, module: Module, rho: int) -> None:
        super().__init__(module if isinstance(module, AbstractRecurrent) else Recursor(module))
        self.max_bptt_step(rho)

    def update_output(self, input):
        self.module.forget()
        outputs = [self.module.update_output(input) for _ in range(self.rho)]
        self.output = outputs
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_table(grad_output, "grad_output", size=self.rho)
        grads = [self.module.update_grad_input(input, g) for g in grad_output[::-1]]
        self.grad_input = reduce(lambda a, b: table.map(operator.add, a, b), grads)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        for g in grad_output[::-1]:
            self.module.acc_grad_parameters(input, g, scale)

    def forget(self) -> Any:
        """Forget the steps of the last call; return self."""
        self.module.forget()
        return self

    def max_bptt_step(self, rho: int) -> Any:
        """Set the number of steps; return self."""
        self.check_counts(rho=rho)
        self.rho = rho
        self.module.max_bptt_step(rho)
        return self
