"""Array operations on the GPU: whole arrays at once, CUDA kernels, cuBLAS."""

from . import cublas, gates_cuda, tiles_cuda, updates_cuda

_through_cublas = False


def use_cublas(on=True):
    """Send products on the GPU straight to cuBLAS from now on, or through CuPy; return the previous setting.

    Sent straight (see `cublas`) they can be captured in a CUDA graph, all of them round to TF32 if that is
    requested, and transposed operands are not copied.
    """
    global _through_cublas
    before, _through_cublas = _through_cublas, on
    return before


class CupyOps:
    """What differs by device, for CuPy arrays; `NumpyOps` documents the methods.

    xp: CuPy.
    """

    patch_bytes = 32 << 20
    spectra_bytes = 16 << 20
    frame_bytes = 64 << 20
    chunk_bytes = 36 << 20
    input_bytes = 36 << 20
    outputs_at_once = 32
    keeps_scratch = False
    stacked_rows = 256

    gates_forward = staticmethod(gates_cuda.forward)
    gates_backward = staticmethod(gates_cuda.backward)
    to_tiles = staticmethod(tiles_cuda.to_tiles)
    from_tiles = staticmethod(tiles_cuda.from_tiles)
    gather_halo = staticmethod(tiles_cuda.gather_halo)
    overlap_add = staticmethod(tiles_cuda.overlap_add)
    adam_update = staticmethod(updates_cuda.adam)
    nesterov_update = staticmethod(updates_cuda.nesterov)

    def __init__(self, xp):
        self.xp = xp

    def matmul(self, a, b, out=None):
        return cublas.matmul(a, b, out) if _through_cublas else self.xp.matmul(a, b, out=out)

    def parallel_matmul(self, a, b):
        return self.matmul(a, b)

    @staticmethod
    def parallel_for(work, count, block=None):
        # A GPU divides the work itself: the more it is given at once, the better.
        return [work(slice(0, count))]

    @staticmethod
    def by_elements(work, *entries):
        work(*entries)

    def add_product(self, total, a, b, scale=1.0):
        total += scale * self.matmul(a, b)

    @staticmethod
    def blocked(items, size):
        return [items]

    def map_elements(self, work, x, *others):
        out = self.xp.empty(x.shape, x.dtype)
        work(x, *others, out)
        return out

    def positive_part(self, x):
        return self.xp.fmax(x, 0)

    def where_positive(self, x, g):
        return self.xp.where(x > 0, g, g.dtype.type(0))

    def weighted_gather(self, pixels, index, weights):
        weights = weights[..., None]
        # where: what is not read must not count, not even an infinite value
        return (weights * self.xp.where(weights == 0, 0, pixels[index])).sum(axis=1)

    def weighted_scatter(self, rows, index, weights, count):
        weights = weights[..., None]
        out = self.xp.zeros((count, rows.shape[1]), rows.dtype)
        self.xp.add.at(out, index, weights * self.xp.where(weights == 0, 0, rows[:, None]))
        return out

    @staticmethod
    def dot_rows(a, b):
        # Not by einsum, of which CuPy would make matrix products, each of one row with one column.
        return (a * b).sum(axis=1)
