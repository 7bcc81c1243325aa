"""The gated recurrent unit over a whole sequence, in one module."""

import math
from typing import Any

from .. import backend
from ..layers.activation import sigmoid
from ..random import default_generator
from .sequence_module import SequenceModule


class SeqGRU(SequenceModule):
    """Gated recurrent unit over all steps of a sequence, its backward pass through time by hand.

    The same function as a Sequencer over `GRU`. Columns of weight and bias are the blocks reset, update,
    candidate; rows of the weight are those for xₜ, then those for hₜ₋₁. A call starts from h₀ when the input
    is the table [h₀, x], else from `user_prev_output` when that is set, else from the remembered state or
    zero. `user_prev_output` stays set, for all later calls, until it is set to None. Backward leaves
    the gradient of the start in `user_grad_prev_output`, and `grad_prev_output` is a gradient of the last
    output from elsewhere. `batch_first` says that the batch comes before time; after `mask_zero()` steps
    whose xₜ is all zero have output zero, and what follows them starts anew.

    Shapes: input (T, N, n_in) or (T, n_in), output (T, N, n_out) or (T, n_out); weight (n_in + n_out, 3
    n_out), bias (3 n_out,).
    Forward: (rₜ, uₜ) = σ(W xₜ + U hₜ₋₁ + b),  h̃ₜ = tanh(W_h xₜ + U_h (rₜ ⊙ hₜ₋₁) + b_h),
        hₜ = (1 - uₜ) ⊙ h̃ₜ + uₜ ⊙ hₜ₋₁, with W, W_h and U, U_h the blocks of weightᵀ.
    Backward, for t = T..1 with dh = gₜ + (what step t + 1 sent to hₜ):
        dz_h = dh ⊙ (1 - u) ⊙ (1 - h̃²),  dz_u = dh ⊙ (hₜ₋₁ - h̃) ⊙ u (1 - u),  s = U_hᵀ dz_h,
        dz_r = s ⊙ hₜ₋₁ ⊙ r (1 - r);  dxₜ = [W, W_h]ᵀ dz;
        (sent to hₜ₋₁) = dh ⊙ u + Uᵀ (dz_r, dz_u) + s ⊙ r;
        grad W += Σₜ dzₜ xₜᵀ,  grad U += Σₜ (dz_r, dz_u)ₜ hₜ₋₁ᵀ,  grad U_h += Σₜ dz_h,ₜ (rₜ ⊙ hₜ₋₁)ᵀ,
        grad b += Σₜ dzₜ (all times scale).
    No gradient reaches into an earlier sequence.
    Errors: ValueError for wrong sizes or shapes; RuntimeError for backward without forward.
    Source: nn.SeqGRU (rnn).

        >>> nn.SeqGRU(3, 2).forward(np.ones((5, 4, 3), np.float32)).shape
        (5, 4, 2)
    """

    state_names = (*SequenceModule.state_names, "user_grad_prev_output", "_a", "_h", "_dz")
    mode_names = ("train", "batch_first", "maskzero")

    def __init__(self, n_in: int, n_out: int) -> None:
        self.check_counts(n_in=n_in, n_out=n_out)
        super().__init__(n_in, n_out)
        self.batch_first = self.maskzero = False
        self.add_parameter("weight", (n_in + n_out, 3 * n_out))
        self.add_parameter("bias", (3 * n_out,))
        self._a = self._h = self._dz = None
        self.reset()

    def reset(self, stdv=None):
        """Draw the weight from N(0, s²), s = 1/√(n_in + n_out) or stdv; the update bias is 1, others 0."""
        stdv = 1.0 / math.sqrt(self.n_in + self.n_out) if stdv is None else stdv
        drawn = default_generator.normal(0, stdv, self.weight.shape)
        self.weight[...] = backend.asarray(drawn, self.dtype, self.device)
        self.bias.fill(0)
        self.bias[self.n_out : 2 * self.n_out] = 1

    def update_output(self, input):
        start, given, x = self._unpacked(input)
        steps, batch, _ = x.shape
        xp, n = self.xp, self.n_out
        self.begin_sequence(given, (batch, n))
        h = xp.zeros((steps + 1, batch, n), self.dtype)  # row 0 is the state before the first step
        if start is not None:
            self.check_array(start, "h₀", shape=(n,) if given.ndim == 2 else (batch, n))
            h[0] = start
        elif self.last_output is not None:
            h[0] = self.last_output
        from_h = self.weight[self.n_in :]
        a = x @ self.weight[: self.n_in] + self.bias
        zero = self._zero_rows(x)
        for t in range(steps):
            a[t, :, : 2 * n] = sigmoid(a[t, :, : 2 * n] + h[t] @ from_h[:, : 2 * n])
            r, u = a[t, :, :n], a[t, :, n : 2 * n]
            a[t, :, 2 * n :] = xp.tanh(a[t, :, 2 * n :] + (r * h[t]) @ from_h[:, 2 * n :])
            h[t + 1] = (1 - u) * a[t, :, 2 * n :] + u * h[t]
            if zero is not None:
                a[t][zero[t]] = 0
                h[t + 1][zero[t]] = 0
        self._a, self._h, self._dz = a, h, None
        self.last_output = h[-1].copy()
        self.output = self._like(given, h[1:])
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        start, given, x = self._unpacked(input)
        xp, n, h = self.xp, self.n_out, self._h
        g, _ = self.user_gradients(given, self._time_first(grad_output), h[0].shape)
        zero = self._zero_rows(x)
        from_h = self.weight[self.n_in :]
        dz, sent = xp.empty_like(self._a), xp.zeros_like(h[0])
        for t in reversed(range(len(g))):
            r, u, candidate = (self._a[t, :, k * n : (k + 1) * n] for k in range(3))
            dh = g[t] + sent
            if zero is not None:
                dh[zero[t]] = 0
            dz[t, :, 2 * n :] = dh * (1 - u) * (1 - candidate * candidate)
            from_candidate = dz[t, :, 2 * n :] @ from_h[:, 2 * n :].T
            dz[t, :, :n] = from_candidate * h[t] * r * (1 - r)
            dz[t, :, n : 2 * n] = dh * (h[t] - candidate) * u * (1 - u)
            sent = dh * u + dz[t, :, : 2 * n] @ from_h[:, : 2 * n].T + from_candidate * r
        self._dz, self.user_grad_prev_output = dz, sent[0] if given.ndim == 2 else sent
        grad_x = self._like(given, dz @ self.weight[: self.n_in].T)
        self.grad_input = grad_x if start is None else [self.user_grad_prev_output, grad_x]
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        if self._dz is None:
            self.update_grad_input(input, grad_output)
        n, h = self.n_out, self._h[:-1].reshape(-1, self.n_out)
        x = self._unpacked(input)[2].reshape(-1, self.n_in)
        dz = self._dz.reshape(-1, 3 * n)
        reset = h * self._a[:, :, :n].reshape(-1, n)
        self.grad_weight[: self.n_in] += scale * (x.T @ dz)
        self.grad_weight[self.n_in :, : 2 * n] += scale * (h.T @ dz[:, : 2 * n])
        self.grad_weight[self.n_in :, 2 * n :] += scale * (reset.T @ dz[:, 2 * n :])
        self.grad_bias += scale * dz.sum(axis=0)

    def mask_zero(self) -> Any:
        """Give steps whose input is all zero the output zero, and start anew after them; return self."""
        self.maskzero = True
        return self

    def describe(self):
        return f"({self.n_in} -> {self.n_out})"

    def _unpacked(self, input):
        """Return the given h₀ or None, x as it is given, and x as (T, N, n_in)."""
        start = None
        if isinstance(input, list | tuple):
            self.check_table(input, size=2)
            start, input = input
        self.check_array(input, ndim=(2, 3), sizes={-1: self.n_in})
        return start, input, self._time_first(input)

    def _time_first(self, x):
        """Return a sequence as (T, N, ...)."""
        if x.ndim == 2:
            return x[:, None]
        return x.swapaxes(0, 1) if self.batch_first else x

    def _like(self, given, x):
        """Return a sequence (T, N, ...) in the form of the one that was given."""
        if given.ndim == 2:
            return x[:, 0]
        return x.swapaxes(0, 1) if self.batch_first else x

    def _zero_rows(self, x):
        """Return where x is all zero, (T, N); None without `mask_zero`."""
        return ~x.any(axis=-1) if self.maskzero else None
