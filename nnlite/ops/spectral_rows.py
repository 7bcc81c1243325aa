"""Convolution in the frequency domain along rows, for large kernels.

Along each row the correlation becomes a product per frequency; down the columns it stays a sum over the kh
rows of the kernel, whose terms are multiplied first and shifted afterwards. With D the forward and E
the inverse DFT matrix of `dft` for rows of length L, and Ŵᵢ(f) the 2x2 real block form of the conjugate
spectrum of kernel row i at frequency f,

    x̂[f, c, y] = D x[c, y, :],   p[f, i, o, y] = Ŵᵢ(f) x̂[f, :, y],   ẑ[f, o, r] = Σᵢ p[f, i, o, r + i - ph],
    z[o, r, :] = E ẑ[:, o, r].

The gradients are the transposes of these products. No array is transposed in memory: BLAS does it while
reading. From 64 to 2 channels with a 15x15 kernel on 32x32 pixels these are 7.6 million multiplications per
image, where the sum has 29 million. A DFT along columns as well would save more of them and yet be slower:
its products are too small, and it moves more than it multiplies.

Images whose output is larger than SIDE are divided into pieces that overlap in what they read (overlap-save).
Stride 1, any padding; arrays and arguments are those of `convolution`.
"""

from functools import cache

from . import dft, get_ops
from .gemm import output_size
from .threads import cache_items, slices
from .windows import add_window, window

#: The most rows and columns that the output of a piece has; the DFT grows with it, the overlap shrinks.
SIDE = 128


def conv2d(x, weight, padding=(0, 0)):
    """Return y (N, n_out, H', W'), the correlation of x with `weight`."""
    ops, size = get_ops(x), output_size(x.shape[2:], weight.shape[2:], padding, (1, 1))
    y = ops.xp.empty((len(x), len(weight), *size), x.dtype)
    if max(size) > SIDE:
        for place, read in _pieces(size, weight.shape[2:], padding):
            y[place] = conv2d(window(x, *read), weight)
        return y
    rows = _Rows(x.shape, weight.shape, padding, x)
    weights = rows.spectral_weight(weight)

    def work(images):
        for block in rows.blocks(images):
            z = rows.add_shifted(weights, rows.spectrum(x[block]))
            ops.matmul(z.swapaxes(1, 2), rows.inverse.T, out=_merge_rows(y[block]))

    ops.parallel_for(work, len(x))
    return y


def conv2d_grad_input(g, weight, size, padding=(0, 0)):
    """Return the gradient with respect to x, (N, n_in, H, W) with (H, W) = `size`."""
    ops = get_ops(g)
    if max(g.shape[2:]) > SIDE:
        grad = ops.xp.zeros((len(g), weight.shape[1], *size), g.dtype)
        for place, read in _pieces(g.shape[2:], weight.shape[2:], padding):
            read_size = [stop - start for start, stop in read]
            add_window(grad, *read, conv2d_grad_input(g[place], weight, read_size))
        return grad
    grad = ops.xp.empty((len(g), weight.shape[1], *size), g.dtype)
    rows = _Rows(grad.shape, weight.shape, padding, g)
    weights = rows.spectral_weight(weight).swapaxes(1, 2)

    def work(images):
        for block in rows.blocks(images):
            spectrum = ops.matmul(weights, rows.shifted_copies(g[block]))
            spectrum = spectrum.reshape(len(spectrum), 2 * rows.frequencies, -1)
            ops.matmul(spectrum.swapaxes(1, 2), rows.forward, out=_merge_rows(grad[block]))

    ops.parallel_for(work, len(g))
    return grad


def conv2d_grad_weight(x, g, kernel, padding=(0, 0)):
    """Return the gradient with respect to the weight, (n_out, n_in, kh, kw) with (kh, kw) = `kernel`."""
    ops = get_ops(x)
    if max(g.shape[2:]) > SIDE:
        pieces = _pieces(g.shape[2:], kernel, padding)
        return sum(conv2d_grad_weight(window(x, *read), g[place], kernel) for place, read in pieces)
    rows = _Rows(x.shape, (g.shape[1], x.shape[1], *kernel), padding, x)
    f, kh, n_out, n_in = rows.frequencies, kernel[0], rows.n_out, rows.n_in

    def work(images):
        total = ops.xp.zeros((f, kh * 2 * n_out, 2 * n_in), x.dtype)
        for block in rows.blocks(images):
            copies, spectrum = rows.shifted_copies(g[block]), rows.spectrum(x[block]).swapaxes(2, 3)
            # All products at once would take as much memory as `total`, once per image.
            for part in ops.blocked(slice(0, f), cache_items(len(copies) * total[0].nbytes)):
                products = ops.matmul(copies[:, part], spectrum[:, part])
                total[part] += products.sum(axis=0) if len(products) > 1 else products[0]
        return total

    blocks = sum(ops.parallel_for(work, len(x))).reshape(f, kh, 2, n_out, 2, n_in)
    real = blocks[:, :, 0, :, 0] + blocks[:, :, 1, :, 1]
    imaginary = blocks[:, :, 0, :, 1] - blocks[:, :, 1, :, 0]
    spectrum = ops.xp.stack([real, imaginary], axis=1).reshape(2 * f, -1)
    taps = ops.matmul(rows.kernel.T, spectrum).reshape(kernel[1], kh, n_out, n_in)
    return taps.transpose(2, 3, 1, 0)


class _Rows:
    """The sizes of one convolution, its DFT matrices, and the steps that forward and backward share.

    L = W + pw: the output reads pw zeros on either side of a row, which are the same in a periodic one.
    """

    def __init__(self, shape, weight_shape, padding, like):
        self.ops, self.dtype = get_ops(like), like.dtype
        _, self.n_in, self.height, width = shape
        self.n_out, _, self.kh, kw = weight_shape
        self.pad = padding[0]
        self.out_size = output_size(shape[2:], weight_shape[2:], padding, (1, 1))
        length = width + padding[1]
        self.frequencies = length // 2 + 1
        self.forward, self.inverse, self.kernel = _matrices(
            self.ops.xp, self.dtype, length, width, padding[1], self.out_size[1], kw
        )

    def blocks(self, images):
        """Return slices that cover the slice `images`, each as long as the memory for spectra allows."""
        row = 2 * self.frequencies * (self.n_in * self.height + self.kh * self.n_out * self.padded_height)
        return slices(images, max(self.ops.spectra_bytes // (row * self.dtype.itemsize), 1))

    @property
    def padded_height(self):
        return self.height + 2 * self.pad

    def spectrum(self, x):
        """Return x̂ (N, F, 2·n_in, H) of x (N, n_in, H, W)."""
        spectrum = self.ops.matmul(self.forward, _merge_rows(x).swapaxes(1, 2))
        return spectrum.reshape(len(x), self.frequencies, 2 * self.n_in, self.height)

    def spectral_weight(self, weight):
        """Return Ŵ (F, kh·2·n_out, 2·n_in)."""
        xp, shape = self.ops.xp, (self.frequencies, 2, self.kh, self.n_out, self.n_in)
        taps = weight.transpose(3, 2, 0, 1).reshape(weight.shape[3], -1)
        spectrum = self.ops.matmul(self.kernel, taps).reshape(shape)
        real, imaginary = spectrum[:, 0], spectrum[:, 1]
        blocks = xp.empty((self.frequencies, self.kh, 2, self.n_out, 2, self.n_in), self.dtype)
        blocks[:, :, 0, :, 0] = blocks[:, :, 1, :, 1] = real
        blocks[:, :, 0, :, 1] = imaginary
        xp.negative(imaginary, out=blocks[:, :, 1, :, 0])
        return blocks.reshape(self.frequencies, self.kh * 2 * self.n_out, 2 * self.n_in)

    def add_shifted(self, weights, spectrum):
        """Return ẑ (N, 2F, n_out·H') of x̂: the products with every kernel row, shifted and added."""
        xp, n, f, r = self.ops.xp, len(spectrum), self.frequencies, 2 * self.n_out
        products = xp.zeros((n, f, self.kh * r, self.padded_height), self.dtype)
        self.ops.matmul(weights, spectrum, out=products[..., self.pad : self.pad + self.height])
        # Entry (i, o, r) of this view is entry (i, o, r + i) of the products.
        by_image, by_frequency, by_row, step = products.strides
        shifted = xp.lib.stride_tricks.as_strided(
            products,
            (n, f, self.kh, r, self.out_size[0]),
            (by_image, by_frequency, r * by_row + step, by_row, step),
        )
        return shifted.sum(axis=2).reshape(n, 2 * f, -1)

    def shifted_copies(self, g):
        """Return the gradient with respect to the products, (N, F, kh·2·n_out, H); g is that of z."""
        xp, n, f, r = self.ops.xp, len(g), self.frequencies, 2 * self.n_out
        spectrum = self.ops.matmul(self.inverse.T, _merge_rows(g).swapaxes(1, 2)).reshape(n, f, r, -1)
        margin = self.kh - 1
        padded = xp.zeros((n, f, r, self.out_size[0] + 2 * margin), self.dtype)
        padded[..., margin : margin + self.out_size[0]] = spectrum
        by_image, by_frequency, by_row, step = padded.strides
        # Entry (i, o, y) of this view is entry (o, y + ph - i) of the spectrum.
        shifted = xp.lib.stride_tricks.as_strided(
            padded[..., margin + self.pad :],
            (n, f, self.kh, r, self.height),
            (by_image, by_frequency, -step, by_row, step),
        )
        return shifted.reshape(n, f, self.kh * r, self.height)


@cache  # never dropped, because a CUDA graph may still read them
def _matrices(xp, dtype, length, width, pad, out_width, kernel):
    """Return D of rows (2F, W), E (W', 2F) and D of kernel rows (2F, kw); do not write to them."""
    matrices = (
        dft.rows_forward(length, width, pad),
        dft.rows_inverse(length, out_width),
        dft.rows_forward(length, kernel),
    )
    return [xp.asarray(matrix.astype(dtype)) for matrix in matrices]


def _pieces(out_size, kernel, padding):
    """Yield (place, read) of all pieces: an index into the output, and the rows and columns of x it needs."""
    counts = [-(-n // SIDE) for n in out_size]
    sides = [-(-n // count) for n, count in zip(out_size, counts)]
    for top in range(0, out_size[0], sides[0]):
        for left in range(0, out_size[1], sides[1]):
            starts = top, left
            stops = [min(start + side, n) for start, side, n in zip(starts, sides, out_size)]
            place = ..., *(slice(start, stop) for start, stop in zip(starts, stops))
            ends = zip(starts, stops, kernel, padding)
            yield place, [(start - p, stop - p + k - 1) for start, stop, k, p in ends]


def _merge_rows(x):
    """Return (N, C, H, W) as (N, C·H, W), a view of contiguous images."""
    return x.reshape(len(x), -1, x.shape[3])
