"""The simple recurrent network, assembled from modules of the user's choice."""

from typing import Any

from .. import table
from ..branches import ParallelTable
from ..containers import Sequential
from ..layers import Add, Sigmoid
from ..module import Module
from ..tables import CAddTable
from .abstract_recurrent import AbstractRecurrent, step_clone


class Recurrent(AbstractRecurrent):
    """Simple recurrent network: the output is an input of the next step.

    `start` is a module, or a number n for Add(n): a trainable vector in place of the feedback that the
    first step lacks.

    Shapes: input of one step that of `input`, output that of `transfer`; `input`, `feedback` and `start`
    give the same shape.
    Forward: h₁ = transfer(start(input(x₁))), hₜ = transfer(input(xₜ) + feedback(hₜ₋₁)); `merge` may replace
    the sum. The step counter decides: after `forget()` comes a first step.
    Backward: with dhₜ = gₜ + (∂hₜ₊₁/∂hₜ)ᵀ dhₜ₊₁ for t = T..1: grad_inputₜ = (∂hₜ/∂xₜ)ᵀ dhₜ; every parameter's
    gradient is the sum of its (∂hₜ/∂w)ᵀ dhₜ.
    Errors: ValueError for an input of another shape within a sequence, and for a grad_output unlike the
    output; see also `AbstractRecurrent`.
    Source: nn.Recurrent (rnn).

        >>> net = nn.Recurrent(2, nn.Linear(3, 2), nn.Linear(2, 2))
        >>> net.forward(np.ones((4, 3), np.float32)).shape
        (4, 2)
    """

    part_names = ("start_module", "input_module", "feedback_module", "transfer_module", "merge_module")
    per_step = ("outputs", "grad_inputs", "grad_outputs", "grad_from_later")

    def __init__(
        self, start: Any, input: Any, feedback: Any, transfer: Any = None, rho: int = 9999, merge: Any = None
    ) -> None:
        super().__init__(rho)
        self.start_module = start if isinstance(start, Module) else Add(start)
        self.input_module, self.feedback_module = input, feedback
        self.transfer_module = Sigmoid() if transfer is None else transfer
        self.merge_module = CAddTable() if merge is None else merge
        self.recurrent_module = Sequential(
            ParallelTable(input, feedback), self.merge_module, self.transfer_module
        )
        self._initial_module = self._input_shapes = None

    @property
    def state_names(self):
        return (*super().state_names, "_initial_module")

    def children(self):
        return [("start_module", self.start_module), ("recurrent_module", self.recurrent_module)]

    def update_output(self, input):
        step = self.begin_step()
        shapes = [x.shape for x in table.leaves(input)]
        if step > 0 and shapes != self._input_shapes:
            raise ValueError(
                f"{self.name}: input of shape {shapes} does not continue a sequence whose input has shape "
                f"{self._input_shapes}; call forget() first"
            )
        self._input_shapes = shapes
        return self.end_step(step, self.step_module(step).update_output(self._step_input(step, input)))

    def backward_step(self, step, input, grad_output):
        self.check_array(grad_output, "grad_output", shape=self.outputs[step].shape)
        if step in self.grad_from_later:
            grad_output = grad_output + self.grad_from_later[step]
        self.grad_outputs[step] = grad_output
        grad_input = self.step_module(step).update_grad_input(self._step_input(step, input), grad_output)
        if step > 0:
            grad_input, self.grad_from_later[step - 1] = grad_input
        return grad_input

    def accumulate_step(self, step, input, grad_output, scale):
        step_input = self._step_input(step, input)
        self.step_module(step).acc_grad_parameters(step_input, self.grad_outputs[step], scale)

    def step_module(self, step):
        """Return the module that computes a step; the first step has another one."""
        if step > 0:
            return super().step_module(step)
        if not self.train:
            return Sequential(self.input_module, self.start_module, self.transfer_module)
        if self._initial_module is None:
            self._initial_module = Sequential(
                step_clone(self.input_module), self.start_module, step_clone(self.transfer_module)
            )
        return self._initial_module

    def mask_zero(self, n_input_dim):
        """Raise ValueError, as Torch7 does: the first step's module is another one."""
        raise ValueError(
            f"{self.name}: mask_zero is not for this module, whose first step differs; use a GRU or an LSTM"
        )

    def drop_clones(self):
        super().drop_clones()
        self._initial_module = None

    def _step_input(self, step, input):
        """Return the input of the module of a step: xₜ and, except for the first step, hₜ₋₁."""
        return [input, self.outputs[step - 1]] if step > 0 else input
