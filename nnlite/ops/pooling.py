"""Pooling, unpooling and nearest upsampling of feature maps (N, C, H, W), forward and backward.

Windows have the size kernel (kh, kw) and start stride (dh, dw) apart, the first of them padding (ph, pw)
outside. Loops run over the entries of a window, never over windows.
"""

from ..backend import get_array_module
from . import get_ops
from .windows import window


def output_size(size, kernel, padding, stride, ceil=False):
    """Return (H', W'), the numbers of windows: ⌊(H + 2 ph - kh) / dh⌋ + 1, rounded up instead with `ceil`.

    With padding, and only then, last windows that would start outside are omitted, as in Torch7.
    """
    counts = []
    for n, k, p, d in zip(size, kernel, padding, stride):
        span = n + 2 * p - k
        count = (-(-span // d) if ceil else span // d) + 1
        counts.append(count - 1 if any(padding) and (count - 1) * d >= n + p else count)
    return tuple(counts)


def max_pool(x, kernel, out_size, padding, stride):
    """Return (y, indices): each window's maximum and its place, the flat 0-based index into the H·W map.

    The first of equal entries in row-major order wins. NaN never wins. A window without an entry above the
    lowest finite number yields that number and index -1.
    """
    ops, ((top, _), (left, _)) = get_ops(x), _extent(kernel, out_size, padding, stride)
    xp = ops.xp
    corners = (top + xp.arange(out_size[0]) * stride[0])[:, None] * x.shape[3]
    corners = corners + left + xp.arange(out_size[1]) * stride[1]
    y = xp.empty(x.shape[:2] + tuple(out_size), x.dtype)
    indices = xp.empty(y.shape, corners.dtype)

    def work(images):
        # On the CPU image by image, so that each stays in the cache while its windows are compared.
        for n in ops.blocked(images, 1):
            winner = _max_pool_map(x[n], kernel, padding, stride, y[n])
            xp.add(corners - 1, winner, out=indices[n])
            # Not with a boolean index: to learn how many there are, the host would wait for the GPU.
            xp.copyto(indices[n], -1, where=winner == 0)

    ops.parallel_for(work, len(x))
    return y, indices


def _max_pool_map(x, kernel, padding, stride, y):
    """Write the maxima of x (..., H, W) to y and return which entry won: 1 + i·W + j for (i, j), 0 for none.

    Among a window's entries inside the map, a later one in row-major order has a higher number.
    """
    xp = get_array_module(x)
    lowest = x.dtype.type(xp.finfo(x.dtype).min)
    last = (kernel[0] - 1) * x.shape[-1] + kernel[1]
    winner = xp.zeros(y.shape, xp.int16 if last < 2**15 else xp.int32)  # narrow integers are faster
    y.fill(lowest)
    covered = window(x, *_extent(kernel, y.shape[-2:], padding, stride), lowest)
    for (i, j), entry in _entries(covered, kernel, y.shape[-2:], stride):
        entry = xp.ascontiguousarray(entry)  # read twice below, much faster if contiguous
        xp.maximum(winner, (entry > y) * winner.dtype.type(1 + i * x.shape[-1] + j), out=winner)
        xp.fmax(y, entry, out=y)
    return winner


def scatter(values, indices, size):
    """Return zero maps of `size` (H, W) with `values` added at `indices`; those at index -1 are dropped.

    This is the backward pass of max pooling and the forward pass of unpooling.
    """
    xp = get_array_module(values)
    ops = get_ops(values)
    maps = xp.empty(values.shape[:2] + tuple(size), values.dtype)

    def work(images):
        for n in ops.blocked(images, 1):
            maps[n].fill(0)
            kept = xp.where(indices[n] < 0, values.dtype.type(0), values[n])
            xp.add.at(maps[n].reshape(-1), _flat(indices[n], size), kept.ravel())

    ops.parallel_for(work, len(maps))
    return maps


def gather(maps, indices):
    """Return the entries of `maps` (N, C, H, W) at `indices`, 0 where these are -1: `scatter`'s adjoint."""
    xp = get_array_module(maps)
    ops, y = get_ops(maps), xp.empty(indices.shape, maps.dtype)

    def work(images):
        for n in ops.blocked(images, 1):
            picked = maps[n].reshape(-1)[_flat(indices[n], maps.shape[2:])].reshape(indices[n].shape)
            y[n] = xp.where(indices[n] < 0, maps.dtype.type(0), picked)

    ops.parallel_for(work, len(y))
    return y


def average_pool(x, kernel, out_size, padding, stride, count_padding):
    """Return each window's sum divided by its size, in which padding counts only with `count_padding`.

    Entries of a window beyond the padding (with ceil) never count.
    """
    xp = get_array_module(x)
    total = xp.zeros(x.shape[:2] + tuple(out_size), x.dtype)
    extent = _extent(kernel, out_size, padding, stride)
    for _, entry in _entries(window(x, *extent), kernel, out_size, stride):
        total += entry
    return total / _window_sizes(xp, x.dtype, x.shape[2:], kernel, out_size, padding, stride, count_padding)


def average_pool_grad_input(g, size, kernel, padding, stride, count_padding):
    """Return the gradient with respect to x, of `size` (H, W): g divided among the entries of its windows."""
    xp, out_size = get_array_module(g), g.shape[2:]
    share = g / _window_sizes(xp, g.dtype, size, kernel, out_size, padding, stride, count_padding)
    (top, bottom), (left, right) = _extent(kernel, out_size, padding, stride)
    covered = xp.zeros((*g.shape[:2], bottom - top, right - left), g.dtype)
    for _, entry in _entries(covered, kernel, out_size, stride):
        entry += share
    return window(covered, (-top, size[0] - top), (-left, size[1] - left))


def upsample(x, scale):
    """Return every entry of x (..., H, W) as a block of scale x scale."""
    y = get_array_module(x).empty((*x.shape[:-2], scale * x.shape[-2], scale * x.shape[-1]), x.dtype)
    for i in range(scale):  # not `repeat`: CuPy's launches a kernel for every row
        for j in range(scale):
            y[..., i::scale, j::scale] = x
    return y


def upsample_grad_input(g, scale):
    """Return the sum over every block of scale x scale."""
    rows = g[..., ::scale, :].copy()
    for k in range(1, scale):
        rows += g[..., k::scale, :]
    grad = rows[..., ::scale].copy()
    for k in range(1, scale):
        grad += rows[..., k::scale]
    return grad


def _extent(kernel, out_size, padding, stride):
    """Return the rows and the columns, each as (start, stop), that all windows together cover."""
    axes = zip(kernel, out_size, padding, stride)
    return [(-p, (n - 1) * d - p + k) for k, n, p, d in axes]


def _entries(covered, kernel, out_size, stride):
    """Yield each position (i, j) in a window, row by row, and the view (..., H', W') of it in all windows."""
    for i in range(kernel[0]):
        rows = slice(i, i + (out_size[0] - 1) * stride[0] + 1, stride[0])
        for j in range(kernel[1]):
            yield (i, j), covered[..., rows, j : j + (out_size[1] - 1) * stride[1] + 1 : stride[1]]


def _window_sizes(xp, dtype, size, kernel, out_size, padding, stride, count_padding):
    """Return (H', W'): the number of entries that each window averages, at least 1."""
    counts = []
    for axis in range(2):
        edge = padding[axis] if count_padding else 0
        start = xp.arange(out_size[axis]) * stride[axis] - padding[axis]
        inside = xp.minimum(start + kernel[axis], size[axis] + edge) - xp.maximum(start, -edge)
        counts.append(xp.maximum(inside, 1).astype(dtype))
    return counts[0][:, None] * counts[1]


def _flat(indices, size):
    """Return 1-d indices into all maps at once; -1 becomes an entry of another map: mask it."""
    xp = get_array_module(indices)
    n, c = indices.shape[:2]
    first = (xp.arange(n * c) * (size[0] * size[1])).reshape(n, c, 1, 1)
    return (indices + first).ravel()
