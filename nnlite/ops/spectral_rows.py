"""Convolution in the frequency domain along rows: for large kernels, and for some maps on both sides.

Along the columns of a row the correlation becomes a product per frequency; down the rows it stays a sum
over the kh rows of the kernel, whose terms are multiplied first and shifted after. With D the forward and E
the inverse DFT matrix of `dft` for rows of length L, and Ŵᵢ(f) the 2x2 real block form of the conjugate
spectrum of kernel row i at frequency f,

    x̂[f, c, y] = D x[c, y, :],   p[f, i, o, y] = Ŵᵢ(f) x̂[f, :, y],   ẑ[f, o, r] = Σᵢ p[f, i, o, r + i - ph],
    z[o, r, :] = E ẑ[:, o, r].

The derivatives are the transposes of these products. No array is transposed in memory, BLAS does it while it
reads. From 64 to 2 maps with a 15x15 kernel on 32x32 these are 7.6 million multiplications an image where
the sum has 29 million. A DFT along columns too would save more of them and yet be slower: its products are
too small, and it moves more than it multiplies.

Images whose output is larger than SIDE are cut into pieces that overlap in what they read (overlap-save).
Stride 1, any padding; arrays and arguments are those of `convolution`.
"""

from functools import cache

from ..backend import get_array_module
from . import dft
from .gemm import MOVE, output_size
from .products import product
from .threads import in_cache, split_alone
from .windows import add_window, window

#: The size of the spectra of a block of images: they stay in the cache of a CPU and are worth the launches of
#: a GPU.
BLOCK_BYTES = {"numpy": 1 << 20, "cupy": 256 << 20}

#: The most rows and columns that the output of a piece has; the DFT grows with it, the overlap shrinks.
SIDE = 128

#: What the many small calls for one convolution take, in multiplications.
CALLS = 5_000_000


def conv2d(x, weight, padding=(0, 0)):
    """Return y (N, n_out, H', W'), the correlation of x with `weight`."""
    xp, size = get_array_module(x), output_size(x.shape[2:], weight.shape[2:], padding, (1, 1))
    y = xp.empty((len(x), len(weight), *size), x.dtype)
    if max(size) > SIDE:
        for place, read in _pieces(size, weight.shape[2:], padding):
            y[place] = conv2d(window(x, *read), weight)
        return y
    rows = _Rows(x.shape, weight.shape, padding, x)
    weights = rows.spectral_weight(weight)

    def work(images):
        for block in rows.blocks(images):
            z = rows.add_shifted(weights, rows.spectrum(x[block]))
            product(z.swapaxes(1, 2), rows.inverse.T, out=_merge_rows(y[block]))

    split_alone(work, len(x), xp)
    return y


def conv2d_grad_input(g, weight, size, padding=(0, 0)):
    """Return the gradient by x, (N, n_in, H, W) with (H, W) = `size`; g is that of the output."""
    xp = get_array_module(g)
    if max(g.shape[2:]) > SIDE:
        grad = xp.zeros((len(g), weight.shape[1], *size), g.dtype)
        for place, read in _pieces(g.shape[2:], weight.shape[2:], padding):
            read_size = [stop - start for start, stop in read]
            add_window(grad, *read, conv2d_grad_input(g[place], weight, read_size))
        return grad
    grad = xp.empty((len(g), weight.shape[1], *size), g.dtype)
    rows = _Rows(grad.shape, weight.shape, padding, g)
    weights = rows.spectral_weight(weight).swapaxes(1, 2)

    def work(images):
        for block in rows.blocks(images):
            spectrum = product(weights, rows.shifted_copies(g[block]))
            spectrum = spectrum.reshape(len(spectrum), 2 * rows.frequencies, -1)
            product(spectrum.swapaxes(1, 2), rows.forward, out=_merge_rows(grad[block]))

    split_alone(work, len(g), xp)
    return grad


def conv2d_grad_weight(x, g, kernel, padding=(0, 0)):
    """Return the gradient by the weight, (n_out, n_in, kh, kw) with (kh, kw) = `kernel`."""
    xp = get_array_module(x)
    if max(g.shape[2:]) > SIDE:
        pieces = _pieces(g.shape[2:], kernel, padding)
        return sum(conv2d_grad_weight(window(x, *read), g[place], kernel) for place, read in pieces)
    rows = _Rows(x.shape, (g.shape[1], x.shape[1], *kernel), padding, x)
    f, kh, n_out, n_in = rows.frequencies, kernel[0], rows.n_out, rows.n_in

    def work(images):
        total = xp.zeros((f, kh * 2 * n_out, 2 * n_in), x.dtype)
        for block in rows.blocks(images):
            copies, spectrum = rows.shifted_copies(g[block]), rows.spectrum(x[block]).swapaxes(2, 3)

            def add(some, copies=copies, spectrum=spectrum):
                products = product(copies[:, some], spectrum[:, some])
                total[some] += products.sum(axis=0) if len(products) > 1 else products[0]

            # All products at once would take as much memory as `total`, once an image.
            in_cache(add, len(copies) * total[0].nbytes, xp)(slice(0, f))
        return total

    blocks = sum(split_alone(work, len(x), xp)).reshape(f, kh, 2, n_out, 2, n_in)
    real = blocks[:, :, 0, :, 0] + blocks[:, :, 1, :, 1]
    imaginary = blocks[:, :, 0, :, 1] - blocks[:, :, 1, :, 0]
    spectrum = xp.stack([real, imaginary], axis=1).reshape(2 * f, -1)
    taps = product(rows.kernel.T, spectrum).reshape(kernel[1], kh, n_out, n_in)
    return taps.transpose(2, 3, 1, 0)


def cost(shape, weight_shape, padding):
    """Return about how long each of the three takes, in multiplications of float32 numbers.

    shape: that of x. Counts the multiplications of the two DFTs and of the products with the kernel rows, the
    moves of all spectra and products, and for the weight its DFT and the arrangement of its blocks.
    """
    (images, n_in, height, width), (n_out, _, kh, kw) = shape, weight_shape
    out_height, out_width = output_size(shape[2:], weight_shape[2:], padding, (1, 1))
    columns = -(-out_width // SIDE)
    reals = (width // columns + padding[1]) // 2 * 2 + 2  # 2F
    dft_products = reals * (n_in * height * width + n_out * out_height * out_width)
    products = columns * reals * 2 * n_in * n_out * kh * height
    moves = columns * reals * (n_in * height + n_out * kh * (height + out_height))
    weight = reals * kh * n_in * n_out * (kw + 2 * MOVE)
    return images * (dft_products + products + MOVE * moves) + weight + CALLS


class _Rows:
    """The sizes of one convolution, its DFT matrices, and the steps that forward and backward share.

    L = W + pw: the output reads pw zeros on either side of a row, which are the same in a periodic one.
    """

    def __init__(self, shape, weight_shape, padding, like):
        self.xp, self.dtype = get_array_module(like), like.dtype
        _, self.n_in, self.height, width = shape
        self.n_out, _, self.kh, kw = weight_shape
        self.pad = padding[0]
        self.out_size = output_size(shape[2:], weight_shape[2:], padding, (1, 1))
        length = width + padding[1]
        self.frequencies = length // 2 + 1
        self.forward, self.inverse, self.kernel = _matrices(
            self.xp, self.dtype, length, width, padding[1], self.out_size[1], kw
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
        spectrum = product(self.forward, _merge_rows(x).swapaxes(1, 2))
        return spectrum.reshape(len(x), self.frequencies, 2 * self.n_in, self.height)

    def spectral_weight(self, weight):
        """Return Ŵ (F, kh·2·n_out, 2·n_in)."""
        xp, shape = self.xp, (self.frequencies, 2, self.kh, self.n_out, self.n_in)
        taps = weight.transpose(3, 2, 0, 1).reshape(weight.shape[3], -1)
        spectrum = product(self.kernel, taps).reshape(shape)
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
        product(weights, spectrum, out=products[..., self.pad : self.pad + self.height])
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
        spectrum = product(self.inverse.T, _merge_rows(g).swapaxes(1, 2)).reshape(n, f, r, -1)
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


@cache  # and nothing ever dropped, as a CUDA graph may go on reading it
def _matrices(xp, dtype, length, width, pad, out_width, kernel):
    """Return D of rows (2F, W), E (W', 2F) and D of kernel rows (2F, kw); they are not to be written to."""
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


def _merge_rows(maps):
    """Return (N, C, H, W) as (N, C·H, W), a view of contiguous maps."""
    return maps.reshape(len(maps), -1, maps.shape[3])
