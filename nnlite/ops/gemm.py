"""Convolution by matrix products (GEMM), for every stride and padding; formulas are in `convolution`.

Gather first: the sum is one product for each output row p, over (i, c, j), with what that row reads. In

    strips[y, (c, j), (n, q)] = x[n, c, y - ph, q·dw + j - pw]

this lies in one piece, the kh rows from p·dh on, so that x is copied kw times and not kh·kw (im2col).

Multiply first: for few output maps, and stride 1, multiply x by the weights of all taps (i, j), shift the
products and add them up. That moves n_out·kh·kw numbers a pixel where gathering moves n_in·kw.

Both work on blocks of images and rows that fit into a cache, and split the images over the CPU's cores.
"""

from ..backend import get_array_module
from .products import product
from .threads import split_alone
from .windows import window

#: The size of a block: strips or products stay in the cache of a CPU and are worth the launches of a GPU.
BLOCK_BYTES = {"numpy": 1 << 20, "cupy": 64 << 20}

#: The columns that a matrix product should have to run at full speed, and the rows that it takes as long as.
COLUMNS, LEAST_ROWS = 256, 8

#: Multiplications a second of `cost` on two cores of a CPU with AVX2, to compare with estimates in seconds.
RATE = 95e9

#: Moving a number, out of the cache and back into it, takes as long as this many multiplications.
MOVE = 10


def conv2d(x, weight, padding=(0, 0), stride=(1, 1)):
    """Return y (N, n_out, H', W'), the correlation of x with `weight`."""
    xp, (ph, pw) = get_array_module(x), padding
    y = xp.empty((len(x), len(weight), *output_size(x.shape[2:], weight.shape[2:], padding, stride)), x.dtype)
    split_alone(lambda some: _correlate(x[some], weight, (-ph, -pw), stride, out=y[some]), len(x), xp)
    return y


def conv2d_grad_input(g, weight, size, padding=(0, 0), stride=(1, 1)):
    """Return the gradient by x, (N, n_in, H, W) with (H, W) = `size`; g is that of the output.

    Its rows y ≡ a - ph (mod dh) meet the kernel rows a, a + dh, ... alone: they are a stride-1 correlation of
    g with those rows, flipped; and so for columns.
    """
    xp, (ph, pw), (dh, dw) = get_array_module(g), padding, stride
    grad = xp.zeros((len(g), weight.shape[1], *size), g.dtype)

    def work(some):
        for a in range(dh):
            for b in range(dw):
                y, x = (a - ph) % dh, (b - pw) % dw
                part, kernel = grad[some, :, y::dh, x::dw], weight[:, :, a::dh, b::dw]
                if part.size and kernel.size:
                    first = (y + ph - a) // dh - kernel.shape[2] + 1, (x + pw - b) // dw - kernel.shape[3] + 1
                    flipped = kernel[:, :, ::-1, ::-1].swapaxes(0, 1)
                    _correlate(g[some], flipped, first, (1, 1), out=part)

    split_alone(work, len(g), xp)
    return grad


def conv2d_grad_weight(x, g, kernel, padding=(0, 0), stride=(1, 1)):
    """Return the gradient by the weight, (n_out, n_in, kh, kw) with (kh, kw) = `kernel`."""
    n_in, n_out, (kh, kw), (ph, pw) = x.shape[1], g.shape[1], kernel, padding
    if stride == (1, 1) and n_out < n_in:
        # x and g change places, and i - ph becomes ph - i: it is cheaper to gather the fewer maps.
        turned = conv2d_grad_weight(g, x, kernel, (kh - 1 - ph, kw - 1 - pw))
        return turned[:, :, ::-1, ::-1].swapaxes(0, 1)
    xp = get_array_module(x)

    def work(some):
        total = xp.zeros((n_out, kh * n_in * kw), x.dtype)
        at_once = max(BLOCK_BYTES[xp.__name__] // total.nbytes, 1)
        for images, rows, patches in _patches(x[some], kernel, (-ph, -pw), stride, g.shape[2:]):
            g_rows = g[some][images, :, rows].transpose(2, 1, 0, 3).reshape(len(patches), n_out, -1)
            for first in range(0, len(patches), at_once):
                part = slice(first, first + at_once)
                total += product(g_rows[part], patches[part].swapaxes(1, 2)).sum(axis=0)
        return total

    total = sum(split_alone(work, len(x), xp))
    return total.reshape(n_out, kh, n_in, kw).transpose(0, 2, 1, 3)


def cost(images, n_in, n_out, kernel, out_size):
    """Return about how long `conv2d` with stride 1 takes, in multiplications of float32 numbers."""
    (kh, kw), (height, width) = kernel, out_size
    if _multiplies_first(n_in, n_out, kh):
        pixels = images * (height + kh - 1) * (width + kw - 1)
        return pixels * n_out * kh * kw * (n_in + MOVE)
    return images * height * width * n_in * kw * (max(n_out, LEAST_ROWS) * kh + MOVE)


def output_size(size, kernel, padding, stride):
    """Return (H', W'); a number below 1 says that the kernel does not fit."""
    return tuple((n + 2 * p - k) // d + 1 for n, k, p, d in zip(size, kernel, padding, stride))


def _correlate(x, weight, first, stride, out):
    """Write the correlation of x with `weight` to `out` (N, n_out, H', W').

    first: the row and the column of x (zero outside) that the first tap of the first output entry reads.
    """
    n_out, n_in, kh, _ = weight.shape
    if stride == (1, 1) and _multiplies_first(n_in, n_out, kh):
        _multiply_first(x, weight, first, out)
        return
    by_row = weight.transpose(0, 2, 1, 3).reshape(n_out, -1)
    for images, rows, patches in _patches(x, weight.shape[2:], first, stride, out.shape[2:]):
        block = out[images, :, rows].transpose(2, 1, 0, 3)
        block[...] = product(by_row, patches).reshape(block.shape)


def _multiplies_first(n_in, n_out, kh):
    """Say whether it moves less to multiply first."""
    return n_out * kh < n_in


def _patches(x, kernel, first, stride, out_size):
    """Yield (images, rows, patches) until all images and output rows are through, the first two slices.

    patches: (R, kh·n_in·kw, n·W'), what each of R output rows of n images reads: overlapping views of strips.
    """
    xp, (n_in, (kh, kw), (dh, dw), width) = get_array_module(x), (x.shape[1], kernel, stride, out_size[1])
    strip, side_by_side = n_in * kw * width * x.itemsize, -(-COLUMNS // width)
    for images, rows in _blocks(xp, len(x), out_size[0], kernel[0], dh, strip, side_by_side):
        n_rows = rows.stop - rows.start
        reach = (n_rows - 1) * dh + kh, (width - 1) * dw + kw
        top, left = first[0] + rows.start * dh, first[1]
        read = window(x[images], (top, top + reach[0]), (left, left + reach[1])).transpose(2, 1, 0, 3)
        strips = xp.empty((reach[0], n_in, kw, read.shape[2], width), x.dtype)
        for j in range(kw):
            strips[:, :, j] = read[..., j : j + (width - 1) * dw + 1 : dw]
        strips = strips.reshape(reach[0], n_in * kw, -1)
        by_y, by_entry, step = strips.strides
        shape, steps = (n_rows, kh * n_in * kw, strips.shape[2]), (dh * by_y, by_entry, step)
        yield images, rows, xp.lib.stride_tricks.as_strided(strips, shape, steps)


def _multiply_first(x, weight, first, out):
    """Do the same as `_correlate`, for stride 1: multiply by the weights of all taps, shift, add."""
    xp, (n_out, n_in, kh, kw) = get_array_module(x), weight.shape
    taps = weight.transpose(2, 3, 0, 1).reshape(-1, n_in)
    height, width = out.shape[2:]
    wide = width + kw - 1
    for images, rows in _blocks(xp, len(x), height, kh, 1, len(taps) * wide * x.itemsize, 1):
        n_rows, top = rows.stop - rows.start, first[0] + rows.start
        read = window(x[images], (top, top + n_rows + kh - 1), (first[1], first[1] + wide))
        products = product(taps, read.reshape(len(read), n_in, -1)).reshape(len(read), kh, kw, n_out, -1)
        # In rows of the input's width, i rows and j columns further is i·wide + j entries further.
        by_image, by_i, by_j, by_map, step = products.strides
        count = (n_rows - 1) * wide + width
        shifted = xp.lib.stride_tricks.as_strided(
            products,
            (len(read), kh, kw, n_out, count),
            (by_image, by_i + wide * step, by_j + step, by_map, step),
        )
        total = xp.empty((len(read), n_out, n_rows * wide), x.dtype)
        total[..., :count] = shifted.sum(axis=(1, 2))
        out[images, :, rows] = total.reshape(len(read), n_out, n_rows, wide)[..., :width]


def _blocks(xp, n, height, kh, dh, row_bytes, least_images):
    """Yield (images, rows), slices of the n images and `height` output rows, until all are through.

    A block fits into BLOCK_BYTES, `row_bytes` being what one input row of one image takes there; but it has
    at least `least_images` images, and at least kh output rows, so that not much more than half of its input
    rows are its neighbour's too.
    """
    fitting = BLOCK_BYTES[xp.__name__] // row_bytes
    n_images = max(min(n, max(fitting // ((height - 1) * dh + kh), least_images)), 1)
    n_rows = min(max((fitting // n_images - kh) // dh + 1, kh), height)
    for start in range(0, n, n_images):
        images = slice(start, min(start + n_images, n))
        for top in range(0, height, n_rows):
            yield images, slice(top, min(top + n_rows, height))
