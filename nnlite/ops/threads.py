"""Two Python threads with one BLAS thread each: faster than BLAS's own threads for many small products.

NumPy lets go of the interpreter lock inside `matmul` and its elementwise loops, so plain threads do. On
the GPU there is nothing to split: the work runs as one piece.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

from threadpoolctl import ThreadpoolController

WORKERS = min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


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
    """
    if WORKERS == 1 or count < WORKERS or xp.__name__ != "numpy":
        work(slice(0, count))
        return
    bounds = [count * i // WORKERS for i in range(WORKERS + 1)]
    others = [_pool().submit(work, slice(a, b)) for a, b in pairwise(bounds[1:])]
    try:
        work(slice(0, bounds[1]))
    finally:
        for other in others:
            other.result()
