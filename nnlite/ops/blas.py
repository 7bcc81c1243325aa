"""Limits BLAS to one thread while the project's own threads work.

After each product BLAS's own threads go on spinning for some 25 ms and hold up whatever else needs their
core. So every product here runs inside `single_blas_thread()`, and these threads are never woken.
"""

import os
import threading
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

#: The open contexts, and the thread of each; guarded by the lock.
_open, _lock = {}, threading.RLock()

#: The (library, number of threads) from before the first context.
_before = []


@cache
def _libraries():
    return ThreadpoolController().select(user_api="blas").lib_controllers


def _set_threads(library, count):
    """Set a library's number of threads from whatever thread this is.

    Of OpenBLAS the method of threadpoolctl 3.8 (not of 3.6) does nothing in a thread that was not the first
    to call it; here the lock and the counting of contexts ensure what that is for.
    """
    getattr(library, "_real_set_num_threads", library.set_num_threads)(count)


@contextmanager
def single_blas_thread():
    """Limit every BLAS call of the process to one thread, as a context; contexts nest and overlap.

    What was set before comes back when the last of them closes, also when a KeyboardInterrupt strikes while
    one opens or closes. (One that it strikes right before closes when the traceback is dropped.)
    """
    context = object()
    try:
        holding(_lock, _enter, context)
        yield
    finally:
        try:
            holding(_lock, _leave, context)
        except KeyboardInterrupt:
            holding(_lock, _leave, context)  # it may do so several times
            raise


def holding(lock, function, *args):
    """Call function(*args) and hold the lock, an RLock, meanwhile; an interrupt leaves it free.

    It is not taken by `with`: in Python 3.14 an interrupt can come when that has the lock but is not in its
    block yet (python/cpython#148874).
    """
    try:
        lock.acquire()
        function(*args)
    finally:
        try:
            lock.release()
        except RuntimeError:  # interrupted before it was acquired
            pass


def _enter(context):
    global _before
    if not _open:
        _before = [(library, library.get_num_threads()) for library in _libraries()]
    _open[context] = threading.get_ident()
    if len(_open) == 1:
        for library, _ in _before:
            _set_threads(library, 1)


def _leave(context):
    if len(_open) == 1 and context in _open:
        _restore()
    _open.pop(context, None)


def _restore():
    for library, threads in _before:
        _set_threads(library, threads)


def _only_this_thread():
    """In a child made by fork: close the contexts of the threads that it does not have."""
    global _open, _lock
    _lock = threading.RLock()
    inherited, here = bool(_open), threading.get_ident()
    _open = {context: thread for context, thread in _open.items() if thread == here}
    if inherited and not _open:
        _restore()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        # The interpreter looks the lock up anew in each of these.
        before=lambda: _lock.acquire(),
        after_in_parent=lambda: _lock.release(),
        after_in_child=_only_this_thread,
    )
