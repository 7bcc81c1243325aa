"""The gated recurrent unit, one step a call, assembled from containers."""

from ..branches import ConcatTable, ParallelTable
from ..containers import Sequential
from ..layers import AddConstant, Identity, Linear, LinearNoBias, MulConstant, Reshape, Sigmoid, Tanh
from ..module import Module
from ..tables import CAddTable, CMulTable, FlattenTable, NarrowTable, SelectTable, SplitTable
from .abstract_recurrent import AbstractRecurrent


class GRU(AbstractRecurrent):
    """Gated recurrent unit: one state, a gate that resets it and one that keeps it.

    `i2g` (Linear) and `o2g` (LinearNoBias) are the two gates in one layer each, their rows the blocks
    reset and update; `i2h` and `o2h` those of the candidate. `recurrent_module` maps the table (x, h)
    to h'.

    `user_prev_output` is the state before the first step, zero when None. As in Torch7 only the first step of
    a sequence reads it: while a Sequencer remembers, a later call goes on from its last step. It stays set,
    for all later sequences, until it is set to None. Backward through the first step leaves its gradient in
    `user_grad_prev_output`. In the other direction `grad_prev_output` is a gradient with respect to the last
    output that comes from elsewhere. As in `LSTM` it is to be set between forward and backward, for every
    forward step sets it to None.

    Shapes: input of one step (n_in,) or (N, n_in), output (n_out,) or (N, n_out); i2g.weight (2 n_out, n_in),
    i2g.bias (2 n_out,), o2g.weight (2 n_out, n_out), i2h.weight (n_out, n_in), i2h.bias (n_out,), o2h.weight
    (n_out, n_out).
    Forward: (rₜ, zₜ) = σ(W xₜ + U hₜ₋₁ + b) with i2g for W and b and o2g for U,
        h̃ₜ = tanh(W_h xₜ + U_h (rₜ ⊙ hₜ₋₁) + b_h) with i2h and o2h,    hₜ = (1 - zₜ) ⊙ h̃ₜ + zₜ ⊙ hₜ₋₁.
    Backward, for t = T..1: dhₜ = gₜ + (∂hₜ₊₁/∂hₜ)ᵀ dhₜ₊₁, for t = T with `grad_prev_output` in place of the
        second term. The assembled module turns dhₜ into grad_inputₜ, the term for step t - 1, and parameter
        gradients, which sum over the steps.
    Errors: ValueError for wrong shapes, also when the batch changes without `forget()`; see also
    `AbstractRecurrent`.
    Source: nn.GRU (rnn), without its dropout; Cho et al. 2014, arXiv:1406.1078.

        >>> nn.Sequencer(nn.GRU(3, 2)).forward(np.ones((5, 4, 3), np.float32)).shape
        (5, 4, 2)
    """

    part_names = ("i2g", "o2g", "i2h", "o2h")
    per_step = ("outputs", "grad_inputs", "grad_states", "grad_from_later")

    def __init__(self, n_in: int, n_out: int, rho: int = 9999) -> None:
        super().__init__(rho)
        self.n_in, self.n_out = n_in, n_out
        self.user_prev_output = self.user_grad_prev_output = self.grad_prev_output = None
        self.recurrent_module = self.build_module()

    def build_module(self) -> Module:
        """Build the layers (in Torch7's order: it decides which random numbers they get), assemble them."""
        self.i2g, self.o2g = Linear(self.n_in, 2 * self.n_out), LinearNoBias(self.n_out, 2 * self.n_out)
        self.i2h, self.o2h = Linear(self.n_in, self.n_out), LinearNoBias(self.n_out, self.n_out)
        gates = Sequential(
            ParallelTable(self.i2g, self.o2g),
            CAddTable(),
            Reshape(2, self.n_out),
            SplitTable(0, 2),
            ParallelTable(Sigmoid(), Sigmoid()),
        )
        candidate = Sequential(
            ConcatTable(
                Sequential(SelectTable(0), self.i2h), Sequential(NarrowTable(1, 2), CMulTable(), self.o2h)
            ),
            CAddTable(),
            Tanh(),
        )
        not_kept = Sequential(SelectTable(3), AddConstant(-1), MulConstant(-1))
        return Sequential(
            ConcatTable(Identity(), gates, SelectTable(1)),
            FlattenTable(),  # (x, h, r, z, h)
            ConcatTable(
                Sequential(ConcatTable(candidate, not_kept), CMulTable()),
                Sequential(NarrowTable(3, 2), CMulTable()),
            ),
            CAddTable(),
        )

    def update_output(self, input):
        self.check_array(input, ndim=(1, 2), sizes={-1: self.n_in})
        shape = (*input.shape[:-1], self.n_out)
        step = self.begin_step()
        if step == 0:
            self.outputs[-1] = self._initial(shape)
        if self.outputs[step - 1].shape != shape:
            raise ValueError(
                f"{self.name}: input of shape {input.shape} does not continue a sequence whose state has "
                f"shape {self.outputs[step - 1].shape}; call forget() first"
            )
        self.grad_prev_output = None
        return self.end_step(step, self.step_module(step).update_output(self._step_input(step, input)))

    def backward_step(self, step, input, grad_output):
        self.check_array(grad_output, "grad_output", shape=self.outputs[step].shape)
        if step < self.step - 1:
            grad_output = grad_output + self.grad_from_later[step]
        elif self.grad_prev_output is not None:
            self.check_array(self.grad_prev_output, "grad_prev_output", shape=grad_output.shape)
            grad_output = grad_output + self.grad_prev_output
        self.grad_states[step] = grad_output
        grad_input, to_earlier = self.step_module(step).update_grad_input(
            self._step_input(step, input), grad_output
        )
        self.grad_from_later[step - 1] = to_earlier
        if step == 0:
            self.user_grad_prev_output = to_earlier
        return grad_input

    def accumulate_step(self, step, input, grad_output, scale):
        self.step_module(step).acc_grad_parameters(
            self._step_input(step, input), self.grad_states[step], scale
        )

    def describe(self):
        return f"({self.n_in} -> {self.n_out}, 0.00)"  # the last is the dropout that Torch7's may have

    def _initial(self, shape):
        """Return what the user gave as the state before the first step, or zeros."""
        if self.user_prev_output is None:
            return self.xp.zeros(shape, self.dtype)
        self.check_array(self.user_prev_output, "user_prev_output", shape=shape)
        return self.user_prev_output

    def _step_input(self, step, input):
        """Return the table (xₜ, hₜ₋₁)."""
        return [input, self.outputs[step - 1]]
