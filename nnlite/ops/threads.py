"""Parallel loops over Python threads with one BLAS thread each.

For many small products that is faster than BLAS's own threads. Plain Python threads suffice because NumPy
releases the interpreter lock inside `matmul` and its elementwise loops.

There are as many workers as the process may use cores (`available_cores`), the calling thread being one of
them; the environment variable NNLITE_THREADS or `set_num_threads` says otherwise. Loops that several threads
ask for at once take turns, so that never more than these work. A child made by fork starts its own.
"""

import os
import threading
from itertools import chain, pairwise
from queue import SimpleQueue

from ..backend import is_array
from .blas import holding, single_blas_thread
from .cores import available_cores

#: About half of a core's second-level cache.
CACHE_BYTES = 512 << 10

#: Elements of a piece of `by_elements`: what an elementwise formula reads, writes and computes on the way
#: then stays in the cache, and few pieces suffice.
ELEMENTS = 1 << 16

#: The environment variable with the number of workers.
VARIABLE = "NNLITE_THREADS"

#: The number of workers once it is known.
_workers = None

#: Held by the thread whose loop is running; the identity of that thread; held by who is next.
_turn, _turn_of, _next = threading.RLock(), None, threading.RLock()

#: The tasks for the other workers, and how many of those there are.
_tasks: SimpleQueue = SimpleQueue()
_helpers = 0

#: Has the attribute `helper` in the threads that run tasks from the queue.
_this_thread = threading.local()


def get_num_threads() -> int:
    """Return how many threads a parallel loop uses at most, the calling one included."""
    global _workers
    if _workers is None:
        given = os.environ.get(VARIABLE, "").strip()
        if given and not (given.isdecimal() and int(given)):
            raise ValueError(f"{VARIABLE} must be an integer >= 1 or unset, got {given!r}")
        _workers = int(given) if given else available_cores()
    return _workers


def set_num_threads(count: int) -> None:
    """Let parallel loops use `count` threads from now on, in all threads; ValueError unless at least 1."""
    global _workers
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"set_num_threads: count must be an integer >= 1, got {count!r}")
    _workers = count


def parallel_for(work, count, block=None):
    """Call `work(slice)` on slices that cover range(count), the workers' shares in parallel.

    `work` must write to disjoint places for disjoint slices. block: the most items that one call gets
    (`cache_items`); by default a worker's share is one call. Return the list of what the calls returned, in
    the order of the slices. BLAS is limited to one thread meanwhile, if there is anything to share. Called
    from inside such a `work`, the loop runs in the calling thread: all workers are busy then, and waiting
    for them could deadlock. However this returns or raises, no worker is still at it.
    """
    global _turn_of

    def share(items):
        return [work(part) for part in (slices(items, block) if block else [items])]

    shares = min(get_num_threads(), count)
    if shares < 2 or inside_loop():
        return share(slice(0, count))
    bounds = [count * i // shares for i in range(shares + 1)]
    tasks = [_Task(share, slice(a, b)) for a, b in pairwise(bounds)]
    try:
        _take_turn()
        with single_blas_thread():
            try:
                _turn_of = threading.get_ident()
                _start_helpers(shares - 1)
                for task in tasks[1:]:
                    _tasks.put(task)
                for task in tasks:  # the first, and then those that no helper has begun
                    if task.claim():
                        task.run()
            finally:
                _turn_of = None
                _settle(tasks)
    finally:
        try:
            _turn.release()
        except RuntimeError:  # interrupted before it was acquired
            pass
    for task in tasks:
        if task.error is not None:
            raise task.error
    return [*chain(*(task.result for task in tasks))]


def _take_turn():
    """Acquire `_turn` after those who came before.

    Without `_next`, who has just had its turn would mostly have the next as well.
    """
    holding(_next, _turn.acquire)


def by_elements(work, *entries):
    """Call work on the same elements of all entries: in pieces that stay in the cache, and in parallel.

    entries: flat arrays of one size; an entry that is a number is passed on with every piece.
    """
    size = max(entry.size for entry in entries if is_array(entry))

    def pieces(numbers):
        for number in range(numbers.start, numbers.stop):
            at = slice(number * ELEMENTS, (number + 1) * ELEMENTS)
            work(*(entry[at] if is_array(entry) else entry for entry in entries))

    parallel_for(pieces, -(-size // ELEMENTS))


def inside_loop():
    """Return whether this thread is working on a share of a parallel loop."""
    return _turn_of == threading.get_ident() or hasattr(_this_thread, "helper")


def slices(items, size):
    """Yield slices of at most `size` items that together cover the slice `items`."""
    for first in range(items.start, items.stop, size):
        yield slice(first, min(first + size, items.stop))


def cache_items(item_bytes):
    """Return how many items of `item_bytes` bytes fit in a core's cache, at least 1."""
    return max(1, CACHE_BYTES // item_bytes)


class _Task:
    """One worker's share of a loop, run by whichever thread claims it first."""

    __slots__ = ("_finished", "_owner", "_share", "_signal", "error", "items", "result")

    def __init__(self, share, items):
        self._share, self.items = share, items
        self._owner, self._finished, self._signal = {}, False, threading.Lock()
        self._signal.acquire()
        self.result = self.error = None

    def claim(self):
        """Return whether the task is this thread's from now on."""
        here = threading.get_ident()
        return self._owner.setdefault("thread", here) == here  # one indivisible operation

    def run(self):
        try:
            self.result = self._share(self.items)
        except Exception as error:  # an interrupt is not this task's: it passes
            self.error = error
        finally:
            self._finished = True
            self._signal.release()

    def settle(self):
        """Wait until no other thread works on the task; from now on none will begin."""
        if not self.claim():
            while not self._finished:
                self._signal.acquire()


def _settle(tasks):
    """Settle all tasks; a KeyboardInterrupt waits for that."""
    interrupt = None
    while True:
        try:
            for task in tasks:
                task.settle()
            break
        except KeyboardInterrupt as error:
            interrupt = error
    if interrupt is not None:
        raise interrupt


def _start_helpers(count):
    global _helpers
    while _helpers < count:
        _helpers += 1
        threading.Thread(target=_help, args=(_tasks,), name=f"nnlite_{_helpers}", daemon=True).start()


def _help(tasks):
    _this_thread.helper = True
    while True:
        task = tasks.get()
        if task.claim():
            try:
                task.run()
            except BaseException as error:  # SystemExit, say: the thread goes on, the caller gets it
                task.error = error
        del task  # its result is not kept until the next one comes


def _before_fork():
    """Wait for the loop that is running, so that the child finds no library in the middle of a product."""
    if not inside_loop():
        _take_turn()


def _after_fork_in_parent():
    if not inside_loop():
        _turn.release()


def _after_fork_in_child():
    """Forget the helpers: the child has none of its parent's threads but the one that forked."""
    global _turn, _turn_of, _next, _tasks, _helpers
    _turn, _turn_of, _next, _tasks, _helpers = threading.RLock(), None, threading.RLock(), SimpleQueue(), 0
    _this_thread.__dict__.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
