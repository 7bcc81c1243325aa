"""Convolution of images in the frequency domain, in tiles (overlap-save).

Images are divided into tiles of my x mx outputs, each of which reads Ly x Lx inputs, L = m + k - 1 along each
axis. With the DFT matrices D of `dft`, for each image n, tile (r, t), row frequency f and column frequency e,

    h[f] = Dx x[n, :, :, window t],    û[f, e] = Dy h[f, window r],    ẑ[f, e] = û[f, e] Ŵ(f, e),

and back in the same two steps. Ŵ(f, e) is the kernel's conjugate spectrum as a real (2·n_in, 2·n_out) matrix.
The gradient with respect to the input is such a correlation too, of g with the flipped kernel, and the one
with respect to the weight the sum of û(f, e)ᵀ ĝ(f, e) over all tiles, transformed back once.

No image is transposed in memory, BLAS does it while reading; h and its counterpart on the way back are the
only large arrays, and they hold one block of images and rows of tiles at a time. All that a row frequency
takes besides stays in the cache. Stride 1, any padding; arrays and arguments are those of `convolution`.
"""

import math
from functools import cache

from . import dft, estimates, get_ops
from .gemm import output_size
from .threads import CACHE_BYTES


def conv2d(x, weight, padding=(0, 0)):
    """Return y (N, n_out, H', W'), the correlation of x with `weight`."""
    size = output_size(x.shape[2:], weight.shape[2:], padding, (1, 1))
    return _correlate(x, weight, padding, size)


def conv2d_grad_input(g, weight, size, padding=(0, 0)):
    """Return the gradient with respect to x, (N, n_in, H, W) with (H, W) = `size`."""
    flipped = weight[:, :, ::-1, ::-1].swapaxes(0, 1)
    return _correlate(g, flipped, [k - 1 - p for k, p in zip(weight.shape[2:], padding)], size)


def conv2d_grad_weight(x, g, kernel, padding=(0, 0)):
    """Return the gradient with respect to the weight, (n_out, n_in, kh, kw) with (kh, kw) = `kernel`."""
    ops, n_in, n_out = get_ops(x), x.shape[1], g.shape[1]
    tiling = estimates.on(ops.xp).choose_frame_tiling(x.shape, (n_out, n_in, *kernel), tuple(padding))
    rows, columns = tiling
    outputs = [axis.outputs_alone() for axis in tiling]
    total = ops.xp.zeros((columns.half, rows.length, 2 * n_in, 2 * n_out), x.dtype)
    large = _Scratch(ops.xp, x.dtype)
    for images, band in _blocks(ops, tiling, len(x), n_in + n_out, x.itemsize):
        h_x = _rows_forward(ops, x[images], columns, rows.read(band), large)
        h_g = _rows_forward(ops, g[images], outputs[1], outputs[0].read(band), large, "g")

        def multiply(f, h_x=h_x, h_g=h_g, band=band):
            scratch = _Scratch(ops.xp, x.dtype)
            for some in ops.blocked(f, 1):
                for at in ops.blocked(slice(0, columns.count), _at_once(h_x, band, rows, n_in, n_out)):
                    u = _columns_forward(ops, h_x[some, :, :, at], rows, band, scratch)
                    z = _columns_forward(ops, h_g[some, :, :, at], outputs[0], band, scratch, "g")
                    products = scratch("products", total[some].shape)
                    total[some] += ops.matmul(u.transpose(0, 2, 3, 1), z.swapaxes(1, 2), out=products)

        ops.parallel_for(multiply, columns.half)
    blocks = total.reshape(columns.half, rows.length, 2, n_in, 2, n_out)
    spectrum = ops.xp.empty((columns.half, rows.length, 2, n_in, n_out), x.dtype)
    ops.xp.add(blocks[:, :, 0, :, 0], blocks[:, :, 1, :, 1], out=spectrum[:, :, 0])
    ops.xp.subtract(blocks[:, :, 1, :, 0], blocks[:, :, 0, :, 1], out=spectrum[:, :, 1])
    back_y = _matrix(ops.xp, x.dtype, dft.columns_inverse, rows.length, kernel[0])
    back_x = _matrix(ops.xp, x.dtype, dft.rows_inverse, columns.length, kernel[1])
    taps = ops.matmul(back_y, spectrum.reshape(columns.half, 2 * rows.length, -1))
    taps = ops.matmul(back_x, taps.reshape(2 * columns.half, -1))
    return taps.reshape(kernel[1], kernel[0], n_in, n_out).transpose(3, 2, 1, 0)


def _correlate(x, weight, padding, size):
    """Return the correlation of x with `weight`, of `size` (H', W'); a negative padding leaves out inputs."""
    ops, (n_out, n_in) = get_ops(x), weight.shape[:2]
    y = ops.xp.empty((len(x), n_out, *size), x.dtype)
    if not y.size:
        return y
    tiling = estimates.on(ops.xp).choose_frame_tiling(x.shape, weight.shape, tuple(padding))
    rows, columns = tiling
    spectrum = _kernel_spectrum(ops, weight, rows, columns)
    inverse_y = _matrix(ops.xp, x.dtype, dft.columns_inverse, rows.length, rows.tile)
    inverse_y = inverse_y.reshape(2, rows.tile, -1).swapaxes(1, 2)  # (re/im, (e, re/im), my)
    inverse_x = _matrix(ops.xp, x.dtype, dft.rows_inverse, columns.length, columns.tile)
    large = _Scratch(ops.xp, x.dtype)
    for images, band in _blocks(ops, tiling, len(x), n_in + n_out, x.itemsize):
        h = _rows_forward(ops, x[images], columns, rows.read(band), large)
        n_images, n_bands = h.shape[2], band.stop - band.start
        z = large("z", (columns.half, 2, n_images, columns.count, n_out, n_bands, rows.tile))

        def multiply(f, h=h, z=z, band=band):
            scratch = _Scratch(ops.xp, x.dtype)
            for some in ops.blocked(f, 1):
                for at in ops.blocked(slice(0, columns.count), _at_once(h, band, rows, n_in, n_out)):
                    u = _columns_forward(ops, h[some, :, :, at], rows, band, scratch)
                    out = z[some, :, :, at].transpose(0, 2, 3, 5, 1, 4, 6)  # (f, n, t, r, re/im, n_out, my)
                    z_hat = scratch("z", (*u.shape[:3], 2 * n_out))
                    ops.matmul(u.swapaxes(1, 2), spectrum[some], out=z_hat.swapaxes(1, 2))
                    z_hat = z_hat.reshape(*out.shape[:4], 1, 2 * rows.length, n_out).swapaxes(-1, -2)
                    ops.matmul(z_hat, inverse_y, out=out)

        def inverse_rows(tiles, channels, images=images, z=z, band=band):
            z = z.reshape(2 * columns.half, len(z[0, 0]), columns.count, n_out, -1).transpose(1, 2, 3, 4, 0)
            down = slice(band.start * rows.tile, min(band.stop * rows.tile, size[0]))
            for t in range(tiles.start, tiles.stop):
                across = slice(t * columns.tile, min((t + 1) * columns.tile, size[1]))
                part = z[:, t, channels, : down.stop - down.start]
                matrix = inverse_x[: across.stop - across.start].T
                ops.matmul(part, matrix, out=y[images, channels, down, across])

        ops.parallel_for(multiply, columns.half)
        _divide(ops, inverse_rows, columns.count, n_out)
    return y


def _blocks(ops, tiling, images, channels, itemsize):
    """Yield (images, band): slices that cover the images, and the rows of tiles, as the memory allows."""
    rows, columns = tiling
    band_bytes = 2 * columns.half * columns.count * rows.tile * channels * itemsize
    fitting = max(ops.frame_bytes // band_bytes, 1)
    for some in _even_slices(images, max(fitting // rows.count, 1)):
        for band in _even_slices(rows.count, fitting):
            yield some, band


def _even_slices(count, most):
    """Yield slices of at most `most` items, of about equal length, that cover range(count)."""
    parts = -(-count // most)
    for i in range(parts):
        yield slice(count * i // parts, count * (i + 1) // parts)


def _at_once(h, band, rows, n_in, n_out):
    """Return how many columns of tiles at once keep the spectra of one row frequency in the cache."""
    tiles = h.shape[2] * (band.stop - band.start)
    return max(1, 4 * CACHE_BYTES // (tiles * 2 * rows.length * (2 * n_in + n_out) * h.itemsize))


class _Scratch:
    """Arrays to be used again and again: fresh memory costs more than most of what is done with it."""

    def __init__(self, xp, dtype):
        self._xp, self._dtype, self._arrays = xp, dtype, {}

    def __call__(self, name, shape):
        """Return the array of this name in any shape, with what is left in it."""
        size = math.prod(shape)
        if name not in self._arrays or self._arrays[name].size < size:
            self._arrays[name] = self._xp.empty(size, self._dtype)
        return self._arrays[name][:size].reshape(shape)


def _rows_forward(ops, x, axis, read, scratch, name="x"):
    """Return h (F, 2, N, tiles, C, rows read) of images x."""
    h = scratch(name, (axis.half, 2, len(x), axis.count, x.shape[1], read.stop - read.start))
    flat = h.reshape(2 * axis.half, *h.shape[2:]).transpose(1, 2, 3, 0, 4)  # (N, tiles, C, 2F, rows)

    def work(tiles, channels):
        for t in range(tiles.start, tiles.stop):
            start, stop, offset = axis.window(t)
            matrix = _matrix(ops.xp, x.dtype, dft.rows_forward, axis.length, stop - start, offset)
            ops.matmul(matrix, x[:, channels, read, start:stop].swapaxes(2, 3), out=flat[:, t, channels])

    _divide(ops, work, axis.count, x.shape[1])
    return h


def _divide(ops, work, tiles, channels):
    """Call work(tiles, channels), slices, in parallel; divided is that of which there are more."""
    if tiles > channels:
        ops.parallel_for(lambda t: work(t, slice(0, channels)), tiles)
    else:
        ops.parallel_for(lambda c: work(slice(0, tiles), c), channels)


def _columns_forward(ops, h, axis, band, scratch, name="u"):
    """Return û (f, N·tiles, L, 2·C) of some row frequencies and columns of tiles of h."""
    f, channels = len(h), h.shape[4]
    if axis.count == 1:  # what the transform reads of it need not be filled up
        start, stop, first = axis.window(0)
        windows, reach = h[:, :, :, :, None].transpose(0, 2, 3, 4, 5, 1, 6), stop - start
    else:
        windows, reach, first = _windows(h, axis, band, scratch), axis.reach, 0
    windows = windows.reshape(f, -1, channels, 2 * reach).swapaxes(2, 3)
    matrix = _matrix(ops.xp, h.dtype, dft.columns_forward, axis.length, reach, first)
    spectra = scratch(name, (f, windows.shape[1], 2 * axis.length, channels))
    return ops.matmul(matrix, windows, out=spectra).reshape(f, -1, axis.length, 2 * channels)


def _windows(h, axis, band, scratch):
    """Return what each tile of a band reads of h, (f, N, tiles, rows of tiles, C, 2, inputs)."""
    f, _, images, across, channels, _ = h.shape
    top, reach = axis.read(band).start, axis.reach
    windows = scratch("windows", (f, images, across, band.stop - band.start, channels, 2, reach))
    for r in range(band.start, band.stop):
        start, stop, offset = axis.window(r)
        into = windows[:, :, :, r - band.start]
        into[..., :offset] = 0
        into[..., offset + stop - start :] = 0
        into[..., offset : offset + stop - start] = h[..., start - top : stop - top].transpose(
            0, 2, 3, 4, 1, 5
        )
    return windows


def _kernel_spectrum(ops, weight, rows, columns):
    """Return Ŵ (F, L, 2·n_in, 2·n_out)."""
    n_out, n_in, kh, kw = weight.shape
    across = _matrix(ops.xp, weight.dtype, dft.rows_forward, columns.length, kw)
    down = _matrix(ops.xp, weight.dtype, dft.columns_forward, rows.length, kh)
    taps = ops.xp.ascontiguousarray(weight.transpose(3, 2, 1, 0)).reshape(kw, -1)
    by_row = ops.matmul(across, taps).reshape(columns.half, 2 * kh, -1)
    blocks = ops.xp.empty((columns.half, rows.length, 2, n_in, 2, n_out), weight.dtype)

    def work(f):
        scratch = _Scratch(ops.xp, weight.dtype)
        for some in ops.blocked(f, 1):
            spectrum = scratch("spectrum", (some.stop - some.start, 2 * rows.length, n_in * n_out))
            ops.matmul(down, by_row[some], out=spectrum)
            spectrum = spectrum.reshape(-1, rows.length, 2, n_in, n_out)
            real, imaginary, block = spectrum[:, :, 0], spectrum[:, :, 1], blocks[some]
            block[:, :, 0, :, 0] = block[:, :, 1, :, 1] = real
            block[:, :, 1, :, 0] = imaginary
            ops.xp.negative(imaginary, out=block[:, :, 0, :, 1])

    ops.parallel_for(work, columns.half)
    return blocks.reshape(columns.half, rows.length, 2 * n_in, 2 * n_out)


@cache  # never dropped, because a CUDA graph may still read them
def _matrix(xp, dtype, make, *sizes):
    """Return a matrix of `dft` as an array of this library and type; do not write to it."""
    return xp.asarray(make(*sizes).astype(dtype))
