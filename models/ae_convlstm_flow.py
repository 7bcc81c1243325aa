"""AE-ConvLSTM-flow, the paper's spatio-temporal video autoencoder (Figure 1)."""

from typing import Any

import nnlite as nn
from nnlite.typing import Array, Backprop, Number

from .change_gate import ChangeGate
from .flow_regressor import CoarseFlow, flow_regressor
from .frame_sampling import FrameSampling, channels_last, shut
from .parts import (
    ModuleGraph,
    check_size,
    conv_memory,
    decoder,
    encoder,
    initialise_layers,
    initialise_memory,
)


class AEConvLSTMFlow(ModuleGraph):
    """Predict the next frame by moving the present one along a flow regressed from a memory of the past.

        x_t = E(Y_t),   h_t = LSTM(x_1..x_t),   T_t = H(Θ(h_t)),   Ỹ_{t+1} = D(S(x_t, GG(T_t)))

    Shapes: input (T, N, C, H, W), H and W even; output of the same shape, entry t predicting frame t + 1;
    with `flow_output` the table of that and of T (T, N, 2, H/2, W/2), in grid units.
    Forward: as above; with sample="frame" (see `FrameSampling`) S moves the frame itself and D adds to it:
        [r, a] = D(S(x_t, GG(T_t))),   Ỹ_{t+1} = S(Y_t, clamp(GG(U(T_t)))) + σ(a) ⊙ r;
    with `change`, T_t = H(m_t ⊙ Θ(h_t)) and m_t ⊙ σ(a) for σ(a), m_t being `ChangeGate`; with `scales`,
    Θ + `CoarseFlow` for Θ.
    Backward: the error of a prediction reaches the encoder twice, through the sampled features and through
    the memory that determines the sampling positions; H adds the gradient of its smoothness penalty.
    After a forward pass `flow` is (T, N, 2, H, W), the predicted motion (u, v) in input pixels.
    While the attribute `hold_flow` is True, T is the constant zero: memory and Θ are not run and learn
    nothing.

    height, width: of the frames. n_channels: 1 grey, 3 RGB. n_features: of E and D. n_memory: maps of the
    memory. kernel, flow_kernel: of the convolutions and of Θ. penalty: form of H ("paper", "isotropic",
    "published"); penalty_weight 0 omits H. output: "sigmoid" or "linear". forget_bias: initial
    bias of the forget gate. untied: parameters of its own for the memory's first step, as in the published
    code. flow_output: whether T is an output too, for models that use it. sample: what S moves, "features"
    as in the paper or "frame", which needs the output "linear"; at first the latter copies the last frame.
    shrink: pixels of the frame by which both components of the flow are drawn towards zero, see
    `flow_regressor`. change: by how much a frame must differ from the one before for anything to move there,
    see `ChangeGate`; 0 for no such gate. scales: at how many sizes of the memory's maps a flow is regressed.
    1,035,067 parameters with the defaults, 785 more with sample="frame", 29,706 more for each further scale.
    """

    mode_names = (*nn.Module.mode_names, "hold_flow")
    state_names = (*ModuleGraph.state_names, "regressed")

    def __init__(
        self,
        height: int = 64,
        width: int = 64,
        n_channels: int = 1,
        n_features: int = 16,
        n_memory: int = 64,
        kernel: int = 7,
        flow_kernel: int = 15,
        penalty: str = "paper",
        penalty_weight: Number = 0.01,
        output: str = "sigmoid",
        forget_bias: Number = 1.0,
        untied: bool = False,
        flow_output: bool = False,
        sample: str = "features",
        shrink: Number = 0.0,
        change: Number = 0.0,
        scales: int = 1,
    ) -> None:
        super().__init__()
        self.check_counts(scales=scales)
        check_size(self, height, width, 2**scales)
        if sample not in ("features", "frame"):
            raise ValueError(f"{self.name}: sample must be 'features' or 'frame', got {sample!r}")
        if sample == "frame" and output != "linear":
            raise ValueError(
                f"{self.name}: sample='frame' adds to the frame and needs output='linear', got {output!r}"
            )
        self.hold_flow, self.regressed = False, None
        h, w = height // 2, width // 2
        self.height, self.width, self.n_channels = height, width, n_channels
        self.flow_output = flow_output
        self.encoder = encoder(n_channels, n_features, kernel)
        self.decoder = decoder(n_features, n_channels + (sample == "frame"), kernel, output)
        self.memory = conv_memory(n_features, n_memory, kernel, untied)
        self.regressor = flow_regressor(n_memory, h, w, flow_kernel, shrink=shrink / 2)
        self.penalty = (
            nn.SmoothHuberPenalty(penalty_weight, form=penalty) if penalty_weight else nn.Identity()
        )
        self.coarse = CoarseFlow(n_memory, h, w, flow_kernel, scales) if scales > 1 else None
        self.gate = ChangeGate(n_channels, change) if change else None
        self.grid = nn.Sequential(nn.AffineGridGeneratorOpticalFlow2D(h, w), channels_last())
        self.image = channels_last()
        self.sampler = nn.Sequential(nn.BilinearSamplerBHWD(), nn.Transpose((1, 3), (2, 3)))
        self.frame = FrameSampling(height, width, n_channels, bool(change)) if sample == "frame" else None
        initialise_layers(self.encoder, self.decoder)
        if self.frame:
            shut(self.decoder[-1])
        initialise_memory(self.memory, forget=forget_bias)
        self.modules = [module for _, module in self.children()]

    def children(self):
        names = ("encoder", "memory", "regressor", "penalty", "grid", "image", "sampler", "decoder")
        found = [(name, getattr(self, name)) for name in names]
        optional = [(name, getattr(self, name)) for name in ("frame", "coarse", "gate")]
        return found + [(name, module) for name, module in optional if module]

    def update_output(self, input):
        self.check_array(input, ndim=5, sizes={-3: self.n_channels, -2: self.height, -1: self.width})
        x = self.encoder.forward(_fold(input))
        self.regressed = self._regressed(_unfold(x, input))
        gates = [_fold(self.gate.forward(input))] if self.gate else []
        flow = self.penalty.forward(gates[0] * self.regressed if gates else self.regressed)
        warped = self.sampler.forward([self.image.forward(x), self.grid.forward(flow)])
        predicted = self.decoder.forward(warped)
        if self.frame:
            predicted = self.frame.forward([_fold(input), flow, predicted, *gates])
        frames = _unfold(predicted, input)
        self.output = [frames, _unfold(flow, input)] if self.flow_output else frames
        return self.output

    @property
    def flow(self) -> Array:
        """The motion (u, v) of the last forward pass in input pixels, (T, N, 2, H, W).

        Entry t is, for every pixel of the predicted frame t + 1, the motion of its content since frame t.
        S reads frame t at o + T(o), so the motion is -T; a grid side of 2 is (w - 1) feature pixels, of two
        input pixels each.
        """
        flow = self.penalty.output
        h, w = flow.shape[-2:]
        motion = self.xp.stack([-(w - 1) * flow[:, 1], -(h - 1) * flow[:, 0]], axis=1)
        frames = self.output[0] if self.flow_output else self.output
        return _unfold(motion.repeat(2, axis=-2).repeat(2, axis=-1), frames)

    @property
    def has_flow(self) -> bool:
        """Whether T can differ from zero: the last layer of Θ, with `shrink` from the start, is not zero."""
        last = [self.regressor[2], *(self.coarse.last_layers if self.coarse else ())]
        return any(bool(weight.any()) for layer in last for weight in layer.parameters()[0])

    def _regressed(self, x):
        """Return Θ, of all scales, of the memory of the features x (T, N, C, h, w), as (T·N, 2, h, w)."""
        if self.hold_flow:
            t, n, _, h, w = x.shape
            return self.xp.zeros((t * n, 2, h, w), x.dtype)
        h = _fold(self.memory.forward(x))
        flow = self.regressor.forward(h)
        return flow + self.coarse.forward(h) if self.coarse else flow

    def backpropagate(self, input: Any, grad_output: Any, backprop: Backprop) -> Any:
        """Take the gradient from D to E; `backprop(module, its input, its grad_output)` does one module."""
        g_frames, g_flow_output = self._checked_grad_output(grad_output)
        g_decoded, g_flows = _fold(g_frames), [] if g_flow_output is None else [_fold(g_flow_output)]
        g_gates = []
        if self.frame:
            gates = [_fold(self.gate.output)] if self.gate else []
            moved = [_fold(input), self.penalty.output, self.decoder.output, *gates]
            g_moved, g_flow, g_decoded, *g_gates = backprop(self.frame, moved, g_decoded)
            g_flows.append(g_flow)
        g_x, g_grid = self._through_sampler(g_decoded, backprop)
        if not self.hold_flow:
            g_flows.insert(0, backprop(self.grid, self.penalty.output, g_grid))
            x = _unfold(self.encoder.output, input)
            g_x = g_x + _fold(self._through_memory(x, g_flows, g_gates, backprop))
        g_input = backprop(self.encoder, _fold(input), g_x)
        g_input = _unfold(g_input + g_moved if self.frame else g_input, input)
        if g_gates:
            g_input = g_input + backprop(self.gate, input, _unfold(sum(g_gates), input))
        self.grad_input = g_input
        return self.grad_input

    def _through_sampler(self, g_decoded, backprop):
        """Take the gradient of D's output to the features, all but what T has of it, and to the grid.

        What is needed on the way is gone when the memory's turn comes, which needs most.
        """
        g_warped = backprop(self.decoder, self.sampler.output, g_decoded)
        g_image, g_grid = backprop(self.sampler, [self.image.output, self.grid.output], g_warped)
        return backprop(self.image, self.encoder.output, g_image), g_grid

    def _through_memory(self, x, g_flows, g_gates, backprop):
        """Take the gradients of T to the features x; add that of the gate, if any, to the list `g_gates`."""
        g_flow = sum(g_flows[1:], g_flows[0])
        g_regressed = backprop(self.penalty, self.penalty.output, g_flow)
        if self.gate:
            g_gates.append((g_regressed * self.regressed).sum(axis=1, keepdims=True))
            g_regressed = g_regressed * _fold(self.gate.output)
        g_h = backprop(self.regressor, _fold(self.memory.output), g_regressed)
        if self.coarse:
            g_h = g_h + backprop(self.coarse, _fold(self.memory.output), g_regressed)
        return backprop(self.memory, x, _unfold(g_h, x))

    def _checked_grad_output(self, grad_output):
        """Return the gradients with respect to the frames and T; None for T where it is no output."""
        if not self.flow_output:
            self.check_grad_output(grad_output)
            return grad_output, None
        if self.output is None:
            raise RuntimeError(f"{self.name}: call forward before backward")
        self.check_table(grad_output, "grad_output", size=2)
        for g, y in zip(grad_output, self.output):
            self.check_grad_output(g, y.shape)
        return grad_output


def _fold(x):
    """Return (T, N, ...) as (T·N, ...): modules without memory process all frames at once."""
    return x.reshape(-1, *x.shape[2:])


def _unfold(x, like):
    """Return (T·N, ...) as (T, N, ...), T and N those of `like`."""
    return x.reshape(*like.shape[:2], *x.shape[1:])
