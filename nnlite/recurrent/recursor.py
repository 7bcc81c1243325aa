"""Any module as a recurrent one."""

from ..module import Module
from .abstract_recurrent import AbstractRecurrent


class Recursor(AbstractRecurrent):
    """Run a module step by step, so that backward can go through its steps.

    The module may contain recurrent modules anywhere inside, as in Recursor(Sequential(Linear, LSTM)): these
    hold the memory, the Recursor keeps the arrays that the other modules computed at every step.

    Shapes: input and output of one step those of the module.
    Forward: yₜ = f(xₜ), f with the state of the recurrent modules inside.
    Backward: grad_inputₜ = (∂f/∂xₜ)ᵀ gₜ, the last step first; parameter gradients sum over the steps.
    Errors: those of the module and of `AbstractRecurrent`.
    Source: nn.Recursor (rnn).

        >>> net = nn.Recursor(nn.Square())
        >>> [net.forward(np.float32([k])).tolist() for k in (1, 2, 3)]
        [[1.0], [4.0], [9.0]]
        >>> net.backward(np.float32([3]), np.float32([1])).tolist()  # the last step first
        [6.0]
        >>> net.backward(np.float32([2]), np.float32([1])).tolist()
        [4.0]
    """

    part_names = ("module",)

    def __init__(self, module: Module, rho: int = 9999999) -> None:
        super().__init__(rho)
        self.module = self.recurrent_module = module

    def update_output(self, input):
        step = self.begin_step()
        return self.end_step(step, self.step_module(step).update_output(input))

    def backward_step(self, step, input, grad_output):
        # The recurrent modules inside are one for all steps; containers must find them as they were then.
        for inner in self._recurrent_inside():
            inner.show_step(inner.update_grad_input_step - 1)
        return self.step_module(step).update_grad_input(input, grad_output)

    def accumulate_step(self, step, input, grad_output, scale):
        for inner in self._recurrent_inside():
            inner.show_step(inner.acc_grad_parameters_step - 1)
        self.step_module(step).acc_grad_parameters(input, grad_output, scale)

    def __repr__(self):
        return f"{self.name} @ {self.module!r}"
