"""Convolution in the frequency domain, tiled (overlap-save), with exact adjoints.

A 7x7 convolution of 64 to 256 maps costs 49 · 64 · 256 multiplications a pixel. On tiles of L x L it
becomes one (256 x 64) complex product for each of the L · (L/2 + 1) frequencies, 10 to 18 times fewer.
A tile yields m x m outputs, m = L - k + 1, from L x L inputs: neighbouring tiles share k - 1 of them. A tile
that is the whole map has only zeros around it, and those before it, which come again after the last of L
numbers, serve as those after it: L = m + k/2 is enough, and the inputs are m x m.

Layout. Input tiles u are (s, s, n_in, B) with s = L or m, output tiles z are (m, m, n_out, B): B counts all
tiles of all images of a batch, so that one product per frequency serves them all. R, C are the forward and
R', C' the inverse DFT matrices of `dft`. Of the kernel's conjugate spectrum, (n_out, n_in) for each frequency
f, real and imaginary part lie side by side, Ŵ(f) = [Re Im]. Read as n_in real and n_in imaginary parts, û(f)
gives with Ŵ(f) the real parts of ẑ(f), and -iû(f) its imaginary parts; so C makes both, ũ = (û, -iû):

    ũ = C (R u),    ẑ(f) = Ŵ(f) ũ(f),    z = R' (C' ẑ).

Every stage is a real matrix product, so the derivatives are products with the transposes:

    dẑ = C'ᵀ (R'ᵀ dz),    dũ(f) = Ŵ(f)ᵀ dẑ(f),    du = Rᵀ (Cᵀ dũ),    dŴ(f) = Σ over steps dẑ(f) ũ(f)ᵀ.

The weights' spectra are the most that a step reads when there are few tiles; this way each is read once.
"""

from . import dft
from .products import product
from .threads import in_cache, in_pieces, split

#: Of how many output maps the weights' gradients are made at once: products worth a call, in little memory.
OUTPUTS = 64


class SpectralConvolution:
    """A stride-1 cross-correlation of tiles, applied at every step of a sequence with the same weights.

    `set_weight` transforms the weights once a sequence. `forward` and `backward` run one step each. With
    `steps` > 0 they keep the spectra, of inputs for all `steps` steps and of output gradients for the last
    `chunk` steps, and `weight_gradient` turns these into the gradients of weight and bias in one product
    per frequency. All buffers but the spectra of a few frequencies are allocated once.

    n_in, n_out: maps. kernel: (kh, kw). tile: outputs (m, m) a tile. batch: B, tiles times images.
    padding: None for tiles with neighbours; how many zeros lie before each axis of tiles that are whole maps.
    """

    def __init__(self, n_in, n_out, kernel, tile, batch, steps, dtype, xp, chunk=None, padding=None):
        self.n_in, self.n_out, self.tile, self.batch = n_in, n_out, tile, batch
        self.kernel, self.steps, self.xp = kernel, steps, xp
        self.length = length = transform_length(tile, max(kernel), padding)
        self.side = side = length if padding is None else tile
        self.half = half = length // 2 + 1
        first = padding or 0

        def constant(matrix):
            return xp.asarray(matrix.astype(dtype))

        self.rows_in = constant(dft.rows_forward(length, side, first))
        self.columns_in = constant(dft.columns_forward_twice(length, side, first))
        self.rows_out = constant(dft.rows_inverse(length, tile))
        self.columns_out = constant(dft.columns_inverse(length, tile))
        self.rows_kernel = constant(dft.rows_forward(length, kernel[0]))
        self.columns_kernel = constant(dft.columns_forward(length, kernel[1]))

        self.spectrum = xp.empty((half, length, n_out, 2, n_in), dtype)
        self.u_rows = xp.empty((half, 2 * side, n_in * batch), dtype)
        self.z_rows = xp.empty((half, 2 * tile, n_out * batch), dtype)
        self.kept_u = xp.empty((half, length, 2 * n_in, steps, batch), dtype)
        self.chunk = steps if chunk is None else min(steps, chunk)
        self.kept_z = xp.empty((half, length, n_out, 2, self.chunk, batch), dtype)

    def set_weight(self, weight, bias=None):
        """Transform weight (n_out, n_in, kh, kw); bias (n_out,) is added through the zero frequency."""
        xp, kh, kw = self.xp, *self.kernel

        def transform(o):
            taps = xp.ascontiguousarray(weight[o].transpose(2, 3, 0, 1))
            rows = product(self.rows_kernel, taps.reshape(kh, -1)).reshape(self.half, 2 * kw, -1)

            def frequencies(f):
                columns = product(self.columns_kernel, rows[f])
                self.spectrum[f, :, o] = columns.reshape(-1, self.length, 2, *taps.shape[2:]).swapaxes(2, 3)

            row_bytes = 2 * self.length * taps[0, 0].nbytes
            in_cache(frequencies, row_bytes, xp)(slice(0, self.half))

        output_bytes = self.half * 2 * kw * self.n_in * weight.itemsize
        split(in_cache(transform, output_bytes, xp), self.n_out, xp)
        self.bias = None if bias is None else (bias * self.length**2)[:, None]

    def forward(self, u, z, step=0, then=None):
        """Compute z (m, m, n_out, B) from u (s, s, n_in, B).

        step: where to keep the spectrum for `weight_gradient`. then: called as then(columns) on each slice of
        z's second axis as soon as it is complete, from the worker that has it in its cache.
        """
        xp, length, weights = self.xp, self.length, self._weights()
        u_flat, u_rows = u.reshape(self.side, -1), self.u_rows.reshape(2 * self.half, -1)
        z_rows = self.z_rows.reshape(2 * self.half, -1)

        def rows(columns):
            product(self.rows_in, u_flat[:, columns], out=u_rows[:, columns])

        def frequencies(f):
            u_hat, z_hat = self._spectra(f)
            product(self.columns_in, self.u_rows[f], out=u_hat.reshape(len(u_hat), 4 * length, -1))
            if self.steps:
                self.kept_u[f, :, :, step] = u_hat[:, :, 0]  # û
            product(weights[f], u_hat, out=z_hat)
            if self.bias is not None and f.start == 0:
                z_hat[0, 0, 0] += self.bias
            product(self.columns_out, z_hat.reshape(len(z_hat), 2 * length, -1), out=self.z_rows[f])

        def finish(columns):
            flat = _flat_columns(columns, z)
            product(self.rows_out, z_rows[:, flat], out=z.reshape(self.tile, -1)[:, flat])
            if then is not None:
                then(columns)

        split(rows, u_flat.shape[1], xp)
        split(in_cache(frequencies, self._row_bytes(), xp), self.half, xp)
        split(in_cache(finish, z[:, 0].nbytes, xp), self.tile, xp)

    def backward(self, dz, du, step=0):
        """Compute du (s, s, n_in, B) from dz (m, m, n_out, B), or only keep dz's spectrum when du is None."""
        xp, length, weights = self.xp, self.length, self._weights().swapaxes(-1, -2)
        dz_flat, z_rows = dz.reshape(self.tile, -1), self.z_rows.reshape(2 * self.half, -1)
        u_rows = self.u_rows.reshape(2 * self.half, -1)

        def rows(columns):
            product(self.rows_out.T, dz_flat[:, columns], out=z_rows[:, columns])

        def frequencies(f):
            u_hat, z_hat = self._spectra(f)
            product(self.columns_out.T, self.z_rows[f], out=z_hat.reshape(len(z_hat), 2 * length, -1))
            if self.steps:
                self.kept_z[f, :, :, :, step % self.chunk] = z_hat.swapaxes(2, 3)
            if du is not None:
                product(weights[f], z_hat, out=u_hat)
                product(self.columns_in.T, u_hat.reshape(len(u_hat), 4 * length, -1), out=self.u_rows[f])

        def finish(columns):
            flat = _flat_columns(columns, du)
            product(self.rows_in.T, u_rows[:, flat], out=du.reshape(self.side, -1)[:, flat])

        split(rows, dz_flat.shape[1], xp)
        split(in_cache(frequencies, self._row_bytes(), xp), self.half, xp)
        if du is not None:
            split(finish, self.side, xp)

    def weight_gradient(self, first=0):
        """Return (d weight, d bias) summed over steps first, first + 1, ... of one chunk.

        `first` must be a multiple of `chunk`, and `backward` must have run on these steps last.
        """
        xp, (kh, kw) = self.xp, self.kernel
        count = min(self.chunk, self.steps - first)
        u = self.kept_u[..., first : first + count, :].reshape(self.half, self.length, 2 * self.n_in, -1)
        z = self.kept_z[..., :count, :]
        taps = xp.empty((kh, kw, self.n_out, self.n_in), z.dtype)

        def outputs(o):
            maps = o.stop - o.start
            rows = xp.empty((self.half, 2 * kw, maps * self.n_in), z.dtype)

            def frequencies(f):
                z_hat = z[f, :, o].reshape(-1, self.length, 2 * maps, u.shape[-1])
                blocks = product(z_hat, u[f].swapaxes(-1, -2)).reshape(-1, self.length, maps, 2, 2, self.n_in)
                spectrum = xp.empty((len(blocks), self.length, 2, maps, self.n_in), z.dtype)
                xp.add(blocks[:, :, :, 0, 0], blocks[:, :, :, 1, 1], out=spectrum[:, :, 0])
                xp.subtract(blocks[:, :, :, 0, 1], blocks[:, :, :, 1, 0], out=spectrum[:, :, 1])
                columns = spectrum.reshape(len(blocks), 2 * self.length, -1)
                product(self.columns_kernel.T, columns, out=rows[f])

            in_cache(frequencies, 6 * self.length * maps * self.n_in * z.itemsize, xp)(slice(0, self.half))
            found = product(self.rows_kernel.T, rows.reshape(2 * self.half, -1))
            taps[:, :, o] = found.reshape(kh, kw, maps, self.n_in)

        split(in_pieces(outputs, OUTPUTS), self.n_out, xp)
        bias = z[0, 0, :, 0].sum(axis=(1, 2)) * self.length**2
        return taps.transpose(2, 3, 0, 1), bias

    def _spectra(self, f):
        """Return arrays for ũ and ẑ of a slice of row frequencies: so few at a time stay in the cache."""
        shape, dtype = (f.stop - f.start, self.length, 2), self.spectrum.dtype
        u_hat = self.xp.empty((*shape, 2 * self.n_in, self.batch), dtype)
        return u_hat, self.xp.empty((*shape, self.n_out, self.batch), dtype)

    def _row_bytes(self):
        """Return how much memory the spectra of one row frequency take."""
        return self.length * 2 * (2 * self.n_in + self.n_out) * self.batch * self.spectrum.itemsize

    def _weights(self):
        """Return Ŵ as (F, L, 1, n_out, 2 n_in), to be multiplied by ũ and its like."""
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


def choose_tile(height, width, images, kernel, n_in, n_out):
    """Return the tile size m with the least estimated time for one step, forward and backward.

    Candidates cut the longer side into 1, 2, 3, ... equal tiles, none smaller than the halo.
    """
    side, halo = max(height, width), max(kernel - 1, 1)
    tiles = [-(-side // count) for count in range(1, side + 1)]
    candidates = [m for m in dict.fromkeys(tiles) if m >= halo] or [halo]
    return min(candidates, key=lambda m: step_seconds(m, height, width, images, kernel, n_in, n_out))


def step_seconds(tile, height, width, images, kernel, n_in, n_out):
    """Return about how long one step takes, forward and backward, with tiles of this size.

    The estimate adds three products per frequency (forward and the two gradients), twice the weights' spectra
    and twice the transforms, and half a millisecond for all the calls. The rates were fitted to 48
    combinations of tile, batch and maps on two cores of a CPU with AVX-512 and to the same with AVX2; they
    hit those times within 16% (root mean square), and the tiles chosen took 3% longer than the best. Only
    the ratios matter.
    """
    padding = whole_map_padding(tile, height, width, kernel)
    length = transform_length(tile, kernel, padding)
    half, side = length // 2 + 1, length if padding is None else tile
    batch = -(-height // tile) * -(-width // tile) * images
    weights = 2 * length * half * n_in * n_out
    transforms_in = half * side * (4 * side + 16 * length)
    transforms_out = half * tile * (4 * tile + 8 * length)
    transforms = batch * (transforms_in * n_in + transforms_out * n_out)
    return 500e-6 + 3 * 4 * weights * batch / 180e9 + 2 * (4 * weights / 23e9 + transforms / 150e9)
