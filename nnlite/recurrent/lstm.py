"""Long short-term memory, assembled gate by gate from containers."""

from typing import Any

from ..branches import ConcatTable, ParallelTable
from ..containers import Sequential
from ..layers import CMul, Linear, LinearNoBias, Reshape, Sigmoid, Tanh
from ..module import Module
from ..tables import CAddTable, CMulTable, FlattenTable, NarrowTable, SelectTable, SplitTable
from ..typing import Number
from .abstract_recurrent import AbstractRecurrent


class Gate(Sequential):
    """One gate of a memory cell: a nonlinearity of the sum of its connections.

    Shapes: input a table that starts with as many entries as there are connections, in the order x, h, c;
    output of the shape that every connection gives.
    Forward: y = activation(input2gate(x) + output2gate(h) + cell2gate(c)), without terms that are None.
    Backward: that of the layers; zeros for entries that the gate does not use.
    Errors: those of the layers.
    Source: buildGate in nn.LSTM (rnn) and nn.ConvLSTM.
    """

    part_names = ("input2gate", "output2gate", "cell2gate")

    def __init__(
        self, activation: Module, input2gate: Module, output2gate: Any = None, cell2gate: Any = None
    ) -> None:
        self.input2gate, self.output2gate, self.cell2gate = input2gate, output2gate, cell2gate
        self.parts = [name for name in self.part_names if getattr(self, name) is not None]
        connections = [getattr(self, name) for name in self.parts]
        super().__init__(
            NarrowTable(0, len(connections)), ParallelTable(*connections), CAddTable(), activation
        )

    def named_parameters(self, prefix=""):
        """Yield (path, weight, grad) under the names of the connections."""
        for name, weight, grad in self.own_parameters():
            yield prefix + name, weight, grad
        for name in self.parts:
            yield from getattr(self, name).named_parameters(f"{prefix}{name}.")


class LSTM(AbstractRecurrent):
    """Long short-term memory with forget gate, and with peepholes unless `cell2gate` is False.

    The gates are `input_gate`, `forget_gate`, `hidden_layer` and `output_gate`, each with its connections
    `input2gate` (Linear), `output2gate` (LinearNoBias) and, for peepholes, `cell2gate` (CMul; the
    hidden layer has none). `recurrent_module` maps the table (x, h, c) to (h', c').

    `user_prev_output` and `user_prev_cell` are the state before the first step, zero when None. As in Torch7
    only the first step of a sequence reads them: while a Sequencer remembers, a later call goes on from its
    last step. They stay set, for all later sequences, until they are set to None. Backward through the first
    step leaves their gradients in `user_grad_prev_output` and `user_grad_prev_cell`. In the other direction
    `grad_prev_output` and `user_next_grad_cell` are the gradients with respect to the output and the cell of
    the last step that come from elsewhere, such as a second memory which continues from this state; zero when
    None. As in Torch7 the first is to be set between forward and backward, for every forward step sets it to
    None, and the other stays.

    Shapes: input of one step (n_in,) or (N, n_in), output (n_out,) or (N, n_out).
    Forward:
        iₜ = σ(W_xi xₜ + W_hi hₜ₋₁ + w_ci ⊙ cₜ₋₁ + b_i)      fₜ = σ(W_xf xₜ + W_hf hₜ₋₁ + w_cf ⊙ cₜ₋₁ + b_f)
        c̃ₜ = tanh(W_xc xₜ + W_hc hₜ₋₁ + b_c)                cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ c̃ₜ
        oₜ = σ(W_xo xₜ + W_ho hₜ₋₁ + w_co ⊙ cₜ + b_o)        hₜ = oₜ ⊙ tanh cₜ
    Backward, for t = T..1, (dhₜ, dcₜ) the derivatives of the loss with respect to the state after step t:
        dhₜ = gₜ + (∂hₜ₊₁/∂hₜ)ᵀ dhₜ₊₁ + (∂cₜ₊₁/∂hₜ)ᵀ dcₜ₊₁,    dcₜ = (∂hₜ₊₁/∂cₜ)ᵀ dhₜ₊₁ + (∂cₜ₊₁/∂cₜ)ᵀ dcₜ₊₁,
        for t = T with `grad_prev_output` and `user_next_grad_cell` in place of the terms of step T + 1. The
        assembled module turns (dhₜ, dcₜ) into grad_inputₜ, the terms for step t - 1, and parameter gradients,
        which sum over the steps.
    Errors: ValueError for wrong shapes, also when the batch changes without `forget()`; see also
    `AbstractRecurrent`.
    Source: nn.LSTM (rnn); Graves 2013, arXiv:1303.5778, eqs. 7-11.

        >>> net = nn.LSTM(3, 2)
        >>> steps = [net.forward(np.ones((4, 3), np.float32)) for _ in range(5)]
        >>> steps[-1].shape, net.step
        ((4, 2), 5)
        >>> net.forget().step
        0
        >>> net.init_bias(forget=1.0).forget_gate.input2gate.bias.tolist()
        [1.0, 1.0]
    """

    # The forget branch comes first, as in Torch7's flat parameters.
    part_names: tuple[str, ...] = ("forget_gate", "input_gate", "hidden_layer", "output_gate")
    per_step = ("outputs", "cells", "grad_inputs", "grad_states", "grad_from_later")

    def __init__(self, n_in: int, n_out: int, rho: int = 9999, cell2gate: bool = True) -> None:
        super().__init__(rho)
        self.n_in, self.n_out = n_in, n_out
        self.has_peepholes = cell2gate
        self.user_prev_output = self.user_prev_cell = None
        self.user_grad_prev_output = self.user_grad_prev_cell = None
        self.grad_prev_output = self.user_next_grad_cell = None
        self.recurrent_module = self.build_module()

    def build_module(self) -> Module:
        """Build the gates in Torch7's order, which determines their random numbers, and assemble them."""
        self.input_gate = self._gate(Sigmoid(), self.has_peepholes)
        self.forget_gate = self._gate(Sigmoid(), self.has_peepholes)
        self.hidden_layer = self._gate(Tanh(), False)
        self.output_gate = self._gate(Sigmoid(), self.has_peepholes)
        return memory(self.forget_gate, self.input_gate, self.hidden_layer, self.output_gate)

    def update_output(self, input):
        self.check_input(input)
        step = self.begin_step()
        if step == 0:
            self.outputs[-1] = self._initial("user_prev_output", input)
            self.cells[-1] = self._initial("user_prev_cell", input)
        if self.outputs[step - 1].shape != self.state_shape(input):
            raise ValueError(
                f"{self.name}: input of shape {input.shape} does not continue a sequence whose state has "
                f"shape {self.outputs[step - 1].shape}; call forget() first"
            )
        self.grad_prev_output = None
        output, self.cells[step] = self.step_module(step).update_output(self._step_input(step, input))
        return self.end_step(step, output)

    def backward_step(self, step, input, grad_output):
        self.check_array(grad_output, "grad_output", shape=self.outputs[step].shape)
        if step < self.step - 1:
            grad_hidden, grad_cell = self.grad_from_later[step]
        else:
            grad_hidden, grad_cell = self._from_elsewhere(self.outputs[step].shape)
        if grad_hidden is not None:
            grad_output = grad_output + grad_hidden
        self.grad_states[step] = [grad_output, grad_cell]
        grad_input, *to_earlier = self.step_module(step).update_grad_input(
            self._step_input(step, input), self.grad_states[step]
        )
        self.grad_from_later[step - 1] = to_earlier
        if step == 0:
            self.user_grad_prev_output, self.user_grad_prev_cell = to_earlier
        return grad_input

    def accumulate_step(self, step, input, grad_output, scale):
        step_input = self._step_input(step, input)
        self.step_module(step).acc_grad_parameters(step_input, self.grad_states[step], scale)

    def init_bias(self, forget: Number = 1.0, other: Number = 0.0) -> Any:
        """Set the bias of the forget gate and that of the other gates; return self."""
        for name in self.part_names:
            getattr(self, name).input2gate.bias.fill(forget if name == "forget_gate" else other)
        return self

    def check_input(self, input: Any) -> None:
        """Raise unless `input` is one step's input."""
        self.check_array(input, ndim=(1, 2), sizes={-1: self.n_in})

    def state_shape(self, input: Any) -> tuple[int, ...]:
        """Return the shape of h and c for an input."""
        return (*input.shape[:-1], self.n_out)

    def describe(self):
        return f"({self.n_in} -> {self.n_out})"

    def _gate(self, activation, peephole):
        """Return a new gate; its random numbers are drawn in the order x, h, c."""
        return Gate(
            activation,
            Linear(self.n_in, self.n_out),
            LinearNoBias(self.n_out, self.n_out),
            CMul(self.n_out) if peephole else None,
        )

    def _initial(self, name, input):
        """Return the state that the user set as `name`, or zeros."""
        state = getattr(self, name)
        if state is None:
            return self.xp.zeros(self.state_shape(input), self.dtype)
        self.check_array(state, name, shape=self.state_shape(input))
        return state

    def _from_elsewhere(self, shape):
        """Return the user's gradients of the last output, or None, and of the last cell, or zeros."""
        for name in ("grad_prev_output", "user_next_grad_cell"):
            if getattr(self, name) is not None:
                self.check_array(getattr(self, name), name, shape=shape)
        grad_cell = self.user_next_grad_cell
        return self.grad_prev_output, self.xp.zeros(shape, self.dtype) if grad_cell is None else grad_cell

    def _step_input(self, step, input):
        """Return the table (xₜ, hₜ₋₁, cₜ₋₁)."""
        return [input, self.outputs[step - 1], self.cells[step - 1]]


class FastLSTM(LSTM):
    """Long short-term memory without peepholes whose four gates are one layer each: `i2g` and `o2g`.

    Their rows are the blocks input, cell (tanh), forget, output.

    Shapes: as `LSTM`; i2g.weight (4 n_out, n_in), i2g.bias (4 n_out,), o2g.weight (4 n_out, n_out).
    Forward: (iₜ, c̃ₜ, fₜ, oₜ) = (σ, tanh, σ, σ)(W xₜ + U hₜ₋₁ + b), with i2g for W and b and o2g for U;
    cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ c̃ₜ and hₜ = oₜ ⊙ tanh cₜ.
    Backward and errors: as `LSTM`.
    Source: nn.FastLSTM (rnn).
    """

    part_names = ("i2g", "o2g")

    def __init__(self, n_in: int, n_out: int, rho: int = 9999) -> None:
        super().__init__(n_in, n_out, rho, cell2gate=False)

    def build_module(self):
        """Build the two layers and assemble the cell from slices of their sum."""
        self.i2g = Linear(self.n_in, 4 * self.n_out)
        self.o2g = LinearNoBias(self.n_out, 4 * self.n_out)
        gates = Sequential(
            NarrowTable(0, 2),
            ParallelTable(self.i2g, self.o2g),
            CAddTable(),
            Reshape(4, self.n_out),
            SplitTable(0, 2),
            ParallelTable(Sigmoid(), Tanh(), Sigmoid(), Sigmoid()),
        )
        write = Sequential(NarrowTable(0, 2), CMulTable())
        keep = product(SelectTable(2), SelectTable(4))
        return Sequential(
            ConcatTable(gates, SelectTable(2)),
            FlattenTable(),  # (i, c̃, f, o, c)
            ConcatTable(SelectTable(3), Sequential(ConcatTable(write, keep), CAddTable())),  # (o, c')
            ConcatTable(product(SelectTable(0), Sequential(SelectTable(1), Tanh())), SelectTable(1)),
        )

    def init_bias(self, forget=1.0, other=0.0):
        self.i2g.bias.fill(other)
        self.i2g.bias[2 * self.n_out : 3 * self.n_out] = forget
        return self


def memory(forget_gate, input_gate, cell_gate, output_gate):
    """Assemble (x, h, c) -> (h', c') with c' = forget ⊙ c + input ⊙ cell and h' = output ⊙ tanh c'."""
    keep = product(forget_gate, SelectTable(2))
    write = product(input_gate, cell_gate)
    return read_out(Sequential(ConcatTable(keep, write), CAddTable()), output_gate)


def read_out(cell, output_gate):
    """Assemble (x, h, c) -> (h', c') with c' = cell(x, h, c) and h' = output_gate(x, h, c') ⊙ tanh c'."""
    return Sequential(
        ConcatTable(NarrowTable(0, 2), cell),
        FlattenTable(),  # (x, h, c')
        ConcatTable(product(output_gate, Sequential(SelectTable(2), Tanh())), SelectTable(2)),
    )


def product(a, b):
    """Return a module that multiplies the outputs of modules `a` and `b` for the same input."""
    return Sequential(ConcatTable(a, b), CMulTable())
