"""The convolutional LSTM of eq. 1, one step a call, assembled gate by gate from containers."""

from ..decorators import MaskZero
from ..layers import Sigmoid, SpatialConvolution, SpatialConvolutionNoBias, Tanh
from .lstm import LSTM, Gate, memory, product, read_out


class ConvLSTM(LSTM):
    """Convolutional LSTM without peepholes (eq. 1): an LSTM whose connections are convolutions.

    The gates are `input_gate`, `forget_gate`, `cell_gate` and `output_gate`, each with `input2gate`
    (convolution of xₜ, kernel kc, with bias) and `output2gate` (convolution of hₜ₋₁, kernel km, no bias),
    both padded by half a kernel. `stride` is that of the input's convolution; the state has the
    size of its output. `batch_size` is accepted as in Torch7 and not needed: the input determines it.

    Shapes: input of one step (n_in, H, W) or (N, n_in, H, W), output, for odd kc and stride 1, (n_out, H, W)
    or (N, n_out, H, W); input2gate.weight (n_out, n_in, kc, kc), output2gate.weight (n_out, n_out, km, km).
    Forward (eq. 1, * the convolution):
        iₜ = σ(W_xi * xₜ + W_hi * hₜ₋₁ + b_i)        fₜ = σ(W_xf * xₜ + W_hf * hₜ₋₁ + b_f)
        c̃ₜ = tanh(W_xc * xₜ + W_hc * hₜ₋₁ + b_c)     cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ c̃ₜ
        oₜ = σ(W_xo * xₜ + W_ho * hₜ₋₁ + b_o)        hₜ = oₜ ⊙ tanh cₜ
    Backward: as `LSTM`.
    Errors: ValueError for an even km, wrong shapes, or another shape in the middle of a sequence.
    Source: nn.ConvLSTM (viorik/ConvLSTM); eq. 1.

        >>> memory = nn.ConvLSTM(1, 8, 10, 3, 3)  # n_in, n_out, rho, kc, km
        >>> memory.forward(np.ones((2, 1, 16, 16), np.float32)).shape
        (2, 8, 16, 16)
    """

    part_names: tuple[str, ...] = ("forget_gate", "input_gate", "cell_gate", "output_gate")

    def __init__(
        self,
        n_in: int,
        n_out: int,
        rho: int,
        kc: int,
        km: int,
        stride: int = 1,
        batch_size: int | None = None,
    ) -> None:
        if km % 2 == 0:
            raise ValueError(f"{self.name}: km must be odd, so that the state keeps its size, got {km}")
        self.kc, self.km, self.stride, self.batch_size = kc, km, stride, batch_size
        super().__init__(n_in, n_out, rho, cell2gate=False)

    def build_module(self):
        """Build the gates in Torch7's order and assemble them."""
        self.input_gate = self._gate(Sigmoid())
        self.forget_gate = self._gate(Sigmoid())
        self.cell_gate = self._gate(Tanh())
        self.output_gate = self._gate(Sigmoid())
        return memory(self.forget_gate, self.input_gate, self.cell_gate, self.output_gate)

    def check_input(self, input):
        self.check_array(input, ndim=(3, 4), sizes={-3: self.n_in})

    def state_shape(self, input):
        pad = self.kc // 2
        sizes = ((n + 2 * pad - self.kc) // self.stride + 1 for n in input.shape[-2:])
        return (*input.shape[:-3], self.n_out, *sizes)

    def describe(self):
        return f"({self.n_in} -> {self.n_out}, {self.kc}x{self.kc}, {self.km}x{self.km})"

    def _input_convolution(self):
        pad = self.kc // 2
        return SpatialConvolution(self.n_in, self.n_out, self.kc, self.kc, self.stride, self.stride, pad, pad)

    def _gate(self, activation):
        pad = self.km // 2
        input2gate = self._input_convolution()
        output2gate = SpatialConvolutionNoBias(self.n_out, self.n_out, self.km, self.km, 1, 1, pad, pad)
        return Gate(activation, input2gate, output2gate)


class UntiedConvLSTM(ConvLSTM):
    """ConvLSTM whose first step has parameters of its own.

    The first step's gates `input_gate_untied`, `cell_gate_untied` and `output_gate_untied` see only x₁
    (`input2gate`, with bias): there is no earlier state, so `user_prev_output` and `user_prev_cell` have no
    effect. All of them are trained and zeroed like the others.
    `initial_module` is the first step's (x, h, c) -> (h', c').

    Shapes: as `ConvLSTM`.
    Forward: i₁ = σ(V_i * x₁ + d_i), c̃₁ = tanh(V_c * x₁ + d_c), o₁ = σ(V_o * x₁ + d_o), c₁ = i₁ ⊙ c̃₁,
    h₁ = o₁ ⊙ tanh c₁; from the second step on eq. 1. The step counter decides: after `forget()` comes a
    first step.
    Backward and errors: as `ConvLSTM`.
    Source: nn.UntiedConvLSTM (viorik/ConvLSTM).
    """

    untied_names = ("input_gate_untied", "cell_gate_untied", "output_gate_untied")
    part_names = (*ConvLSTM.part_names, *untied_names)

    def __init__(
        self,
        n_in: int,
        n_out: int,
        rho: int,
        kc: int,
        km: int,
        stride: int = 1,
        batch_size: int | None = None,
    ) -> None:
        super().__init__(n_in, n_out, rho, kc, km, stride, batch_size)
        self.input_gate_untied = Gate(Sigmoid(), self._input_convolution())
        self.cell_gate_untied = Gate(Tanh(), self._input_convolution())
        self.output_gate_untied = Gate(Sigmoid(), self._input_convolution())
        self.initial_module = read_out(
            product(self.input_gate_untied, self.cell_gate_untied), self.output_gate_untied
        )

    def children(self):
        return [("recurrent_module", self.recurrent_module), ("initial_module", self.initial_module)]

    def mask_zero(self, n_input_dim):
        self.initial_module = MaskZero(self.initial_module, n_input_dim).type(self.dtype, self.device)
        return super().mask_zero(n_input_dim)

    def step_module(self, step):
        """Return the module that computes a step; the first step's is `initial_module`."""
        return self.initial_module if step == 0 else super().step_module(step)
