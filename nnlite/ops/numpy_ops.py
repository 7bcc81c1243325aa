"""Array operations on the CPU: threads, blocks that fit in the cache, sparse matrices."""

import numpy as np

from . import gates, threads, tiles, updates
from .blas import single_blas_thread

#: Multiplications from which on a product is worth several threads.
LARGE_PRODUCT = 1 << 20

#: Bytes of a product that `add_product` makes at a time: enough rows for a fast product.
PRODUCT_BYTES = 4 << 20


class NumpyOps:
    """What differs by device, for NumPy arrays. `CupyOps` has the same names with the same meaning.

    xp: the array library.
    patch_bytes, spectra_bytes: how much memory the patches of `gemm` and the spectra of `spectral_rows` may
    take at a time. Here they stay in the cache; on a GPU they are worth the kernel launches.
    frame_bytes: the same for the half-transformed images of `spectral_frames`, which leave the cache: enough
    tiles for large products. On a GPU the rest of the spectra come on top, some three times as much.
    chunk_bytes: how much memory the spectra of output gradients may take before `SpectralConvLSTM` turns them
    into weight gradients. outputs_at_once: of how many output channels it does that at once; on a CPU large
    products of a few frequencies, on a GPU small ones of all. input_bytes: how much memory the spectra of its
    inputs may take; if they need more, they are made anew in the backward pass.
    keeps_scratch: whether large arrays that a pass fills anew are kept from one pass to the next. On the CPU
    fresh memory takes its time, on a GPU it comes from a pool, where others can have it meanwhile.
    stacked_rows: the most rows of matrices that are worth stacking, for one batched product in place of
    several small ones.
    """

    xp = np
    patch_bytes = 1 << 20
    spectra_bytes = 1 << 20
    frame_bytes = 32 << 20
    chunk_bytes = 72 << 20
    input_bytes = 72 << 20
    outputs_at_once = 128
    keeps_scratch = True
    stacked_rows = 0

    #: On a GPU one call gets all of the range, whatever `block`.
    parallel_for = staticmethod(threads.parallel_for)
    #: On a GPU one call gets all elements.
    by_elements = staticmethod(threads.by_elements)
    #: On a GPU one slice holds all `items`, whatever `size`.
    blocked = staticmethod(threads.slices)
    gates_forward = staticmethod(gates.forward)
    gates_backward = staticmethod(gates.backward)
    to_tiles = staticmethod(tiles.to_tiles)
    from_tiles = staticmethod(tiles.from_tiles)
    gather_halo = staticmethod(tiles.gather_halo)
    overlap_add = staticmethod(tiles.overlap_add)
    adam_update = staticmethod(updates.adam)
    nesterov_update = staticmethod(updates.nesterov)

    @staticmethod
    def matmul(a, b, out=None):
        """Return a @ b of (..., m, k) and (..., k, n), leading axes broadcast, in this thread alone."""
        if threads.inside_loop():  # BLAS is limited already
            return np.matmul(a, b, out=out)
        with single_blas_thread():
            return np.matmul(a, b, out=out)

    @staticmethod
    def parallel_matmul(a, b):
        """Return a @ b of two matrices, the longer side of the result divided among the workers.

        On a GPU there may be leading axes, as in `matmul`.
        """
        if a.shape[0] * a.shape[1] * b.shape[1] < LARGE_PRODUCT:
            return NumpyOps.matmul(a, b)
        out = np.empty((a.shape[0], b.shape[1]), a.dtype)
        if out.shape[0] > out.shape[1]:
            threads.parallel_for(lambda rows: np.matmul(a[rows], b, out=out[rows]), out.shape[0])
            return out

        def transposed(columns):  # BLAS takes less time when the long side comes first
            out[:, columns] = np.matmul(b[:, columns].T, a.T).T

        threads.parallel_for(transposed, out.shape[1])
        return out

    @staticmethod
    def add_product(total, a, b, scale=1.0):
        """Add scale · a @ b to the matrix `total`, some rows at a time: without another array of its size."""

        def add(rows):
            for some in threads.slices(rows, max(1, PRODUCT_BYTES // total[0].nbytes)):
                product = np.matmul(a[some], b)
                total[some] += product if scale == 1 else scale * product

        if total.size * a.shape[1] < LARGE_PRODUCT:
            total += scale * NumpyOps.matmul(a, b)
        else:
            threads.parallel_for(add, len(total))

    @staticmethod
    def map_elements(work, x, *others):
        """Return the array that `work(x, *others, out)` fills, element by element, of arrays of one shape.

        In pieces that stay in the cache, by all workers.
        """
        out = np.empty(x.shape, x.dtype)
        threads.by_elements(work, *(array.reshape(-1) for array in (x, *others, out)))
        return out

    @staticmethod
    def positive_part(x):
        """Return max(x, 0), and 0 where x is NaN."""
        return NumpyOps.map_elements(lambda x, y: np.fmax(x, 0, out=y), x)

    @staticmethod
    def where_positive(x, g):
        """Return g where x > 0, else 0."""
        bits = np.dtype(f"i{g.itemsize}")

        def select(x, g, out):  # by bits, which takes a third of the time of `where`
            mask = np.greater(x, 0).view(np.int8).astype(bits)
            np.bitwise_and(np.negative(mask, out=mask), g.view(bits), out=out.view(bits))

        return NumpyOps.map_elements(select, x, g)

    @staticmethod
    def weighted_gather(pixels, index, weights):
        """Return (P, D) rows Σ_k weights[p, k] · pixels[index[p, k]]; an entry of weight 0 is not read."""
        return _sparse(index, weights, len(pixels)) @ pixels

    @staticmethod
    def weighted_scatter(rows, index, weights, count):
        """Return (count, D): rows[p] times weights[p, k] added to row index[p, k]; 0 where the weight is 0.

        The adjoint of `weighted_gather`.
        """
        return _sparse(index, weights, count).T @ rows

    @staticmethod
    def dot_rows(a, b):
        """Return Σ_d a[p, d] · b[p, d]."""
        return np.einsum("pd,pd->p", a, b)


def _sparse(index, weights, columns):
    """Return the sparse matrix with weights[p, k] at (p, index[p, k]): products are faster than indexing."""
    from scipy.sparse import csr_array  # here, because it takes longer to import than the whole package

    starts = np.arange(0, index.size + 1, index.shape[1])
    matrix = csr_array((weights.flatten(), index.flatten(), starts), shape=(len(index), columns))
    matrix.eliminate_zeros()  # in place, hence the copies: an entry of weight 0 is not read
    return matrix
