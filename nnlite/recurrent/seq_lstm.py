"""Long short-term memory over a whole sequence, in one module."""

from typing import Any

from ..layers import Linear, LinearNoBias
from ..ops import gates, get_ops
from .sequence_module import LSTMSequence


class SeqLSTM(LSTMSequence):
    """Long short-term memory without peepholes over all steps of a sequence, its BPTT by hand.

    Same parameters and numbers as a Sequencer over `FastLSTM`, but faster to train: whatever depends on
    no other step (all of W x, its gradient, parameter gradients) is one matrix product for the sequence.

    Shapes: input (T, N, n_in) or (T, n_in), output (T, N, n_out) or (T, n_out); i2g.weight (4 n_out, n_in),
    i2g.bias (4 n_out,), o2g.weight (4 n_out, n_out).
    Forward, h₀ = c₀ = 0 or, with `remember`, those of the previous sequence, or what the user has set
    (`SequenceModule`):
        (i, c̃, f, o)ₜ = (σ, tanh, σ, σ)(W xₜ + U hₜ₋₁ + b),  cₜ = i ⊙ c̃ + f ⊙ cₜ₋₁,  hₜ = o ⊙ tanh cₜ.
    Backward, for t = T..1 with dhₜ = gₜ + Uᵀ dzₜ₊₁ and dz the gradient with respect to the pre-activations
    (`nnlite.ops.gates.backward`):
        dxₜ = Wᵀ dzₜ;
        grad W += Σₜ dzₜ xₜᵀ;  grad U += Σₜ dzₜ hₜ₋₁ᵀ;  grad b += Σₜ dzₜ (all times scale).
    No gradient reaches into an earlier sequence. After `mask_zero()`, h and c are zero at steps whose
    xₜ is all zero, and what follows them starts anew.
    Errors: ValueError for wrong sizes or shapes; RuntimeError for backward without forward.
    Source: nn.FastLSTM (rnn) for the parameters, nn.SeqLSTM (rnn) for the idea.

        >>> nn.SeqLSTM(3, 2).forward(np.ones((5, 4, 3), np.float32)).shape
        (5, 4, 2)
    """

    state_names = (*LSTMSequence.state_names, "_a", "_c", "_h", "_dz")
    mode_names = ("train", "maskzero")

    def __init__(self, n_in: int, n_out: int) -> None:
        self.check_counts(n_in=n_in, n_out=n_out)
        super().__init__(n_in, n_out, Linear(n_in, 4 * n_out), LinearNoBias(n_out, 4 * n_out))
        self._a = self._c = self._h = self._dz = None
        self.maskzero = False

    def update_output(self, input):
        self.check_array(input, ndim=(2, 3), sizes={-1: self.n_in})
        x = input if input.ndim == 3 else input[:, None]
        steps, batch, _ = x.shape
        self.begin_sequence(input, (batch, self.n_out))
        xp, ops, scales = self.xp, get_ops(input), self._scales()
        # Rows of c and h are t = 0..T, where 0 is the state before the first step.
        c, h = (xp.empty((steps + 1, batch, self.n_out), self.dtype) for _ in range(2))
        c[0] = 0 if self.last_cell is None else self.last_cell
        h[0] = 0 if self.last_output is None else self.last_output
        a = self.i2g.update_output(x.reshape(-1, self.n_in)).reshape(steps, batch, 4 * self.n_out)
        zero = ~x.any(axis=-1) if self.maskzero else None
        for t in range(steps):  # the gates take (4 n_out, N): transposed views
            a[t] += self.o2g.update_output(h[t])
            a[t] *= scales
            ops.gates_forward(a[t].T, c[t].T, c[t + 1].T, h[t + 1].T)
            if zero is not None:
                a[t][zero[t]] = 2 * scales - 2  # gates 0 and c̃ = 0: no gradient gets through either
                c[t + 1][zero[t]] = h[t + 1][zero[t]] = 0
        self._a, self._c, self._h, self._dz = a, c, h, None
        self.last_output, self.last_cell = h[-1].copy(), c[-1].copy()
        self.output = h[1:].reshape(*input.shape[:-1], self.n_out)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        ops, scales, c = get_ops(grad_output), self._scales(), self._c
        g, grad_cell = self.user_gradients(input, grad_output.reshape(c[1:].shape), c[0].shape)
        dz = self._a.copy()
        grad_hidden, dc = self.xp.zeros_like(c[0]), self.xp.zeros_like(c[0])
        if grad_cell is not None:
            dc += grad_cell
        for t in reversed(range(len(g))):
            ops.gates_backward(dz[t].T, c[t].T, c[t + 1].T, (g[t] + grad_hidden).T, dc.T)
            dz[t] *= scales
            if t:
                grad_hidden = self.o2g.update_grad_input(self._h[t], dz[t])
        if self.starts_from_user:
            self.set_user_gradients(self.o2g.update_grad_input(self._h[0], dz[0]), dc, input)
        self._dz = dz.reshape(-1, 4 * self.n_out)
        self.grad_input = self.i2g.update_grad_input(input.reshape(-1, self.n_in), self._dz)
        self.grad_input = self.grad_input.reshape(input.shape)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        if self._dz is None:
            self.update_grad_input(input, grad_output)
        self.i2g.acc_grad_parameters(input, self._dz, scale)
        self.o2g.acc_grad_parameters(self._h[:-1], self._dz, scale)

    def mask_zero(self) -> Any:
        """Give steps whose input is all zero the output zero, and start anew after them; return self."""
        self.maskzero = True
        return self

    def describe(self):
        return f"({self.n_in} -> {self.n_out})"

    def _scales(self):
        """Return the factors by which `nnlite.ops.gates` expects the pre-activations to be scaled."""
        return gates.row_scales(self.n_out, self.dtype, self.xp)
