"""Convolution and pooling over time."""

import math

import numpy as np

from ..module import Module


class TemporalConvolution(Module):
    """Correlation of a sequence of frames with learnt kernels, over time.

    Shapes: input (T, n_in) or (N, T, n_in), output (T', n_out) or (N, T', n_out), T' = ⌊(T - kw) / dw⌋ + 1;
    weight (n_out, kw · n_in), the frames of the window one after the other; bias (n_out,).
    Forward: y[p, o] = bias[o] + Σ_{i,c} weight[o, i · n_in + c] x[p · dw + i, c].
    Backward: grad_input[t, c] = Σ weight[o, i · n_in + c] g[p, o] over all o, i, p with p · dw + i = t;
    grad_weight[o, i · n_in + c] += scale · Σ_p g[p, o] x[p · dw + i, c]; grad_bias[o] += scale · Σ_p g[p, o];
    both are summed over the batch.
    Errors: ValueError when a count is no integer of at least 1, when frames have another size or there
    are fewer than kw.
    Source: nn.TemporalConvolution.

        >>> nn.TemporalConvolution(3, 5, 2).forward(np.ones((10, 3), np.float32)).shape
        (9, 5)
    """

    def __init__(self, n_in: int, n_out: int, kw: int, dw: int = 1) -> None:
        super().__init__()
        self.check_counts(n_in=n_in, n_out=n_out, kw=kw, dw=dw)
        self.n_in, self.n_out, self.kw, self.dw = n_in, n_out, kw, dw
        self.add_parameter("weight", (n_out, kw * n_in))
        self.add_parameter("bias", (n_out,))
        self.reset()

    def reset(self, stdv=None):
        """Draw weight and bias from U(-r, r), r = 1/√(kw · n_in), or √3 · stdv when `stdv` is given."""
        self.reset_uniform(1.0 / math.sqrt(self.kw * self.n_in) if stdv is None else stdv * math.sqrt(3.0))

    def update_output(self, input):
        self.check_array(input, ndim=(2, 3), sizes={-1: self.n_in})
        if input.shape[-2] < self.kw:
            raise ValueError(
                f"{self.name}: input must have at least {self.kw} frames, got shape {input.shape}"
            )
        self.output = self._windows(input) @ self.weight.T + self.bias
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.xp.zeros(input.shape, self.dtype)
        frames = grad_output.shape[-2]
        for i in range(self.kw):
            kernel = self.weight[:, i * self.n_in : (i + 1) * self.n_in]
            self.grad_input[..., i : i + (frames - 1) * self.dw + 1 : self.dw, :] += grad_output @ kernel
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        g = grad_output.reshape(-1, self.n_out)
        windows = self._windows(input).reshape(len(g), self.kw * self.n_in)
        self.grad_weight += scale * (g.T @ windows)
        self.grad_bias += scale * g.sum(axis=0)

    def _windows(self, input):
        """Return the frames of every window one after the other, (..., T', kw · n_in)."""
        frames = (input.shape[-2] - self.kw) // self.dw + 1
        stop = (frames - 1) * self.dw + 1
        parts = [input[..., i : i + stop : self.dw, :] for i in range(self.kw)]
        return self.xp.concatenate(parts, axis=-1)


class TemporalMaxPooling(Module):
    """The largest entry of each window over time, feature by feature.

    Shapes: input (T, F) or (N, T, F), output (T', F) or (N, T', F), T' = ⌊(T - kw) / dw⌋ + 1; dw is kw
    when it is not given.
    Forward: y[p, f] = maxᵢ x[p · dw + i, f].
    Backward: grad_input = Σ of g over the windows that an entry has won; of equal entries the first wins.
    Errors: ValueError when a count is no integer of at least 1 or there are fewer than kw frames.
    Source: nn.TemporalMaxPooling.
    """

    parameter_names = ()
    state_names = (*Module.state_names, "indices")

    def __init__(self, kw: int, dw: int | None = None) -> None:
        super().__init__()
        dw = kw if dw is None else dw
        self.check_counts(kw=kw, dw=dw)
        self.kw, self.dw = kw, dw
        self.indices = None

    def update_output(self, input):
        self.check_array(input, ndim=(2, 3))
        if input.shape[-2] < self.kw:
            raise ValueError(
                f"{self.name}: input must have at least {self.kw} frames, got shape {input.shape}"
            )
        xp = self.xp
        frames = (input.shape[-2] - self.kw) // self.dw + 1
        starts = xp.arange(frames) * self.dw
        windows = input[..., starts[:, None] + xp.arange(self.kw), :]  # (..., T', kw, F)
        windows = xp.where(xp.isnan(windows), -np.inf, windows)  # NaN never wins
        self.indices = xp.argmax(windows, -2) + starts[:, None]
        self.output = xp.take_along_axis(input, self.indices, axis=-2)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.xp.zeros(input.shape, self.dtype)
        starts = self.xp.arange(grad_output.shape[-2])[:, None] * self.dw
        stop = (grad_output.shape[-2] - 1) * self.dw + 1
        for i in range(self.kw):
            won = self.indices == starts + i
            self.grad_input[..., i : i + stop : self.dw, :] += grad_output * won
        return self.grad_input
