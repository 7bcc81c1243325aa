"""Convolution in the frequency domain along rows only: for large kernels from many maps to few.

Along the columns of a row the correlation becomes a product per frequency; down the rows it stays a sum
over the kh rows of the kernel, whose terms are multiplied first and shifted after. With D the forward and E
the inverse DFT matrix of `dft` for rows of length L, and Ŵᵢ(f) the 2x2 real block form of the conjugate
spectrum of kernel row i at frequency f,

    x̂[f, c, y] = D x[c, y, :],   p[f, i, o, y] = Ŵᵢ(f) x̂[f, :, y],   ẑ[f, o, r] = Σᵢ p[f, i, o, r + i - ph],
    z[o, r, :] = E ẑ[:, o, r].

The derivatives are the transposes of these products. No array has to be transposed in memory, BLAS does it
while it reads. From 64 to 2 maps with a 15x15 kernel on 32x32 these are 20 MFLOP an image (the DFT is most
of it), where the plain sum takes 59 and a DFT along columns too would take 25.

Stride 1, any padding. Arrays and arguments are those of `convolution`.
"""

from functools import lru_cache

from ..backend import get_array_module
from . import dft
from .convolution import output_size
from .threads import split_alone

#: The size of the spectra of a block of images: they stay in the cache of a CPU, and pay the launches of a GPU.
BLOCK_BYTES = {"numpy": 1 << 20, "cupy": 256 << 20}


def conv2d(x, weight, padding=(0, 0)):
    """Return y (N, n_out, H', W'), the correlation of x with `weight`."""
    rows = _Rows(x.shape, weight.shape, padding, x)
    y = rows.xp.empty((len(x), rows.n_out, *rows.out_size), x.dtype)
    weights = rows.spectral_weight(weight)

    def work(images):
        for block in rows.blocks(images):
            z = rows.add_shifted(weights, rows.spectrum(x[block]))
            rows.xp.matmul(z.swapaxes(1, 2), rows.inverse.T, out=_merge_rows(y[block]))

    split_alone(work, len(x), rows.xp)
    return y


def conv2d_grad_input(g, weight, size, padding=(0, 0)):
    """Return the gradient by x, (N, n_in, H, W) with (H, W) = `size`; g is that of the output."""
    rows = _Rows((len(g), weight.shape[1], *size), weight.shape, padding, g)
    grad = rows.xp.empty((len(g), rows.n_in, *size), g.dtype)
    weights = rows.spectral_weight(weight).swapaxes(1, 2)

    def work(images):
        for block in rows.blocks(images):
            spectrum = weights @ rows.shifted_copies(g[block])
            spectrum = spectrum.reshape(len(spectrum), 2 * rows.frequencies, -1)
            rows.xp.matmul(spectrum.swapaxes(1, 2), rows.forward, out=_merge_rows(grad[block]))

    split_alone(work, len(g), rows.xp)
    return grad


def conv2d_grad_weight(x, g, kernel, padding=(0, 0)):
    """Return the gradient by the weight, (n_out, n_in, kh, kw) with (kh, kw) = `kernel`, summed over images."""
    rows = _Rows(x.shape, (g.shape[1], x.shape[1], *kernel), padding, x)
    f, kh, n_out, n_in = rows.frequencies, kernel[0], rows.n_out, rows.n_in

    def work(images):
        total = rows.xp.zeros((f, kh * 2 * n_out, 2 * n_in), x.dtype)
        for block in rows.blocks(images):
            products = rows.shifted_copies(g[block]) @ rows.spectrum(x[block]).swapaxes(2, 3)
            total += products.sum(axis=0) if len(products) > 1 else products[0]
        return total

    blocks = sum(split_alone(work, len(x), rows.xp)).reshape(f, kh, 2, n_out, 2, n_in)
    real = blocks[:, :, 0, :, 0] + blocks[:, :, 1, :, 1]
    imaginary = blocks[:, :, 0, :, 1] - blocks[:, :, 1, :, 0]
    spectrum = rows.xp.stack([real, imaginary], axis=1).reshape(2 * f, -1)
    taps = (rows.kernel.T @ spectrum).reshape(kernel[1], kh, n_out, n_in)
    return taps.transpose(2, 3, 1, 0)


class _Rows:
    """The sizes of one convolution, its DFT matrices, and the steps that forward and backward share.

    L = W + pw: the output reads pw zeros on either side of a row, which are the same in a periodic one.
    """

    def __init__(self, shape, weight_shape, padding, like):
        self.xp, self.dtype = get_array_module(like), like.dtype
        self.images, self.n_in, self.height, width = shape
        self.n_out, _, self.kh, kw = weight_shape
        self.pad = padding[0]
        self.out_size = output_size(shape[2:], weight_shape[2:], padding, (1, 1))
        length = width + padding[1]
        self.frequencies = length // 2 + 1
        self.forward, self.inverse, self.kernel = (
            self.xp.asarray(matrix.astype(self.dtype))
            for matrix in _matrices(length, width, padding[1], self.out_size[1], kw)
        )

    def blocks(self, images):
        """Yield slices that cover the slice `images`, each of as many as fit into a block."""
        row = 2 * self.frequencies * (self.n_in * self.height + self.kh * self.n_out * self.padded_height)
        count = max(BLOCK_BYTES[self.xp.__name__] // (row * self.dtype.itemsize), 1)
        for first in range(images.start, images.stop, count):
            yield slice(first, min(first + count, images.stop))

    @property
    def padded_height(self):
        return self.height + 2 * self.pad

    def spectrum(self, x):
        """Return x̂ (N, F, 2·n_in, H) of x (N, n_in, H, W)."""
        spectrum = self.forward @ _merge_rows(x).swapaxes(1, 2)
        return spectrum.reshape(len(x), self.frequencies, 2 * self.n_in, self.height)

    def spectral_weight(self, weight):
        """Return Ŵ (F, kh·2·n_out, 2·n_in)."""
        xp, shape = self.xp, (self.frequencies, 2, self.kh, self.n_out, self.n_in)
        taps = weight.transpose(3, 2, 0, 1).reshape(weight.shape[3], -1)
        spectrum = (self.kernel @ taps).reshape(shape)
        real, imaginary = spectrum[:, 0], spectrum[:, 1]
        blocks = xp.empty((self.frequencies, self.kh, 2, self.n_out, 2, self.n_in), self.dtype)
        blocks[:, :, 0, :, 0] = blocks[:, :, 1, :, 1] = real
        blocks[:, :, 0, :, 1] = imaginary
        xp.negative(imaginary, out=blocks[:, :, 1, :, 0])
        return blocks.reshape(self.frequencies, self.kh * 2 * self.n_out, 2 * self.n_in)

    def add_shifted(self, weights, spectrum):
        """Return ẑ (N, 2F, n_out·H') of x̂: the products with every kernel row, shifted and added."""
        xp, n, f, r = self.xp, len(spectrum), self.frequencies, 2 * self.n_out
        products = xp.zeros((n, f, self.kh * r, self.padded_height), self.dtype)
        xp.matmul(weights, spectrum, out=products[..., self.pad : self.pad + self.height])
        # Entry (i, o, r) of this view is entry (i, o, r + i) of the products.
        by_image, by_frequency, by_row, step = products.strides
        shifted = xp.lib.stride_tricks.as_strided(
            products,
            (n, f, self.kh, r, self.out_size[0]),
            (by_image, by_frequency, r * by_row + step, by_row, step),
        )
        return shifted.sum(axis=2).reshape(n, 2 * f, -1)

    def shifted_copies(self, g):
        """Return the gradient by the products, (N, F, kh·2·n_out, H), of g (N, n_out, H', W')."""
        xp, n, f, r = self.xp, len(g), self.frequencies, 2 * self.n_out
        spectrum = (self.inverse.T @ _merge_rows(g).swapaxes(1, 2)).reshape(n, f, r, -1)
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


@lru_cache(maxsize=64)
def _matrices(length, width, pad, out_width, kernel):
    """Return D of rows (2F, W) and of kernel rows (2F, kw), and E (W', 2F)."""
    return (
        dft.rows_forward(length, width, pad),
        dft.rows_inverse(length, out_width),
        dft.rows_forward(length, kernel),
    )


def _merge_rows(maps):
    """Return (N, C, H, W) as (N, C·H, W), a view of contiguous maps."""
    return maps.reshape(len(maps), -1, maps.shape[3])
