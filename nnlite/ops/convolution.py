"""Convolution of maps by matrix products (GEMM), for every stride and padding.

As in the whole field "convolution" means cross-correlation: kernels are not flipped. Arrays are x
(N, n_in, H, W), weight (n_out, n_in, kh, kw) and y or its gradient g (N, n_out, H', W'); x is zero outside.

    y[n, o, p, q] = Σ_{c,i,j} weight[o, c, i, j] · x[n, c, p·dh + i - ph, q·dw + j - pw]

The sum over i is a sum of kh matrix products, each over c and j. All of them read the same strips

    strips[n, (c, j), y, q] = x[n, c, y, q·dw + j],

kernel row i from row i on. Strips are kh times smaller than the full list of patches (im2col), and the
products run as fast. They are made for a block of images or output rows at a time.
"""

from ..backend import get_array_module
from .windows import window

#: The size of a block of strips: it stays in the cache of a CPU and is worth the launches of a GPU.
BLOCK_BYTES = {"numpy": 4 << 20, "cupy": 64 << 20}


def conv2d(x, weight, padding=(0, 0), stride=(1, 1)):
    """Return y (N, n_out, H', W') with H' = ⌊(H + 2 ph - kh) / dh⌋ + 1, and W' likewise.

    padding (ph, pw) and stride (dh, dw), both height first.
    """
    size = output_size(x.shape[2:], weight.shape[2:], padding, stride)
    y = get_array_module(x).empty((len(x), len(weight), *size), x.dtype)
    _correlate(_padded(x, padding), weight, stride, out=y)
    return y


def conv2d_grad_input(g, weight, size, padding=(0, 0), stride=(1, 1)):
    """Return the gradient by x, (N, n_in, H, W) with (H, W) = `size`, of `conv2d`; g is that of its output.

    grad[n, c, y] = Σ_{o,i} weight[o, c, i] · g[n, o, (y + ph - i) / dh], over the i that dh divides (and so
    for columns). The rows y ≡ a - ph (mod dh) meet the kernel rows a, a + dh, ... alone: they are a
    stride-1 correlation of g with those rows, flipped.
    """
    xp = get_array_module(g)
    (height, width), (ph, pw), (dh, dw) = size, padding, stride
    grad = xp.zeros((len(g), weight.shape[1], height, width), g.dtype)
    for a in range(dh):
        for b in range(dw):
            y, x = (a - ph) % dh, (b - pw) % dw
            part, kernel = grad[:, :, y::dh, x::dw], weight[:, :, a::dh, b::dw]
            if part.size and kernel.size:
                rows = _reach((y + ph - a) // dh, part.shape[2], kernel.shape[2])
                columns = _reach((x + pw - b) // dw, part.shape[3], kernel.shape[3])
                flipped = kernel[:, :, ::-1, ::-1].swapaxes(0, 1)
                _correlate(window(g, rows, columns), flipped, (1, 1), out=part)
    return grad


def conv2d_grad_weight(x, g, kernel, padding=(0, 0), stride=(1, 1)):
    """Return the gradient by the weight, (n_out, n_in, kh, kw) with (kh, kw) = `kernel`, summed over images.

    grad[o, c, i, j] = Σ_{n,p,q} g[n, o, p, q] · x[n, c, p·dh + i - ph, q·dw + j - pw].
    """
    n_in, n_out, (kh, kw) = x.shape[1], g.shape[1], kernel
    grad = get_array_module(x).zeros((kh, n_out, n_in * kw), x.dtype)
    for images, rows, strips in _blocks(_padded(x, padding), kernel, stride, g.shape[2:]):
        g_block = g[images, :, rows].reshape(len(strips), n_out, -1)
        for i in range(kh):
            met = _rows(strips, i, stride[0], rows).swapaxes(1, 2)
            grad[i] += (g_block @ met).sum(axis=0)
    return grad.reshape(kh, n_out, n_in, kw).transpose(1, 2, 0, 3)


def output_size(size, kernel, padding, stride):
    """Return (H', W') of `conv2d`; a number below 1 says that the kernel does not fit."""
    return tuple((n + 2 * p - k) // d + 1 for n, k, p, d in zip(size, kernel, padding, stride))


def _correlate(x, weight, stride, out):
    """Write the correlation of x, without padding, with `weight` to `out` (N, n_out, H', W')."""
    n_out, n_in, kh, kw = weight.shape
    by_row = weight.transpose(2, 0, 1, 3).reshape(kh, n_out, n_in * kw)
    for images, rows, strips in _blocks(x, (kh, kw), stride, out.shape[2:]):
        y = by_row[0] @ _rows(strips, 0, stride[0], rows)
        for i in range(1, kh):
            y += by_row[i] @ _rows(strips, i, stride[0], rows)
        block = out[images, :, rows]
        block[...] = y.reshape(block.shape)


def _blocks(x, kernel, stride, out_size):
    """Yield (images, rows, strips), the first two slices, until all images and output rows are through.

    A block has kh output rows or more: no more than about half of its input rows are its neighbour's too.
    """
    xp = get_array_module(x)
    (kh, kw), (dh, dw), (height, width) = kernel, stride, out_size
    n, n_in = x.shape[:2]
    fitting = BLOCK_BYTES[xp.__name__] // (n_in * kw * width * x.itemsize)
    n_rows = min(max((fitting - kh) // dh + 1, kh), height)
    n_images = max(fitting // ((n_rows - 1) * dh + kh), 1) if n_rows == height else 1
    across = [slice(j, j + (width - 1) * dw + 1, dw) for j in range(kw)]
    for first in range(0, n, n_images):
        images = slice(first, min(first + n_images, n))
        for top in range(0, height, n_rows):
            rows = slice(top, min(top + n_rows, height))
            read = x[images, :, rows.start * dh : (rows.stop - 1) * dh + kh]
            strips = xp.stack([read[..., columns] for columns in across], axis=2)
            yield images, rows, strips.reshape(len(read), n_in * kw, -1, width)


def _rows(strips, i, dh, rows):
    """Return (n, n_in·kw, rows·W'): what kernel row i meets in the strips of the output rows `rows`."""
    met = strips[:, :, i : i + (rows.stop - rows.start - 1) * dh + 1 : dh]
    return met.reshape(*met.shape[:2], -1)


def _padded(x, padding):
    """Return x with ph rows and pw columns of zeros on each side."""
    (height, width), (ph, pw) = x.shape[2:], padding
    return window(x, (-ph, height + ph), (-pw, width + pw))


def _reach(first, count, kernel):
    """Return the (start, stop) that `count` stride-1 outputs read, the first of them up to entry `first`."""
    return first - kernel + 1, first + count
