"""Notices two threads in one module: what the calls of one keep, the other would overwrite."""

import functools
import os
import threading

#: {id of a module: the thread that runs one of its calls}.
_calls = {}


def exclusive(method):
    """Return a method of a module that raises RuntimeError while another thread is in such a method of it."""

    @functools.wraps(method)
    def guarded(module, *args, **keywords):
        key, here = id(module), threading.get_ident()
        nested = _calls.get(key) == here
        try:
            if _calls.setdefault(key, here) != here:  # one indivisible operation
                raise RuntimeError(
                    f"{module.name}: {method.__name__} was called while another thread runs this module, "
                    "which would mix up their numbers: give each thread its clone(), or its shared_clone() "
                    "to share parameters, or let the threads take turns with a lock"
                )
            return method(module, *args, **keywords)
        finally:
            if not nested and _calls.get(key) == here:
                del _calls[key]

    return guarded


def _keep_own_calls():
    """In a child made by fork: forget the calls of threads that it does not have."""
    here = threading.get_ident()
    for key in [key for key, thread in _calls.items() if thread != here]:
        del _calls[key]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_own_calls)
