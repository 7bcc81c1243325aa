"""A convolutional LSTM computed in the frequency domain: one convolution of [xₜ, hₜ₋₁] per step.

Between the first and the last step everything stays in tiles (m, m, C, B), the layout in which each stage of
`nnlite.ops.spectral` reads and writes contiguous memory; the gates are independent of the order of pixels.
"""

from ..ops import estimates, gates, get_ops
from ..ops.spectral import SpectralConvolution, transform_length, whole_map_padding
from ..ops.threads import cache_items
from ..ops.tiles import Tiling


class SpectralConvLSTM:
    """Buffers and passes for sequences of one shape (T, N, n_in, H, W).

    On the CPU all buffers but the arrays handed out are allocated once and reused at every call. Of xₜ and
    hₜ the backward pass needs only the spectra. Where these fit `input_bytes` the convolution keeps them, and
    dx and dh overwrite the tiles of x and h; else they are made anew on the way back.
    """

    def __init__(self, shape, n_out, kernels, train, dtype, xp):
        self.steps, images, self.n_in, height, width = shape
        self.n_out, self.kernels, self.train, self.ops = n_out, kernels, train, get_ops(xp)
        kernel = max(kernels)
        n_all = self.n_in + n_out
        m = choose_tile(height, width, images, kernel, n_all, 4 * n_out, xp)
        padding = whole_map_padding(m, height, width, kernel)
        halo = kernel // 2 if padding is None else 0
        self.tiling = Tiling(images, height, width, m, (halo, halo), (halo, halo))
        batch, length = self.tiling.batch, transform_length(m, kernel, padding)
        wide, kernel_size, kept = 4 * n_out, (kernel, kernel), self.steps if train else 0
        map_bytes = (length // 2 + 1) * length * 2 * batch * dtype.itemsize
        chunk = _even_chunk(self.steps, self.ops.chunk_bytes // (map_bytes * wide))
        self.anew = self.steps * map_bytes * n_all > self.ops.input_bytes
        self.convolution = SpectralConvolution(
            n_all, wide, kernel_size, m, batch, kept, dtype, xp, chunk, padding, self.anew
        )
        self.scales = gates.row_scales(n_out, dtype, xp)
        slots = self.steps if train else 1
        self.x = xp.empty((self.steps, m, m, self.n_in, batch), dtype)
        self.u = xp.zeros((m + 2 * halo, m + 2 * halo, n_all, batch), dtype)
        self.a = xp.empty((slots, m, m, wide, batch), dtype)
        self.c = xp.empty((max(slots, 2), m, m, n_out, batch), dtype)
        self.grad_hidden, self.dc = xp.empty((2, m, m, n_out, batch), dtype)
        self.h = self.h_first = self.c_first = self.transformed = None
        self.h_shape = self.steps, m, m, n_out, batch
        if self.anew and train:
            self.du, self.dx = xp.zeros_like(self.u), xp.empty_like(self.x[:chunk])
            self.dh = xp.empty((chunk, m, m, n_out, batch), dtype)
        self.input_shape, self.output_shape = shape, (self.steps, images, n_out, height, width)

    def set_weight(self, input_weight, hidden_weight, bias):
        """Transform Wₓ (4 n_out, n_in, kc, kc), Wₕ (4 n_out, n_out, km, km) and the bias (4 n_out,).

        In evaluation, perhaps frame by frame, weights seldom change: there they are compared first.
        """
        given = input_weight, hidden_weight, bias
        if not self.train:
            if self.transformed and not _differ(self.transformed, given):
                return
            self.transformed = [array.copy() for array in given]
        joined = self.ops.xp.zeros(
            (4 * self.n_out, self.n_in + self.n_out, *self.convolution.kernel), bias.dtype
        )
        for part, weight in zip(self._parts(joined), given):
            part[...] = weight
        joined *= self.scales[:, None, None, None]
        self.convolution.set_weight(joined, bias * self.scales)

    def forward(self, x, hidden, cell):
        """Return all h, (T, N, n_out, H, W), and the last cell; start from the given state or from zero."""
        ops, tiling = self.ops, self.tiling
        self._make_h()
        ops.to_tiles(tiling, x, self.x)
        self.u.fill(0)
        self.h_first, self.c_first = self._start(hidden), self._start(cell)
        for t in range(self.steps):
            a, c, h = self.a[t % len(self.a)], self.c[t % len(self.c)], self.h[t]
            c_before = self._cell_before(t)
            self._gather(t)

            def apply_gates(w, a=a, c=c, h=h, c_before=c_before):
                before = None if c_before is None else c_before[:, w]
                ops.gates_forward(a[:, w], before, c[:, w], h[:, w])

            self.convolution.forward(self.u, a, t, epilogue=apply_gates)
            tiling.clear_outside(h)
        output = ops.xp.empty(self.output_shape, x.dtype)  # not kept: it is the caller's
        ops.from_tiles(tiling, self.h, output)
        if not (self.anew and self.train):
            self._drop_h()
        return output, self._state_of(c)

    def backward(self, grad_output, grad_cell=None, to_state=False):
        """Return the gradients with respect to the input, the two weights and the bias.

        grad_cell, to_state: as in `GemmConvLSTM.backward`.
        """
        ops, tiling, n_in, grad_hidden, dc = self.ops, self.tiling, self.n_in, self.grad_hidden, self.dc
        self._make_h()
        if self.anew:
            dx, dh, u, du, span = self.dx, self.dh, self.u, self.du, self.convolution.chunk
        else:
            dx, dh, u, du, span = self.x, self.h, None, self.u, self.steps
        grad_hidden.fill(0)
        dc.fill(0)
        if grad_cell is not None:
            ops.to_tiles(tiling, grad_cell, dc)
        grad_input, weight, bias = None, 0, 0
        for t in range(self.steps - 1, -1, -1):
            a, c, c_before, at = self.a[t], self.c[t], self._cell_before(t), t % span
            if at == span - 1 or t == self.steps - 1:
                ops.to_tiles(tiling, grad_output[t - at : t + 1], dh[: at + 1])
            dh[at] += grad_hidden
            self._gates_backward(a, c_before, c, dh[at], dc)
            if self.anew:
                self._gather(t)
            self.convolution.backward(a, du, t, u)
            ops.overlap_add(tiling, du[:, :, :n_in], dx[at])
            if t or to_state:
                ops.overlap_add(tiling, du[:, :, n_in:], grad_hidden)
            if at == 0:
                if grad_input is None:  # not before it is needed
                    grad_input = ops.xp.empty(self.input_shape, dx.dtype)
                some = grad_input[t : t + span]
                ops.from_tiles(tiling, dx[: len(some)], some)
            if t % self.convolution.chunk == 0:
                d_weight, d_bias = self.convolution.weight_gradient(t)
                weight, bias = weight + d_weight, bias + d_bias
        self._drop_h()
        self.grad_state = [self._state_of(tiles) for tiles in (grad_hidden, dc)] if to_state else None
        rows = self.scales[:, None, None, None]
        return grad_input, *(part * rows for part in self._parts(weight)), bias * self.scales

    def _make_h(self):
        if self.h is None:
            self.h = self.ops.xp.empty(self.h_shape, self.c.dtype)

    def _gather(self, t):
        """Make u the input of the convolution at step t."""
        ops, before = self.ops, self.h[t - 1] if t else self.h_first
        ops.gather_halo(self.tiling, self.x[t], self.u[:, :, : self.n_in])
        if before is None:
            self.u[:, :, self.n_in :] = 0
        else:
            ops.gather_halo(self.tiling, before, self.u[:, :, self.n_in :])

    def _drop_h(self):
        if not self.ops.keeps_scratch:
            self.h = None

    def _state_of(self, tiles):
        """Return the state (N, n_out, H, W) of one step from its tiles."""
        state = self.ops.xp.empty(self.output_shape[1:], tiles.dtype)
        self.ops.from_tiles(self.tiling, tiles, state)
        return state

    def _parts(self, joined):
        """Return the views of Wₓ and Wₕ in one weight for [xₜ, hₜ₋₁], where the smaller kernel is padded."""
        channels = joined[:, : self.n_in], joined[:, self.n_in :]
        margins = [(max(self.kernels) - k) // 2 for k in self.kernels]
        return [part[:, :, m : m + k, m : m + k] for part, m, k in zip(channels, margins, self.kernels)]

    def _gates_backward(self, a, c_before, c, dh, dc):
        """Run the gates' backward pass in slabs that stay in the cache of one worker."""

        def slab(rows):
            before = None if c_before is None else c_before[rows]
            self.ops.gates_backward(a[rows], before, c[rows], dh[rows], dc[rows])

        self.ops.parallel_for(slab, len(a), cache_items(a[0].nbytes))

    def _cell_before(self, t):
        """Return the cell before step t, None for zero."""
        return self.c[(t - 1) % len(self.c)] if t else self.c_first

    def _start(self, state):
        """Return a remembered state as tiles, None for zero."""
        if state is None:
            return None
        tiles = self.ops.xp.empty_like(self.c[0])
        self.ops.to_tiles(self.tiling, state, tiles)
        return tiles


def choose_tile(height, width, images, kernel, n_in, n_out, xp):
    """Return the tile size with the least estimated time where the arrays of `xp` are."""
    return estimates.on(xp).choose_tile(height, width, images, kernel, n_in, n_out)


def _even_chunk(steps, fitting):
    """Return how many of the steps to take at once, at most `fitting`, for chunks of about equal length."""
    chunks = -(-steps // max(1, fitting))
    return -(-steps // chunks)


def _differ(some, others):
    """Return whether any of the arrays differs from its counterpart; this waits for the GPU once."""
    return bool(sum((a != b).any() for a, b in zip(some, others)))
