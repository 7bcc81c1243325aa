"""The frame itself as what S moves, in place of its features: zero flow is then a copy of the last frame."""

from typing import Any

import nnlite as nn
from nnlite.layers.activation import sigmoid
from nnlite.ops import pooling
from nnlite.typing import Backprop

from .flow_regressor import UpSamplingFlow
from .parts import ModuleGraph

#: Initial bias of the gate: σ(-7) = 0.0009 of the residual is added.
GATE_BIAS = -7.0


class FrameSampling(ModuleGraph):
    """Move frames at full resolution by the up-sampled flow, and add a residual where a gate is open.

    Shapes: input the table [Y, T, d]: frames (B, C, 2h, 2w), flow maps (B, 2, h, w) in grid units, and the
        output of the decoder (B, C + 1, 2h, 2w), whose first C channels are the residual r and whose last is
        the gate a; output as Y. With `gated`, [Y, T, d, m]: another gate m (B, 1, h, w) from 0 to 1.
    Forward: y = S(Y, clamp(GG(U(T)))) + σ(a) ⊙ r, with U `UpSamplingFlow` and one gate for all channels of a
        pixel. Positions are clamped to the frame, so that what comes into the picture from outside is guessed
        to go on like its border. With T = 0 and r = 0 that is Y, up to the rounding of the positions. With m
        the last term is σ(a) ⊙ u(m) ⊙ r, u repeating each entry over the 2x2 pixels of its feature pixel.
    Backward: S's backward pass turns g into the gradients of Y and of the positions, zero where these were
        clamped, and Uᵀ the latter into that of T; grad r = g ⊙ σ(a), grad a = σ(a) (1 - σ(a)) Σ_c g_c r_c;
        with m both are times u(m), and grad m = uᵀ(σ(a) Σ_c g_c r_c), the sum over the 2x2 pixels.
    Errors: TypeError unless the input is a table; ValueError for other shapes.
    Source: no part of the paper, whose section 5.1 names warping at half resolution as a source of blur.
    """

    state_names = (*ModuleGraph.state_names, "gate", "opened")

    def __init__(self, height: int, width: int, n_channels: int, gated: bool = False) -> None:
        super().__init__()
        self.height, self.width, self.n_channels, self.gated = height, width, n_channels, gated
        self.upsampling = UpSamplingFlow(height // 2, width // 2)
        self.grid = nn.Sequential(
            nn.AffineGridGeneratorOpticalFlow2D(height, width), channels_last(), nn.Clamp(-1, 1)
        )
        self.image = channels_last()
        self.sampler = nn.Sequential(nn.BilinearSamplerBHWD(), nn.Transpose((1, 3), (2, 3)))
        self.modules = [module for _, module in self.children()]
        self.gate: Any = None
        self.opened: Any = None  # the gate times that from outside, if any

    def children(self):
        return [(name, getattr(self, name)) for name in ("upsampling", "grid", "image", "sampler")]

    def update_output(self, input):
        frames, flow, decoded, *gates = self._checked(input)
        grids = self.grid.forward(self.upsampling.forward(flow))
        moved = self.sampler.forward([self.image.forward(frames), grids])
        self.gate = sigmoid(decoded[:, -1:])
        self.opened = self.gate
        for gate in gates:
            self.opened = self.opened * pooling.upsample(gate, 2)
        self.output = moved + self.opened * decoded[:, :-1]
        return self.output

    def backpropagate(self, input: Any, grad_output: Any, backprop: Backprop) -> Any:
        """Take the gradient to frames, flow and decoder; `backprop` does one module."""
        frames, flow, decoded, *gates = self._checked(input)
        self.check_grad_output(grad_output)
        g_image, g_grid = backprop(self.sampler, [self.image.output, self.grid.output], grad_output)
        g_fine = backprop(self.grid, self.upsampling.output, g_grid)
        g_opened = (grad_output * decoded[:, :-1]).sum(axis=1, keepdims=True)
        g_gates = [pooling.upsample_grad_input(g_opened * self.gate, 2) for _ in gates]
        g_decoded = [grad_output * self.opened, g_opened * self.opened * (1 - self.gate)]
        self.grad_input = [
            backprop(self.image, frames, g_image),
            backprop(self.upsampling, flow, g_fine),
            self.xp.concatenate(g_decoded, axis=1),
            *g_gates,
        ]
        return self.grad_input

    def describe(self):
        return f"({self.n_channels} x {self.height} x {self.width})"

    def _checked(self, input):
        """Check the table and return its arrays."""
        self.check_table(input, size=3 + self.gated)
        frames, flow, decoded, *gates = input
        size = {-2: self.height, -1: self.width}
        self.check_array(frames, "frames", ndim=4, sizes={-3: self.n_channels} | size)
        self.check_array(flow, "flow", shape=(len(frames), 2, self.height // 2, self.width // 2))
        for gate in gates:
            self.check_array(gate, "gate", shape=(len(frames), 1, self.height // 2, self.width // 2))
        self.check_array(decoded, "decoded", shape=(len(frames), self.n_channels + 1, *frames.shape[-2:]))
        return input


def shut(convolution: Any) -> None:
    """Set the last layer of a decoder so that at first nothing is added, and then little.

    All weights are zero, so the prediction begins as the moved frame alone. They learn all the same: their
    gradient is σ(a) times the error. The bias of the gate makes σ(a) small. The steps of optimisers like Adam
    and Muon are as long as the learning rate says, however small the gradient, and so is their noise; over
    hundreds of weights it shows on pixels that stand still. Behind σ(-4) = 0.018 it still did.
    """
    convolution.weight.fill(0)
    convolution.bias.fill(0)
    convolution.bias[-1] = GATE_BIAS


def channels_last() -> nn.Transpose:
    """Return the module from (B, C, H, W) to the sampler's (B, H, W, C)."""
    return nn.Transpose((1, 3), (1, 2))
