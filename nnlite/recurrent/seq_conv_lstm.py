"""The convolutional LSTM of eq. 1 over a whole sequence, in one module."""

import numpy as np

from ..layers.convolution import SpatialConvolution, SpatialConvolutionNoBias
from ..ops import threads
from .spectral_steps import SpectralSteps
from .whole_sequence import WholeSequence


class SeqConvLSTM(WholeSequence):
    """Convolutional LSTM (eq. 1) run over all steps of a sequence, its backward pass through time by hand.

    Same parameters and numbers as a Sequencer over `ConvLSTM`; made to be trained. i2g holds the four
    convolutions of the input (with bias), o2g those of the output (without), as row blocks in the order
    input, cell (tanh), forget, output.

    Shapes: input (T, N, n_in, H, W) or (T, n_in, H, W), output (T, N, n_out, H, W) or (T, n_out, H, W);
    i2g.weight (4 n_out, n_in, kc, kc), o2g.weight (4 n_out, n_out, km, km). Kernels are odd, "same" padded.
    Forward, h₀ = c₀ = 0 or, with `remember`, those of the sequence before:
        (i, c̃, f, o)ₜ = (σ, tanh, σ, σ)(W * xₜ + U * hₜ₋₁ + b),  cₜ = i ⊙ c̃ + f ⊙ cₜ₋₁,  hₜ = o ⊙ tanh cₜ.
    Backward, for t = T..1 with dh = gₜ + (what step t + 1 sent to hₜ) and dz the pre-activations' derivative
    (`nnlite.ops.gates.backward`):
        dxₜ = Wᵀ dzₜ;  (sent to hₜ₋₁) = Uᵀ dzₜ;
        grad W += Σₜ dzₜ xₜᵀ;  grad U += Σₜ dzₜ hₜ₋₁ᵀ;  grad b += Σₜ dzₜ (all times scale).
    No gradient reaches into an earlier sequence.
    Errors: ValueError for wrong shapes; RuntimeError for backward without forward, or in evaluation mode.
    Source: eq. 1; nn.ConvLSTM for the parameters, nn.SeqLSTM (rnn) for the idea.
    """

    state_names = ("output", "grad_input", "last_output", "last_cell", "_steps", "_weight_grads")

    def __init__(self, n_in, n_out, kc, km=None):
        km = kc if km is None else km
        if kc % 2 == 0 or km % 2 == 0:
            raise ValueError(f"{self.name}: kernels must be odd to keep the map size, got kc={kc}, km={km}")
        self.kc, self.km = kc, km
        i2g = SpatialConvolution(n_in, 4 * n_out, kc, kc, 1, 1, kc // 2, kc // 2)
        o2g = SpatialConvolutionNoBias(n_out, 4 * n_out, km, km, 1, 1, km // 2, km // 2)
        super().__init__(n_in, n_out, i2g, o2g)
        self._steps = self._weight_grads = None

    def update_output(self, input):
        self.check_array(input, ndim=(4, 5), sizes={-3: self.n_in})
        x = input if input.ndim == 5 else input[:, None]
        self.begin_sequence(input, (x.shape[1], self.n_out, *x.shape[3:]))
        with threads.single_blas_thread():
            steps = self._prepare(x.shape)
            steps.set_weight(self._joined_weight(), self.i2g.bias)
            output, cell = steps.forward(x, self.last_output, self.last_cell)
        self.last_output, self.last_cell = output[-1].copy(), cell
        self._weight_grads = None
        self.output = output if input.ndim == 5 else output[:, 0]
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        if self._steps is None:  # in a copy
            raise RuntimeError(f"{self.name}: call forward before backward")
        if not (self.train and self._steps.train):
            raise RuntimeError(f"{self.name}: backward needs training mode; call training() before forward")
        g = grad_output if grad_output.ndim == 5 else grad_output[:, None]
        if self._weight_grads is not None:
            raise RuntimeError(f"{self.name}: one backward pass a forward pass; it works in place")
        with threads.single_blas_thread():
            grad_input, *self._weight_grads = self._steps.backward(g)
        self.grad_input = grad_input if input.ndim == 5 else grad_input[:, 0]
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        if self._weight_grads is None:
            self.update_grad_input(input, grad_output)
        weight, bias = self._weight_grads
        margin_c, margin_m = self._margins()
        inner = weight[:, : self.n_in]
        self.i2g.grad_weight += (
            scale * inner[:, :, margin_c : margin_c + self.kc, margin_c : margin_c + self.kc]
        )
        inner = weight[:, self.n_in :]
        self.o2g.grad_weight += (
            scale * inner[:, :, margin_m : margin_m + self.km, margin_m : margin_m + self.km]
        )
        self.i2g.grad_bias += scale * bias

    def __getstate__(self):
        # A copy makes buffers of its own at its next forward pass.
        return {**self.__dict__, "_steps": None}

    def describe(self):
        return f"({self.n_in} -> {self.n_out}, {self.kc}x{self.kc}, {self.km}x{self.km})"

    def _joined_weight(self):
        """Return i2g and o2g as one convolution of the stacked maps [xₜ, hₜ₋₁], the smaller kernel padded."""
        k = max(self.kc, self.km)
        weight = self.xp.zeros((4 * self.n_out, self.n_in + self.n_out, k, k), self.dtype)
        c, m = self._margins()
        weight[:, : self.n_in, c : c + self.kc, c : c + self.kc] = self.i2g.weight
        weight[:, self.n_in :, m : m + self.km, m : m + self.km] = self.o2g.weight
        return weight

    def _margins(self):
        """Return by how much the kernels of i2g and o2g are padded on each side in the joined one."""
        k = max(self.kc, self.km)
        return (k - self.kc) // 2, (k - self.km) // 2

    def _prepare(self, shape):
        """Return the buffers for this input shape and mode, made anew only when these change."""
        wanted = (shape, self.train, self.dtype, self.device)
        if self._steps is None or self._steps.made_for != wanted:
            self._steps = None
            kernel = max(self.kc, self.km)
            self._steps = SpectralSteps(shape, self.n_out, kernel, self.train, np.dtype(self.dtype), self.xp)
            self._steps.made_for = wanted
        return self._steps
