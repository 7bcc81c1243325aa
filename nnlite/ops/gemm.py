"""Convolution by matrix products (GEMM), for every stride and padding; formulas are in `convolution`.

Gather first: for each output row p the sum over (i, c, j) is one product with everything that row reads. In

    strips[y, (c, j), (n, q)] = x[n, c, y - ph, q·dw + j - pw]

that is one block, the kh rows from p·dh on, so that x is copied kw times instead of kh·kw times (im2col).

Multiply first: for few output channels, and stride 1, multiply x by the weights of all taps (i, j), shift
the products and add them up. That moves n_out·kh·kw numbers per pixel where gathering moves n_in·kw.
A kernel of one pixel leaves nothing to shift: its products are the result.

Both work on blocks of images and rows that fit in a cache, and divide the images, and the rows of large ones,
among the CPU's cores.
"""

from . import get_ops
from .threads import slices
from .windows import window

#: From how many multiplications for an image on its rows are worth dividing among the workers.
LARGE_IMAGE = 1 << 22

#: The number of columns that a matrix product needs to run at full speed.
COLUMNS = 256


def conv2d(x, weight, padding=(0, 0), stride=(1, 1)):
    """Return y (N, n_out, H', W'), the correlation of x with `weight`."""
    ops, (ph, pw) = get_ops(x), padding
    size = output_size(x.shape[2:], weight.shape[2:], padding, stride)
    y = ops.xp.empty((len(x), len(weight), *size), x.dtype)

    def work(images, rows):
        first = rows.start * stride[0] - ph, -pw
        _correlate(x[images], weight, first, stride, out=y[images, :, rows])

    _divide(ops, lambda share: [work(*part) for part in share], len(x), size, weight.size)
    return y


def conv2d_grad_input(g, weight, size, padding=(0, 0), stride=(1, 1)):
    """Return the gradient with respect to x, (N, n_in, H, W) with (H, W) = `size`; g is that of the output.

    Its rows y ≡ a - ph (mod dh) meet only the kernel rows a, a + dh, ...: they are a stride-1 correlation of
    g with those rows, flipped; likewise for columns.
    """
    ops, (ph, pw), (dh, dw) = get_ops(g), padding, stride
    grad = ops.xp.empty((len(g), weight.shape[1], *size), g.dtype)

    def work(images, rows):
        for a in range(dh):
            for b in range(dw):
                y, x = rows.start + (a - ph - rows.start) % dh, (b - pw) % dw
                part, kernel = grad[images, :, y : rows.stop : dh, x::dw], weight[:, :, a::dh, b::dw]
                if not kernel.size:
                    part.fill(0)
                elif part.size:
                    first = (y + ph - a) // dh - kernel.shape[2] + 1, (x + pw - b) // dw - kernel.shape[3] + 1
                    flipped = kernel[:, :, ::-1, ::-1].swapaxes(0, 1)
                    _correlate(g[images], flipped, first, (1, 1), out=part)

    _divide(ops, lambda share: [work(*part) for part in share], len(g), size, weight.size // (dh * dw))
    return grad


def conv2d_grad_weight(x, g, kernel, padding=(0, 0), stride=(1, 1)):
    """Return the gradient with respect to the weight, (n_out, n_in, kh, kw) with (kh, kw) = `kernel`."""
    n_in, n_out, (kh, kw), (ph, pw) = x.shape[1], g.shape[1], kernel, padding
    if (kh, kw, ph, pw, *stride) == (1, 1, 0, 0, 1, 1):
        return _pointwise_grad_weight(x, g)
    if stride == (1, 1) and n_out < n_in:
        # x and g change places, and i - ph becomes ph - i: gathering fewer channels is cheaper.
        flipped = conv2d_grad_weight(g, x, kernel, (kh - 1 - ph, kw - 1 - pw))
        return flipped[:, :, ::-1, ::-1].swapaxes(0, 1)
    ops = get_ops(x)

    def work(share):
        total = ops.xp.zeros((n_out, kh * n_in * kw), x.dtype)
        at_once = max(ops.patch_bytes // total.nbytes, 1)
        for place in share:
            first = place[1].start * stride[0] - ph, -pw
            g_part = g[place[0], :, place[1]]
            for images, rows, patches in _patches(x[place[0]], kernel, first, stride, g_part.shape[2:]):
                g_rows = g_part[images, :, rows].transpose(2, 1, 0, 3).reshape(len(patches), n_out, -1)
                for part in slices(slice(0, len(patches)), at_once):
                    total += ops.matmul(g_rows[part], patches[part].swapaxes(1, 2)).sum(axis=0)
        return total

    total = sum(_divide(ops, work, len(x), g.shape[2:], n_out * n_in * kh * kw))
    return total.reshape(n_out, kh, n_in, kw).transpose(0, 2, 1, 3)


def _pointwise_grad_weight(x, g):
    """Return the gradient with respect to the weight of a kernel of one pixel: Σₙ gₙ xₙᵀ."""
    ops = get_ops(x)

    def work(share):
        total = ops.xp.zeros((g.shape[1], x.shape[1]), x.dtype)
        for images, rows in share:
            shape = images.stop - images.start, -1, (rows.stop - rows.start) * g.shape[3]
            some_g, some_x = (array[images, :, rows].reshape(shape) for array in (g, x))
            total += ops.matmul(some_g, some_x.swapaxes(1, 2)).sum(axis=0)
        return total

    total = sum(_divide(ops, work, len(x), g.shape[2:], g.shape[1] * x.shape[1]))
    return total[:, :, None, None]


def output_size(size, kernel, padding, stride):
    """Return (H', W'); a number below 1 means that the kernel does not fit."""
    return tuple((n + 2 * p - k) // d + 1 for n, k, p, d in zip(size, kernel, padding, stride))


def _divide(ops, work, images, size, multiplications):
    """Call work(share) in parallel, with shares of `images` times the rows of their outputs; return a list.

    A share is a list of (images, rows), slices. size: (H', W'). multiplications: for one output pixel.
    """
    height, width = size
    if images and multiplications * height * width < LARGE_IMAGE:
        return ops.parallel_for(lambda n: work([(n, slice(0, height))]), images)
    return ops.parallel_for(lambda rows: work(list(_rectangles(rows, height))), images * height)


def _rectangles(items, height):
    """Yield (images, rows), slices that together cover a slice of all rows of images of this height."""
    if not height:
        return
    (first, start), (last, stop) = divmod(items.start, height), divmod(items.stop, height)
    if start and first < last:
        yield slice(first, first + 1), slice(start, height)
        first, start = first + 1, 0
    if first < last:
        yield slice(first, last), slice(0, height)
    if stop:
        yield slice(last, last + 1), slice(start if first == last else 0, stop)


def _correlate(x, weight, first, stride, out):
    """Write the correlation of x with `weight` to `out` (N, n_out, H', W').

    first: the row and the column of x (zero outside) that the first tap of the first output entry reads.
    """
    n_out, n_in = weight.shape[:2]
    if stride == (1, 1) and multiplies_first(n_in, n_out, weight.shape[2:]):
        _multiply_first(x, weight, first, out)
        return
    ops, by_row = get_ops(x), weight.transpose(0, 2, 1, 3).reshape(n_out, -1)
    for images, rows, patches in _patches(x, weight.shape[2:], first, stride, out.shape[2:]):
        block = out[images, :, rows].transpose(2, 1, 0, 3)
        block[...] = ops.matmul(by_row, patches).reshape(block.shape)


def multiplies_first(n_in, n_out, kernel):
    """Return whether multiplying first moves fewer numbers than gathering first."""
    return tuple(kernel) == (1, 1) or n_out * kernel[0] < n_in


def _patches(x, kernel, first, stride, out_size):
    """Yield (images, rows, patches), slices and an array, that together cover all images and output rows.

    patches: (R, kh·n_in·kw, n·W'), what each of R output rows of n images reads: overlapping views of strips.
    """
    ops, (n_in, (kh, kw), (dh, dw), width) = get_ops(x), (x.shape[1], kernel, stride, out_size[1])
    strip_bytes, side_by_side = n_in * kw * width * x.itemsize, -(-COLUMNS // width)
    fitting = ops.patch_bytes // strip_bytes
    for images, rows in _blocks(fitting, len(x), out_size[0], kernel[0], dh, side_by_side):
        n_rows = rows.stop - rows.start
        height, read_width = (n_rows - 1) * dh + kh, (width - 1) * dw + kw
        top, left = first[0] + rows.start * dh, first[1]
        read = window(x[images], (top, top + height), (left, left + read_width)).transpose(2, 1, 0, 3)
        strips = ops.xp.empty((height, n_in, kw, read.shape[2], width), x.dtype)
        for j in range(kw):
            strips[:, :, j] = read[..., j : j + (width - 1) * dw + 1 : dw]
        strips = strips.reshape(height, n_in * kw, -1)
        by_y, by_row, by_column = strips.strides
        shape, strides = (n_rows, kh * n_in * kw, strips.shape[2]), (dh * by_y, by_row, by_column)
        yield images, rows, ops.xp.lib.stride_tricks.as_strided(strips, shape, strides)


def _multiply_first(x, weight, first, out):
    """Do the same as `_correlate`, for stride 1: multiply by the weights of all taps, shift, add up."""
    ops, (n_out, n_in, kh, kw) = get_ops(x), weight.shape
    taps = weight.transpose(2, 3, 0, 1).reshape(-1, n_in)
    height, width = out.shape[2:]
    wide = width + kw - 1
    fitting = ops.patch_bytes // (len(taps) * wide * x.itemsize)
    for images, rows in _blocks(fitting, len(x), height, kh, 1, 1):
        n_rows, top = rows.stop - rows.start, first[0] + rows.start
        read = window(x[images], (top, top + n_rows + kh - 1), (first[1], first[1] + wide))
        products = ops.matmul(taps, read.reshape(len(read), n_in, -1))
        if (kh, kw) == (1, 1):
            out[images, :, rows] = products.reshape(len(read), n_out, n_rows, wide)
            continue
        products = products.reshape(len(read), kh, kw, n_out, -1)
        # In rows of the input's width, i rows down and j columns across is i·wide + j entries ahead.
        by_image, by_i, by_j, by_channel, step = products.strides
        count = (n_rows - 1) * wide + width
        shifted = ops.xp.lib.stride_tricks.as_strided(
            products,
            (len(read), kh, kw, n_out, count),
            (by_image, by_i + wide * step, by_j + step, by_channel, step),
        )
        total = ops.xp.empty((len(read), n_out, n_rows * wide), x.dtype)
        total[..., :count] = shifted.sum(axis=(1, 2))
        out[images, :, rows] = total.reshape(len(read), n_out, n_rows, wide)[..., :width]


def _blocks(fitting, n, height, kh, dh, least_images):
    """Yield (images, rows), slices that together cover n images and `height` output rows.

    fitting: how many input rows of single images the memory for a block holds. But a block has at least
    `least_images` images, and at least kh output rows, so that it shares little more than half of its input
    rows with its neighbour.
    """
    n_images = max(min(n, max(fitting // ((height - 1) * dh + kh), least_images)), 1)
    n_rows = min(max((fitting // n_images - kh) // dh + 1, kh), height)
    for images in slices(slice(0, n), n_images):
        for rows in slices(slice(0, height), n_rows):
            yield images, rows
