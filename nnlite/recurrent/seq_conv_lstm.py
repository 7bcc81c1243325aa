"""The convolutional LSTM of eq. 1 over a whole sequence, in one module."""

import numpy as np

from ..layers.convolution import SpatialConvolution, SpatialConvolutionNoBias
from ..ops import estimates, threads
from .gemm_conv_lstm import GemmConvLSTM
from .sequence_module import LSTMSequence
from .spectral_conv_lstm import SpectralConvLSTM

ALGORITHMS = ("auto", "gemm", "spectral")


class SeqConvLSTM(LSTMSequence):
    """Convolutional LSTM (eq. 1) run over all steps of a sequence, its backward pass through time by hand.

    Same parameters and numbers as a Sequencer over `ConvLSTM`, but faster to train. i2g holds the four
    convolutions of the input (with bias), o2g those of the output (without), as row blocks in the order
    input, cell (tanh), forget, output.

    Shapes: input (T, N, n_in, H, W) or (T, n_in, H, W), output (T, N, n_out, H, W) or (T, n_out, H, W);
    i2g.weight (4 n_out, n_in, kc, kc), o2g.weight (4 n_out, n_out, km, km). Kernels are odd, "same" padded.
    `algorithm` selects the implementation: "gemm" (`GemmConvLSTM`, the reference), "spectral"
    (`SpectralConvLSTM`) or "auto", the one with the lower estimated time (`choose`); both give the same up to
    rounding.
    Forward, h₀ = c₀ = 0 or, with `remember`, those of the previous sequence, or what the user has set
    (`SequenceModule`):
        (i, c̃, f, o)ₜ = (σ, tanh, σ, σ)(W * xₜ + U * hₜ₋₁ + b),  cₜ = i ⊙ c̃ + f ⊙ cₜ₋₁,  hₜ = o ⊙ tanh cₜ.
    Backward, for t = T..1 with dhₜ = gₜ + Uᵀ dzₜ₊₁ and dz the gradient with respect to the pre-activations
    (`nnlite.ops.gates.backward`):
        dxₜ = Wᵀ dzₜ;
        grad W += Σₜ dzₜ xₜᵀ;  grad U += Σₜ dzₜ hₜ₋₁ᵀ;  grad b += Σₜ dzₜ (all times scale).
    No gradient reaches into an earlier sequence.
    Errors: ValueError for wrong sizes or shapes; RuntimeError for backward without forward, or in evaluation
    mode.
    Source: eq. 1; nn.ConvLSTM for the parameters, nn.SeqLSTM (rnn) for the idea.

        >>> memory = nn.SeqConvLSTM(1, 8, 3)
        >>> frames = np.ones((5, 2, 1, 16, 16), np.float32)
        >>> states = memory.forward(frames)
        >>> states.shape
        (5, 2, 8, 16, 16)
        >>> memory.backward(frames, states).shape
        (5, 2, 1, 16, 16)
    """

    state_names = (*LSTMSequence.state_names, "_implementation", "_weight_grads")

    def __init__(
        self, n_in: int, n_out: int, kc: int, km: int | None = None, *, algorithm: str = "auto"
    ) -> None:
        self.check_counts(n_in=n_in, n_out=n_out)
        km = kc if km is None else km
        if kc % 2 == 0 or km % 2 == 0:
            raise ValueError(f"{self.name}: kernels must be odd to keep the map size, got kc={kc}, km={km}")
        if algorithm not in ALGORITHMS:
            known = ", ".join(ALGORITHMS)
            raise ValueError(f"{self.name}: algorithm must be one of {known}, got {algorithm!r}")
        self.kc, self.km, self.algorithm = kc, km, algorithm
        i2g = SpatialConvolution(n_in, 4 * n_out, kc, kc, 1, 1, kc // 2, kc // 2)
        o2g = SpatialConvolutionNoBias(n_out, 4 * n_out, km, km, 1, 1, km // 2, km // 2)
        super().__init__(n_in, n_out, i2g, o2g)
        self._implementation = self._made_for = self._weight_grads = None

    def update_output(self, input):
        self.check_array(input, ndim=(4, 5), sizes={-3: self.n_in})
        x = input if input.ndim == 5 else input[:, None]
        if not x.shape[1]:
            raise ValueError(f"{self.name}: input must have at least one image, got shape {input.shape}")
        self.begin_sequence(input, (x.shape[1], self.n_out, *x.shape[3:]))
        with threads.single_blas_thread():
            implementation = self._prepare(x.shape)
            implementation.set_weight(self.i2g.weight, self.o2g.weight, self.i2g.bias)
            output, cell = implementation.forward(x, self.last_output, self.last_cell)
        self.last_output, self.last_cell = output[-1].copy(), cell
        self._weight_grads = None
        self.output = output if input.ndim == 5 else output[:, 0]
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        if self._implementation is None:  # in a copy
            raise RuntimeError(f"{self.name}: call forward before backward")
        if not (self.train and self._implementation.train):
            raise RuntimeError(f"{self.name}: backward needs training mode; call training() before forward")
        g = grad_output if grad_output.ndim == 5 else grad_output[:, None]
        if self._weight_grads is not None:
            raise RuntimeError(f"{self.name}: only one backward pass per forward pass: it works in place")
        with threads.single_blas_thread():
            g, grad_cell = self.user_gradients(input, g, (g.shape[1], self.n_out, *g.shape[3:]))
            grad_input, *self._weight_grads = self._implementation.backward(
                g, grad_cell, self.starts_from_user
            )
        if self.starts_from_user:
            self.set_user_gradients(*self._implementation.grad_state, input)
        self.grad_input = grad_input if input.ndim == 5 else grad_input[:, 0]
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        if self._weight_grads is None:
            self.update_grad_input(input, grad_output)
        sums = self.i2g.grad_weight, self.o2g.grad_weight, self.i2g.grad_bias
        for total, grad in zip(sums, self._weight_grads):
            total += scale * grad

    def __getstate__(self):
        # A copy allocates its own buffers at its next forward pass.
        return {**self.__dict__, "_implementation": None}

    def describe(self):
        return f"({self.n_in} -> {self.n_out}, {self.kc}x{self.kc}, {self.km}x{self.km})"

    def _prepare(self, shape):
        """Return the implementation for this input shape and mode, a new one only if these have changed."""
        wanted = (shape, self.train, self.dtype, self.device, self.algorithm)
        if self._implementation is None or self._made_for != wanted:
            self._implementation = None
            self._implementation, self._made_for = self._new_implementation(shape), wanted
        return self._implementation

    def _new_implementation(self, shape):
        kernels = self.kc, self.km
        algorithm = (
            choose(shape, self.n_out, kernels, self.xp) if self.algorithm == "auto" else self.algorithm
        )
        implementation = GemmConvLSTM if algorithm == "gemm" else SpectralConvLSTM
        return implementation(shape, self.n_out, kernels, self.train, np.dtype(self.dtype), self.xp)


def choose(shape, n_out, kernels, xp=np):
    """Return "gemm" or "spectral", whichever `nnlite.ops.estimates` have as faster for one step both ways.

    shape: (T, N, n_in, H, W) of the input. kernels: (kc, km). xp: the library of the arrays.
    """
    on_device = estimates.on(xp)
    _, images, n_in, height, width = shape
    wide = 4 * n_out
    gemm_seconds = sum(
        on_device.gemm_seconds(operation, (images, n, height, width), (wide, n, k, k), (k // 2, k // 2))
        for n, k in zip((n_in, n_out), kernels)
        for operation in on_device.OPERATIONS
    )
    sizes = height, width, images, max(kernels), n_in + n_out, wide
    tile = on_device.choose_tile(*sizes)
    return "spectral" if on_device.spectral_step_seconds(tile, *sizes) < gemm_seconds else "gemm"
