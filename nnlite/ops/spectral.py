"""Convolution in the frequency domain, tiled (overlap-save), with exact adjoints.

A 7x7 convolution from 64 to 256 channels costs 49 · 64 · 256 multiplications per pixel. On tiles of L x L it
becomes one (256 x 64) complex product for each of the L · (L/2 + 1) frequencies, 10 to 18 times fewer.
A tile yields m x m outputs, m = L - k + 1, from L x L inputs: neighbouring tiles share k - 1 of them. A tile
that is the whole map has only zeros around it, and since the L numbers are periodic, the zeros before it
also serve as those after it: L = m + k/2 is enough, and the inputs are m x m.

Layout. Input tiles u are (s, s, n_in, B) with s = L or m, output tiles z are (m, m, n_out, B): B counts all
tiles of all images of a batch, so that one product per frequency serves them all. R, C are the forward and
R', C' the inverse DFT matrices of `dft`. Of the kernel's conjugate spectrum, (n_out, n_in) for each frequency
f, real and imaginary part lie side by side, Ŵ(f) = [Re Im]. Read as n_in real and n_in imaginary parts, û(f)
gives with Ŵ(f) the real parts of ẑ(f), and -iû(f) its imaginary parts; so C makes both, ũ = (û, -iû):

    ũ = C (R u),    ẑ(f) = Ŵ(f) ũ(f),    z = R' (C' ẑ).

Every stage is a real matrix product, so the derivatives are products with the transposes:

    dẑ = C'ᵀ (R'ᵀ dz),    dũ(f) = Ŵ(f)ᵀ dẑ(f),    du = Rᵀ (Cᵀ dũ),    dŴ(f) = Σ over steps dẑ(f) ũ(f)ᵀ.

When there are few tiles, the weights' spectra are most of what a step reads; this way each is read once.
"""

from . import dft, get_ops
from .threads import cache_items, slices

#: For how many column frequencies at once the weights' gradients are computed where these are blocked.
FREQUENCIES = 8


class SpectralConvolution:
    """A stride-1 cross-correlation of tiles, applied at every step of a sequence with the same weights.

    `set_weight` transforms the weights once per sequence. `forward` and `backward` run one step each;
    `backward` keeps the spectra of output gradients for the last `chunk` steps, and `weight_gradient` turns
    these and those of inputs into the gradients of weight and bias with one product per frequency. Spectra
    of inputs are kept by `forward` for all steps, or with `anew` made once more by `backward`, which takes
    less memory. On the CPU all buffers but the spectra of a few frequencies are allocated once.

    n_in, n_out: channels. kernel: (kh, kw). tile: m, for outputs (m, m) per tile. batch: B, tiles times
    images. steps: of a sequence, 0 without a backward pass. padding: None for tiles with neighbours; for
    tiles that are whole maps, the number of zeros before each axis.
    """

    def __init__(
        self, n_in, n_out, kernel, tile, batch, steps, dtype, xp, chunk=None, padding=None, anew=False
    ):
        self.n_in, self.n_out, self.tile, self.batch = n_in, n_out, tile, batch
        self.kernel, self.steps, self.ops = kernel, steps, get_ops(xp)
        self.length = length = transform_length(tile, max(kernel), padding)
        self.side = side = length if padding is None else tile
        self.half = half = length // 2 + 1
        first = padding or 0

        def constant(matrix):
            return xp.asarray(matrix.astype(dtype))

        self.rows_in = constant(dft.rows_forward(length, side, first))
        self.columns_in = constant(dft.columns_forward_twice(length, side, first))
        self.columns_in_once = constant(dft.columns_forward(length, side, first))
        self.rows_out = constant(dft.rows_inverse(length, tile))
        self.columns_out = constant(dft.columns_inverse(length, tile))
        self.rows_kernel = constant(dft.rows_forward(length, kernel[0]))
        self.columns_kernel = constant(dft.columns_forward(length, kernel[1]))

        self.spectrum = xp.empty((half, length, n_out, 2, n_in), dtype)
        self.u_rows = xp.empty((half, 2 * side, n_in * batch), dtype)
        self.z_rows = xp.empty((half, 2 * tile, n_out * batch), dtype)
        self.chunk = steps if chunk is None else min(steps, chunk)
        self.anew = anew
        self.kept_u = None if anew else self._input_spectra(steps)
        self.kept_z = None  # made by the first step of a backward pass, and kept_u too with `anew`

    def set_weight(self, weight, bias=None):
        """Transform weight (n_out, n_in, kh, kw); bias (n_out,) is added through the zero frequency."""
        ops, (kh, kw) = self.ops, self.kernel
        row_bytes = 2 * self.length * self.n_in * weight.itemsize

        def transform(o):
            taps = ops.xp.ascontiguousarray(weight[o].transpose(2, 3, 0, 1))
            rows = ops.matmul(self.rows_kernel, taps.reshape(kh, -1)).reshape(self.half, 2 * kw, -1)
            outputs = o.stop - o.start
            for f in ops.blocked(slice(0, self.half), cache_items(row_bytes * outputs)):
                columns = ops.matmul(self.columns_kernel, rows[f])
                columns = columns.reshape(-1, self.length, 2, outputs, self.n_in)
                self.spectrum[f, :, o] = columns.swapaxes(2, 3)

        output_bytes = self.half * 2 * kw * self.n_in * weight.itemsize
        ops.parallel_for(transform, self.n_out, cache_items(output_bytes))
        self.bias = None if bias is None else (bias * self.length**2)[:, None]

    def forward(self, u, z, step=0, epilogue=None):
        """Compute z (m, m, n_out, B) from u (s, s, n_in, B).

        step: where to keep the spectrum of u. epilogue: called as epilogue(columns) on each slice of z's
        second axis as soon as it is complete, by the worker that has it in its cache.
        """
        ops, length, weights = self.ops, self.length, self._weights()
        z_rows = self.z_rows.reshape(2 * self.half, -1)

        def multiply_spectra(f):
            u_hat, z_hat = self._spectra(f)
            ops.matmul(self.columns_in, self.u_rows[f], out=u_hat.reshape(len(u_hat), 4 * length, -1))
            if self.steps and not self.anew:
                self.kept_u[f, :, :, step] = u_hat[:, :, 0]  # û
            ops.matmul(weights[f], u_hat, out=z_hat)
            if self.bias is not None and f.start == 0:
                z_hat[0, 0, 0] += self.bias
            ops.matmul(self.columns_out, z_hat.reshape(len(z_hat), 2 * length, -1), out=self.z_rows[f])

        def inverse_rows(columns):
            flat = _flat_columns(columns, z)
            ops.matmul(self.rows_out, z_rows[:, flat], out=z.reshape(self.tile, -1)[:, flat])
            if epilogue is not None:
                epilogue(columns)

        self._transform_rows(u)
        ops.parallel_for(multiply_spectra, self.half, cache_items(self._row_bytes()))
        ops.parallel_for(inverse_rows, self.tile, cache_items(z[:, 0].nbytes))

    def backward(self, dz, du, step=0, u=None):
        """Compute du (s, s, n_in, B) from dz (m, m, n_out, B), and keep the spectrum of dz.

        u: with `anew` the input of `forward`, whose spectrum is made and kept too.
        """
        ops, length, weights = self.ops, self.length, self._weights().swapaxes(-1, -2)
        dz_flat, z_rows = dz.reshape(self.tile, -1), self.z_rows.reshape(2 * self.half, -1)
        u_rows = self.u_rows.reshape(2 * self.half, -1)
        if self.kept_z is None:
            frequencies, rest = (self.half, length), (self.chunk, self.batch)
            self.kept_z = ops.xp.empty((*frequencies, self.n_out, 2, *rest), self.spectrum.dtype)
            if self.anew:
                self.kept_u = self._input_spectra(self.chunk)
        at, kept_u, kept_z = step % self.chunk, self.kept_u, self.kept_z

        def inverse_rows_adjoint(columns):
            ops.matmul(self.rows_out.T, dz_flat[:, columns], out=z_rows[:, columns])

        def multiply_spectra_adjoint(f):
            u_hat, z_hat = self._spectra(f)
            ops.matmul(self.columns_out.T, self.z_rows[f], out=z_hat.reshape(len(z_hat), 2 * length, -1))
            kept_z[f, :, :, :, at] = z_hat.swapaxes(2, 3)
            if self.anew:
                once = ops.matmul(self.columns_in_once, self.u_rows[f])
                kept_u[f, :, :, at] = once.reshape(len(once), length, 2 * self.n_in, -1)
            ops.matmul(weights[f], z_hat, out=u_hat)
            ops.matmul(self.columns_in.T, u_hat.reshape(len(u_hat), 4 * length, -1), out=self.u_rows[f])

        def forward_rows_adjoint(columns):
            flat = _flat_columns(columns, du)
            ops.matmul(self.rows_in.T, u_rows[:, flat], out=du.reshape(self.side, -1)[:, flat])

        if self.anew:
            self._transform_rows(u)
        ops.parallel_for(inverse_rows_adjoint, dz_flat.shape[1])
        ops.parallel_for(multiply_spectra_adjoint, self.half, cache_items(self._row_bytes()))
        ops.parallel_for(forward_rows_adjoint, self.side)

    def weight_gradient(self, first=0):
        """Return (d weight, d bias) summed over steps first, first + 1, ... of one chunk.

        `first` must be a multiple of `chunk`, and `backward` must have run on these steps last.
        """
        ops, (kh, kw) = self.ops, self.kernel
        xp, count = ops.xp, min(self.chunk, self.steps - first)
        start = 0 if self.anew else first
        u = self.kept_u[..., start : start + count, :].reshape(self.half, self.length, 2 * self.n_in, -1)
        z = self.kept_z[..., :count, :]
        rows = xp.empty((self.half, 2 * kw, self.n_out * self.n_in), z.dtype)
        taps = xp.empty((kh, kw * self.n_out * self.n_in), z.dtype)

        def columns_back(f):
            for some in ops.blocked(f, 1):  # û stays in the cache for all outputs
                u_hat = u[some].swapaxes(-1, -2)
                for o in slices(slice(0, self.n_out), ops.outputs_at_once):
                    n = o.stop - o.start
                    spectrum = xp.empty((some.stop - some.start, self.length, 2, n, self.n_in), z.dtype)
                    for e in ops.blocked(slice(0, self.length), FREQUENCIES):
                        z_hat = z[some, e, o].reshape(len(spectrum), -1, 2 * n, u.shape[-1])
                        blocks = ops.matmul(z_hat, u_hat[:, e])
                        blocks = blocks.reshape(*blocks.shape[:2], n, 2, 2, self.n_in)
                        xp.add(blocks[:, :, :, 0, 0], blocks[:, :, :, 1, 1], out=spectrum[:, e, 0])
                        xp.subtract(blocks[:, :, :, 0, 1], blocks[:, :, :, 1, 0], out=spectrum[:, e, 1])
                    columns = spectrum.reshape(len(spectrum), 2 * self.length, -1)
                    place = slice(o.start * self.n_in, (o.start + n) * self.n_in)
                    ops.matmul(self.columns_kernel.T, columns, out=rows[some, :, place])

        def rows_back(at):
            ops.matmul(self.rows_kernel.T, rows.reshape(2 * self.half, -1)[:, at], out=taps[:, at])

        ops.parallel_for(columns_back, self.half)
        ops.parallel_for(rows_back, taps.shape[1])
        taps = taps.reshape(kh, kw, self.n_out, self.n_in)
        bias = z[0, 0, :, 0].sum(axis=(1, 2)) * self.length**2
        if first == 0 and not ops.keeps_scratch:
            self.kept_z = None
            if self.anew:
                self.kept_u = None
        return taps.transpose(2, 3, 0, 1), bias

    def _input_spectra(self, steps):
        """Return an array for the spectra û of so many steps."""
        shape = self.half, self.length, 2 * self.n_in, steps, self.batch
        return self.ops.xp.empty(shape, self.spectrum.dtype)

    def _transform_rows(self, u):
        """Transform inputs u along their rows."""
        u_flat, u_rows = u.reshape(self.side, -1), self.u_rows.reshape(2 * self.half, -1)

        def forward_rows(columns):
            self.ops.matmul(self.rows_in, u_flat[:, columns], out=u_rows[:, columns])

        self.ops.parallel_for(forward_rows, u_flat.shape[1])

    def _spectra(self, f):
        """Return arrays for ũ and ẑ of a slice of row frequencies: so few at a time stay in the cache."""
        shape, dtype, xp = (f.stop - f.start, self.length, 2), self.spectrum.dtype, self.ops.xp
        u_hat = xp.empty((*shape, 2 * self.n_in, self.batch), dtype)
        return u_hat, xp.empty((*shape, self.n_out, self.batch), dtype)

    def _row_bytes(self):
        """Return how much memory the spectra of one row frequency take."""
        return self.length * 2 * (2 * self.n_in + self.n_out) * self.batch * self.spectrum.itemsize

    def _weights(self):
        """Return Ŵ as (F, L, 1, n_out, 2 n_in), ready to multiply ũ and its gradient."""
        return self.spectrum.reshape(self.half, self.length, 1, self.n_out, 2 * self.n_in)


def _flat_columns(columns, tiles):
    """Return a slice of axis 1 of `tiles` as a slice of its flattened axes 1, 2, 3."""
    width = tiles.shape[2] * tiles.shape[3]
    return slice(columns.start * width, columns.stop * width)


def whole_map_padding(tile, height, width, kernel):
    """Return `padding` of SpectralConvolution for a "same" convolution: None if a map takes several tiles."""
    return kernel // 2 if tile >= max(height, width) else None


def transform_length(tile, kernel, padding=None):
    """Return L for tiles of m x m outputs, see SpectralConvolution for `padding`."""
    halo = kernel - 1
    return tile + (halo if padding is None else max(padding, halo - padding))
