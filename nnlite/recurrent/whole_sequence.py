"""What the modules share that run a memory over a whole sequence at once."""

from ..module import Module
from .sequencer import MODES


class Remembering(Module):
    """Base of the modules that run over a whole sequence: what is remembered from one to the next.

    By default every sequence starts from zero; `remember(mode)` lets it go on where the one before
    ended. Only the state goes on: no gradient reaches into an earlier sequence. Changing between
    training and evaluation mode forgets.

    A subclass calls `begin_sequence` in `update_output`, starts from `last_output` and `last_cell` (None for
    zero), and leaves there what the next sequence may start from.
    """

    def __init__(self, n_in, n_out):
        super().__init__()
        self.n_in, self.n_out = n_in, n_out
        self._remember = "neither"
        self.last_output = self.last_cell = None

    def remember(self, mode="both"):
        """Go on from the last state in 'train' or 'eval' mode, in 'both' or in 'neither'; return self."""
        if mode not in MODES:
            raise ValueError(f"{self.name}.remember: mode must be one of {', '.join(MODES)}, got {mode!r}")
        self._remember = mode
        return self

    def forget(self):
        """Start the next sequence from zero; return self."""
        self.last_output = self.last_cell = None
        return self

    def training(self):
        if not self.train:
            self.forget()
        super().training()

    def evaluate(self):
        if self.train:
            self.forget()
        super().evaluate()

    def begin_sequence(self, input, state_shape):
        """Forget the sequence before, or raise when `input` is empty or does not continue it."""
        if len(input) == 0:
            raise ValueError(f"{self.name}: a sequence must have at least one step")
        if self._remember not in ("both", "train" if self.train else "eval"):
            self.forget()
        if self.last_output is not None and self.last_output.shape != state_shape:
            raise ValueError(
                f"{self.name}: input {input.shape} does not continue the remembered sequence, whose state is "
                f"{self.last_output.shape}; call forget() first"
            )


class WholeSequence(Remembering):
    """Base of `SeqLSTM` and `SeqConvLSTM`: two layers i2g and o2g.

    The rows of both layers are the gates in the order input, cell (tanh), forget, output, as in `FastLSTM`.
    i2g acts on all inputs and has the biases; o2g acts on the output of the step before.
    """

    parameter_names = ()

    def __init__(self, n_in, n_out, i2g, o2g):
        super().__init__(n_in, n_out)
        self.i2g, self.o2g = i2g, o2g

    def children(self):
        return [("i2g", self.i2g), ("o2g", self.o2g)]

    def reset(self, stdv=None):
        """Draw new parameters for i2g, then o2g."""
        self.i2g.reset(stdv)
        self.o2g.reset(stdv)

    def init_bias(self, forget=1.0, other=0.0):
        """Set the forget gate's bias and that of the other gates; return self."""
        self.i2g.bias.fill(other)
        self.i2g.bias[2 * self.n_out : 3 * self.n_out] = forget
        return self
