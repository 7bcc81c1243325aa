"""Two Python threads with one BLAS thread each: faster than BLAS's own threads for many small products.

BLAS's own threads go on spinning for a while after each product, in the way of whatever else would use
their core. So a training step as a whole runs inside `single_blas_thread()`; entering and leaving it at
every module cost a quarter of the step. NumPy lets go of the interpreter lock inside `matmul` and its
elementwise loops, so plain threads do. On the GPU there is nothing to split: the work runs as one piece.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

from threadpoolctl import ThreadpoolController

from .products import product

#: About half of a core's second-level cache.
CACHE_BYTES = 512 << 10

#: Multiplications from which on a product is worth two threads.
LARGE_PRODUCT = 1 << 20

WORKERS = min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)

#: Has the attribute `busy`, True, in a thread that works on a slice.
_this_thread = threading.local()


@cache
def _pool():
    return ThreadPoolExecutor(WORKERS, thread_name_prefix="nnlite")


@cache
def _controller():
    return ThreadpoolController()


def single_blas_thread():
    """Return a context in which every BLAS call uses one thread."""
    return _controller().limit(limits=1, user_api="blas")


def split(work, count, xp):
    """Call `work(slice)` so that the slices cover range(count): one slice per worker, in parallel.

    Meant to run inside `single_blas_thread()`. `work` must write to disjoint places for disjoint slices.
    Return the list of what the calls returned, in the order of the slices. Called by such a `work` it makes
    one call: all workers are busy then, and waiting for them could last for ever.
    """
    if not _splits(count, xp):
        return [work(slice(0, count))]
    bounds = [count * i // WORKERS for i in range(WORKERS + 1)]
    others = [_pool().submit(_run, work, slice(a, b)) for a, b in pairwise(bounds[1:])]
    try:
        first = _run(work, slice(0, bounds[1]))
    finally:
        rest = [other.result() for other in others]
    return [first, *rest]


def split_alone(work, count, xp):
    """Do as `split` does, with BLAS limited to one thread for as long if there is something to split."""
    if not _splits(count, xp):
        return [work(slice(0, count))]
    with single_blas_thread():
        return split(work, count, xp)


def matmul(a, b, xp):
    """Return a @ b of two matrices, the longer side of the result shared out among the workers.

    On a GPU, which has one worker, there may be leading axes.
    """
    if xp.__name__ != "numpy":
        return product(a, b)
    out = xp.empty((a.shape[0], b.shape[1]), a.dtype)
    if a.shape[0] * a.shape[1] * b.shape[1] < LARGE_PRODUCT:
        return product(a, b, out=out)
    if out.shape[0] > out.shape[1]:
        split_alone(lambda rows: product(a[rows], b, out=out[rows]), out.shape[0], xp)
    else:
        split_alone(lambda columns: product(a, b[:, columns], out=out[:, columns]), out.shape[1], xp)
    return out


def in_cache(work, item_bytes, xp):
    """Return `work` as a function of slices that takes as many items at once as a core's cache holds.

    item_bytes: what one item takes. On the GPU the slice stays whole.
    """
    return in_pieces(work, max(1, CACHE_BYTES // item_bytes)) if xp.__name__ == "numpy" else work


def in_pieces(work, size):
    """Return `work` as a function of slices that takes `size` items at once."""

    def piecewise(items):
        for first in range(items.start, items.stop, size):
            work(slice(first, min(first + size, items.stop)))

    return piecewise


def _splits(count, xp):
    """Say whether `split` makes more than one slice."""
    busy = getattr(_this_thread, "busy", False)
    return WORKERS > 1 and count >= WORKERS and xp.__name__ == "numpy" and not busy


def _run(work, piece):
    """Call work(piece), with this thread marked as busy."""
    _this_thread.busy = True
    try:
        return work(piece)
    finally:
        _this_thread.busy = False
