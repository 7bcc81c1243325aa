"""Two Python threads with one BLAS thread each: faster than BLAS's own threads for many small products.

After each product, BLAS's own threads go on spinning for a while and hold up whatever else needs their core.
A training step as a whole therefore runs inside `single_blas_thread()`: limiting BLAS anew in every module
cost a quarter of the step. Plain Python threads suffice because NumPy releases the interpreter lock
inside `matmul` and its elementwise loops.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import chain, pairwise

from threadpoolctl import ThreadpoolController

#: About half of a core's second-level cache.
CACHE_BYTES = 512 << 10

WORKERS = min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)

#: Has the attribute `busy`, set to True, in a thread that works on a slice.
_this_thread = threading.local()

#: How many contexts of `single_blas_thread` are open, in all threads, and what restores BLAS after the last.
_lock, _open, _limiter = threading.Lock(), 0, None


@cache
def _pool():
    return ThreadPoolExecutor(WORKERS, thread_name_prefix="nnlite")


@cache
def _controller():
    return ThreadpoolController()


@contextmanager
def single_blas_thread():
    """Limit every BLAS call in this context to one thread; contexts nest, and inner ones cost nothing."""
    global _open, _limiter
    with _lock:
        if not _open:
            _limiter = _controller().limit(limits=1, user_api="blas")
        _open += 1
    try:
        yield
    finally:
        with _lock:
            _open -= 1
            if not _open:
                _limiter.restore_original_limits()


def parallel_for(work, count, block=None):
    """Call `work(slice)` on slices that cover range(count), the workers' shares in parallel.

    `work` must write to disjoint places for disjoint slices. block: the most items that one call gets
    (`cache_items`); by default a worker's share is one call. Return the list of what the calls returned, in
    the order of the slices. BLAS is limited to one thread meanwhile, if there is anything to share. Called
    from inside such a `work`, the loop runs in the calling thread: all workers are busy then, and waiting
    for them could deadlock.
    """

    def share(items):
        return [work(part) for part in (slices(items, block) if block else [items])]

    if WORKERS == 1 or count < WORKERS or getattr(_this_thread, "busy", False):
        return share(slice(0, count))
    bounds = [count * i // WORKERS for i in range(WORKERS + 1)]
    with single_blas_thread():
        others = [_pool().submit(_run, share, slice(a, b)) for a, b in pairwise(bounds[1:])]
        try:
            first = _run(share, slice(0, bounds[1]))
        finally:
            rest = [other.result() for other in others]
    return [*chain(first, *rest)]


def slices(items, size):
    """Yield slices of at most `size` items that together cover the slice `items`."""
    for first in range(items.start, items.stop, size):
        yield slice(first, min(first + size, items.stop))


def cache_items(item_bytes):
    """Return how many items of `item_bytes` bytes fit in a core's cache, at least 1."""
    return max(1, CACHE_BYTES // item_bytes)


def _run(work, piece):
    """Call work(piece), with this thread marked as busy."""
    _this_thread.busy = True
    try:
        return work(piece)
    finally:
        _this_thread.busy = False
