"""Θ, the optical flow prediction of section 3.2.2, and the units of its flow."""

from typing import Any

import nnlite as nn
from nnlite.ops import pooling
from nnlite.typing import Number

from .parts import convolution, initialise_layers


class PixelsToGrid(nn.Module):
    """Scale a flow in pixels of an h x w map to the units of the sampler's grid, where a side is 2 long.

    Shapes: input and output (B, 2, h, w), channel 0 = y, channel 1 = x.
    Forward: (t_y, t_x) = (2/h · p_y, 2/w · p_x).
    Backward: grad_input = (2/h · g_y, 2/w · g_x). The factors are constants: trainable in the published
    flow.lua (two nn.Mul), fixed here.
    Errors: ValueError for another shape.
    Source: flow.lua of the published code.
    """

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width

    def update_output(self, input):
        self.check_array(input, ndim=4, sizes={-3: 2, -2: self.height, -1: self.width})
        self.output = self._scaled(input)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self._scaled(grad_output)
        return self.grad_input

    def describe(self):
        return f"({self.height}x{self.width})"

    def _scaled(self, x):
        y = self.xp.empty_like(x)
        self.xp.multiply(x[:, 0], 2.0 / self.height, out=y[:, 0])
        self.xp.multiply(x[:, 1], 2.0 / self.width, out=y[:, 1])
        return y


class UpSamplingFlow(nn.Module):
    """Bring the flow of feature maps to their pictures, twice as large: each in the units of its own grid.

    In grid units the centres of the first and the last pixel are 2 apart. In a map that is h - 1 feature
    pixels, of two picture pixels each; in its picture it is 2h - 1 picture pixels. A block of 2x2 pixels
    moves like its feature pixel.

    Shapes: input (B, 2, h, w), channel 0 = y, channel 1 = x; output (B, 2, 2h, 2w).
    Forward: y[c, p, q] = s_c x[c, ⌊p/2⌋, ⌊q/2⌋], s = (2 (h - 1)/(2h - 1), 2 (w - 1)/(2w - 1)).
    Backward: grad_input[c, r, s] = s_c · Σ of g over the block of x[c, r, s].
    Errors: ValueError for another shape.
    Source: section 5.2; the paper does not specify how the flow is brought to the size of the labels.
    """

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width
        self.factors = [2 * (n - 1) / (2 * n - 1) for n in (height, width)]

    def update_output(self, input):
        self.check_array(input, ndim=4, sizes={-3: 2, -2: self.height, -1: self.width})
        self.output = self._scaled(pooling.upsample(input, 2))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self._scaled(pooling.upsample_grad_input(grad_output, 2))
        return self.grad_input

    def describe(self):
        return f"({self.height}x{self.width})"

    def _scaled(self, flow):
        """Multiply the channels of `flow` by their factors, in place, and return it."""
        for channel, factor in enumerate(self.factors):
            flow[:, channel] *= factor
        return flow


def flow_regressor(
    n_memory: int, height: int, width: int, kernel: int = 15, limit: Number = 0.5, shrink: Number = 0.0
) -> nn.Sequential:
    """Return Θ: (B, n_memory, h, w) to a flow map T (B, 2, h, w) in grid units, within ±limit.

    Two large convolutions without bias (their range limits the flow) and a 1x1 convolution with bias that
    starts at zero, so that training starts from zero flow. A reconstruction: it is the layout of the
    published code whose parameter count matches the paper's 1,035,067.

    shrink: feature pixels by which each component is drawn towards zero, so that the flow can be exactly zero
    in many places at once; 0 for none. There nothing is learned, and a last layer of zeros would stay what
    it is; so with it the last layer is drawn like the others.
    """
    if not 0 <= shrink < float("inf"):
        raise ValueError(f"shrink must be a number of pixels from 0 on, got {shrink!r}")
    large = nn.Sequential(convolution(n_memory, 2, kernel).no_bias(), convolution(2, 2, kernel).no_bias())
    initialise_layers(large)
    last = convolution(2, 2, 1)
    if shrink:
        initialise_layers(last)
    else:
        last.weight.fill(0)
        last.bias.fill(0)
    net = nn.Sequential(*large, last)
    if shrink:
        net.add(nn.SoftShrink(shrink))
    return net.add(PixelsToGrid(height, width)).add(nn.Clamp(-limit, limit))


class CoarseFlow(nn.Sequential):
    """Flow regressed from memories at half, a quarter, ... of their size, and brought to their size.

    Shapes: input (B, n_memory, h, w), h and w multiples of 2^(scales - 1); output (B, 2, h, w) in grid units.
    Forward: y = Σ_{k=1}^{scales-1} U^k Θ_k(P^k h), with P the mean of 2x2 pixels, U `UpSamplingFlow`, and
        each Θ_k a `flow_regressor` of its own. Kernels of the same size see 2^k times as far there.
    Backward: g reaches each Θ_k through (Uᵀ)^k; grad_input is the sum of what comes back through (Pᵀ)^k.
    Errors: as its modules.
    Source: no part of the paper; coarse to fine as in pyramidal optical flow.
    """

    def __init__(self, n_memory: int, height: int, width: int, kernel: int, scales: int) -> None:
        branches = nn.ConcatTable()
        self.last_layers: list[Any] = []
        for k in range(1, scales):
            sizes = [(height // 2**j, width // 2**j) for j in range(k, 0, -1)]
            regressor = flow_regressor(n_memory, *sizes[0], kernel)
            self.last_layers.append(regressor[2])
            smaller = nn.SpatialAveragePooling(2**k, 2**k, 2**k, 2**k)
            branches.add(nn.Sequential(smaller, regressor, *(UpSamplingFlow(*size) for size in sizes)))
        super().__init__(branches, nn.CAddTable())
