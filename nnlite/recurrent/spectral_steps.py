"""The steps of a convolutional LSTM in the frequency domain: one convolution of [xₜ, hₜ₋₁] a step.

Between the first and the last step everything stays in tiles (m, m, maps, B), the layout in which each
stage of `nnlite.ops.spectral` reads and writes contiguous memory; the gates do not care where a pixel is.
"""

from ..ops import gates
from ..ops.spectral import SpectralConvolution, choose_tile, transform_length, whole_map_padding
from ..ops.threads import in_cache, split
from ..ops.tiles import Tiling

#: Bytes of output-gradient spectra to keep before they are turned into weight gradients.
CHUNK_BYTES = 72 << 20


class SpectralSteps:
    """Buffers and passes for sequences of one shape (T, N, n_in, H, W).

    All buffers but those handed out are made here and used again at every call. What the backward pass needs
    of xₜ and hₜ are their spectra, which the convolution keeps: it overwrites the tiles of x with dx and
    those of h with dh.
    """

    def __init__(self, shape, n_out, kernels, train, dtype, xp):
        self.steps, images, self.n_in, height, width = shape
        self.n_out, self.kernels, self.train, self.xp = n_out, kernels, train, xp
        kernel = max(kernels)
        n_all, halo = self.n_in + n_out, kernel // 2
        m = choose_tile(height, width, images, kernel, n_all, 4 * n_out)
        padding = whole_map_padding(m, height, width, kernel)
        reach = halo if padding is None else 0
        self.tiling = Tiling(images, height, width, m, (reach, reach), (reach, reach))
        batch, length = self.tiling.batch, transform_length(m, kernel, padding)
        wide, kernel_size, kept = 4 * n_out, (kernel, kernel), self.steps if train else 0
        chunk = _even_chunk(self.steps, (length // 2 + 1) * length * 2 * wide * batch * dtype.itemsize)
        self.convolution = SpectralConvolution(
            n_all, wide, kernel_size, m, batch, kept, dtype, xp, chunk, padding
        )
        self.scales = gates.row_scales(n_out, dtype, xp)
        slots = self.steps if train else 1
        self.x = xp.empty((self.steps, m, m, self.n_in, batch), dtype)
        self.u = xp.zeros((m + 2 * reach, m + 2 * reach, n_all, batch), dtype)
        self.a = xp.empty((slots, m, m, wide, batch), dtype)
        self.c = xp.empty((max(slots, 2), m, m, n_out, batch), dtype)
        self.h = xp.empty((self.steps, m, m, n_out, batch), dtype)
        self.sent, self.dc = xp.empty((2, m, m, n_out, batch), dtype)
        self.c_first = self.transformed = None
        self.input_shape, self.output_shape = shape, (self.steps, images, n_out, height, width)

    def set_weight(self, input_weight, hidden_weight, bias):
        """Transform Wₓ (4 n_out, n_in, kc, kc), Wₕ (4 n_out, n_out, km, km) and the bias (4 n_out,).

        When evaluating, frame by frame perhaps, weights seldom change: then they are compared first.
        """
        given = input_weight, hidden_weight, bias
        if not self.train:
            if self.transformed and not _differ(self.transformed, given):
                return
            self.transformed = [array.copy() for array in given]
        joined = self.xp.zeros((4 * self.n_out, self.n_in + self.n_out, *self.convolution.kernel), bias.dtype)
        for part, weight in zip(self._parts(joined), given):
            part[...] = weight
        joined *= self.scales[:, None, None, None]
        self.convolution.set_weight(joined, bias * self.scales)

    def forward(self, x, hidden, cell):
        """Return all h, (T, N, n_out, H, W), and the last cell; start from the given state or from zero."""
        xp, tiling = self.xp, self.tiling
        tiling.cut(x, self.x, xp)
        self.u.fill(0)
        h_before, self.c_first = self._start(hidden), self._start(cell)
        for t in range(self.steps):
            a, c, h = self.a[t % len(self.a)], self.c[t % len(self.c)], self.h[t]
            c_before = self._cell_before(t)
            tiling.spread(self.x[t], self.u[:, :, : self.n_in])
            if h_before is not None:
                tiling.spread(h_before, self.u[:, :, self.n_in :])

            def gate(w, a=a, c=c, h=h, c_before=c_before):
                before = None if c_before is None else c_before[:, w]
                gates.forward(a[:, w], before, c[:, w], h[:, w], xp)

            self.convolution.forward(self.u, a, t, gate)
            tiling.clear_outside(h)
            h_before = h
        output = xp.empty(self.output_shape, x.dtype)  # not kept: it is the caller's
        tiling.join(self.h, output, xp)
        return output, self._joined(c)

    def backward(self, grad_output, grad_cell=None, to_state=False):
        """Return d input, and the gradients of the two weights and of the bias.

        grad_cell, to_state: as in `GemmSteps.backward`.
        """
        tiling, n_in, dx, du, sent, dc = self.tiling, self.n_in, self.x, self.u, self.sent, self.dc
        tiling.cut(grad_output, self.h, self.xp)
        sent.fill(0)
        dc.fill(0)
        if grad_cell is not None:
            tiling.cut(grad_cell, dc, self.xp)
        weight = bias = 0
        for t in range(self.steps - 1, -1, -1):
            a, c, c_before = self.a[t], self.c[t], self._cell_before(t)
            dh = self.h[t]
            dh += sent
            self._gates_backward(a, c_before, c, dh, dc)
            self.convolution.backward(a, du, t)
            tiling.fold(du[:, :, :n_in], dx[t])
            if t or to_state:
                tiling.fold(du[:, :, n_in:], sent)
            if t % self.convolution.chunk == 0:
                d_weight, d_bias = self.convolution.weight_gradient(t)
                weight, bias = weight + d_weight, bias + d_bias
        self.grad_state = [self._joined(tiles) for tiles in (sent, dc)] if to_state else None
        grad_input = self.xp.empty(self.input_shape, dx.dtype)
        tiling.join(dx, grad_input, self.xp)
        rows = self.scales[:, None, None, None]
        return grad_input, *(part * rows for part in self._parts(weight)), bias * self.scales

    def _joined(self, tiles):
        """Return a state in tiles as (N, n_out, H, W)."""
        state = self.xp.empty(self.output_shape[1:], tiles.dtype)
        self.tiling.join(tiles, state, self.xp)
        return state

    def _parts(self, joined):
        """Return the views of Wₓ and Wₕ in one weight for [xₜ, hₜ₋₁], where the smaller kernel is padded."""
        maps = joined[:, : self.n_in], joined[:, self.n_in :]
        margins = [(max(self.kernels) - k) // 2 for k in self.kernels]
        return [part[:, :, m : m + k, m : m + k] for part, m, k in zip(maps, margins, self.kernels)]

    def _gates_backward(self, a, c_before, c, dh, dc):
        """Run the gates' derivative slab by slab, so that each stays in the cache of one worker."""
        xp = self.xp

        def slab(rows):
            before = None if c_before is None else c_before[rows]
            gates.backward(a[rows], before, c[rows], dh[rows], dc[rows], xp)

        split(in_cache(slab, a[0].nbytes, xp), len(a), xp)

    def _cell_before(self, t):
        """Return the cell of the step before t, None for zero."""
        return self.c[(t - 1) % len(self.c)] if t else self.c_first

    def _start(self, state):
        """Return a remembered state as tiles, None for zero."""
        if state is None:
            return None
        tiles = self.xp.empty_like(self.h[0])
        self.tiling.cut(state, tiles, self.xp)
        return tiles


def _even_chunk(steps, step_bytes):
    """Return how many steps at once fit into CHUNK_BYTES, if all chunks are to have about as many."""
    chunks = -(-steps // max(1, CHUNK_BYTES // step_bytes))
    return -(-steps // chunks)


def _differ(some, others):
    """Say whether any of the arrays differs from its counterpart; the GPU is waited for once."""
    return bool(sum((a != b).any() for a, b in zip(some, others)))
