"""The base of modules that run a memory over a whole sequence at once."""

from typing import Any

from ..module import Module
from ..typing import Number
from .remembering import Remembering


class SequenceModule(Remembering, Module):
    """Base of the modules that run over a whole sequence: a state that can be remembered.

    By default every sequence starts from zero; after `remember(mode)` it continues from where the previous
    one ended. Only the state is carried over: no gradient reaches into an earlier sequence. Changing between
    training and evaluation mode forgets the state.

    A call starts from `user_prev_output` and `user_prev_cell` where the user has set them, in place of zero
    or of the remembered state. They stay set, for all later calls, until they are set to None. Backward
    leaves their gradients in `user_grad_prev_output` and `user_grad_prev_cell`; `grad_prev_output` and
    `user_next_grad_cell` are gradients of the last state (`last_output`, `last_cell`) from elsewhere, as in
    `LSTM`.

    A subclass calls `begin_sequence` in `update_output`, starts from `last_output` and `last_cell` (None for
    zero), and stores there the state from which the next sequence may start; its backward pass takes
    `user_gradients` and, where `starts_from_user`, calls `set_user_gradients`.
    """

    state_names = (*Module.state_names, "last_output", "last_cell")

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.n_in, self.n_out = n_in, n_out
        self.last_output = self.last_cell = None
        self.user_prev_output = self.user_prev_cell = None
        self.user_grad_prev_output = self.user_grad_prev_cell = None
        self.grad_prev_output = self.user_next_grad_cell = None
        self.starts_from_user = False

    def forget(self) -> Any:
        """Start the next sequence from zero; return self."""
        self.last_output = self.last_cell = None
        return self

    def begin_sequence(self, input, state_shape):
        """Forget the previous sequence, or raise if `input` is empty or does not continue it."""
        if len(input) == 0:
            raise ValueError(f"{self.name}: a sequence must have at least one step")
        if not self.remembers:
            self.forget()
        self.grad_prev_output = None
        output = self._from_user("user_prev_output", input, state_shape)
        cell = self._from_user("user_prev_cell", input, state_shape)
        self.starts_from_user = output is not None or cell is not None
        self.last_output = self.last_output if output is None else output
        self.last_cell = self.last_cell if cell is None else cell
        for state in (self.last_output, self.last_cell):
            if state is not None and state.shape != state_shape:
                raise ValueError(
                    f"{self.name}: input {input.shape} does not continue the remembered sequence, whose "
                    f"state is {state.shape}; call forget() first"
                )

    def user_gradients(self, input, grad_output, state_shape):
        """Return grad_output (T, N, ...) with `grad_prev_output` added, and `user_next_grad_cell` or None."""
        grad_hidden = self._from_user("grad_prev_output", input, state_shape)
        if grad_hidden is not None:
            grad_output = grad_output.copy()
            grad_output[-1] += grad_hidden
        return grad_output, self._from_user("user_next_grad_cell", input, state_shape)

    def set_user_gradients(self, grad_hidden, grad_cell, input):
        """Keep the gradients of the user's state, without the batch dimension for a single input."""
        single = input.ndim == grad_hidden.ndim
        self.user_grad_prev_output = grad_hidden[0] if single else grad_hidden
        self.user_grad_prev_cell = grad_cell[0] if single else grad_cell

    def _from_user(self, name, input, state_shape):
        """Return the array that the user set as `name` in the shape of the state, or None."""
        array = getattr(self, name)
        if array is not None:
            single = input.ndim == len(state_shape)
            self.check_array(array, name, shape=state_shape[1:] if single else state_shape)
            array = array.reshape(state_shape)
        return array


class LSTMSequence(SequenceModule):
    """Base of `SeqLSTM` and `SeqConvLSTM`: two layers i2g and o2g.

    The rows of both layers are the gates in the order input, cell (tanh), forget, output, as in `FastLSTM`.
    i2g acts on all inputs and has the biases; o2g acts on the output of the previous step.
    """

    parameter_names = ()

    def __init__(self, n_in: int, n_out: int, i2g: Any, o2g: Any) -> None:
        super().__init__(n_in, n_out)
        self.i2g, self.o2g = i2g, o2g

    def children(self):
        return [("i2g", self.i2g), ("o2g", self.o2g)]

    def reset(self, stdv=None):
        """Draw new parameters for i2g, then o2g."""
        self.i2g.reset(stdv)
        self.o2g.reset(stdv)

    def init_bias(self, forget: Number = 1.0, other: Number = 0.0) -> Any:
        """Set the biases of the forget gate and of the other gates; return self."""
        self.i2g.bias.fill(other)
        self.i2g.bias[2 * self.n_out : 3 * self.n_out] = forget
        return self
