"""Memory of the device: who took it, and what lies where.

All memory that is in use is known by its address, so that a pointer leads back to the array and nothing is
read beyond it. What the default pool gave is anybody's again when its last array goes; what another
`MemoryPool` gave stays with that pool.
"""

import bisect
import contextlib
import weakref

import numpy as np

from .pool import PoolCount

_in_use = weakref.WeakValueDictionary()  # {address: the array that owns the memory there}
_addresses = []  # sorted: all that were ever in `_in_use`
_pools = [None]  # the current one is the last; None is the default pool
_counts = None  # {pool: its PoolCount} while it is counted what each would take


class MemoryPool:
    """A pool whose memory is never used a second time."""

    def __init__(self):
        self._taken = []

    def malloc(self, size):
        raise NotImplementedError("the double only takes this method as the allocator")

    def total_bytes(self):
        return count_of(self).total if _counts is not None else sum(array.nbytes for array in self._taken)


@contextlib.contextmanager
def counting():
    """Give, as a context, the function that returns the `PoolCount` of a pool, None being the default pool.

    Meanwhile no pool keeps what was given back, and what would be written is not computed: only sizes count.
    A graph can be captured, but not launched.
    """
    global _counts
    _counts = {}
    try:
        yield count_of
    finally:
        _counts = None


def is_counting():
    """Say whether sizes alone count."""
    return _counts is not None


def count_of(pool):
    """Return what a pool, None being the default one, would have taken since `counting` began."""
    return _counts.setdefault(pool, PoolCount())


@contextlib.contextmanager
def using_allocator(allocator):
    _pools.append(allocator.__self__)
    try:
        yield
    finally:
        _pools.pop()


def take(array):
    """Enter the memory of a new NumPy array as device memory of the current pool; return the array."""
    owner = _owner(array)
    if _counts is not None:
        count_of(_pools[-1]).take(owner)
    elif _pools[-1] is not None:
        _pools[-1]._taken.append(owner)
    address = _address(owner)
    _in_use[address] = owner
    k = bisect.bisect_left(_addresses, address)
    if _addresses[k : k + 1] != [address]:
        _addresses.insert(k, address)
    return array


def in_own_pool():
    """Say whether memory comes from another pool than the default."""
    return _pools[-1] is not None


def at(address, dtype, shape, strides):
    """Return the NumPy array at an address in device memory; ValueError if not all of that is in use."""
    k = bisect.bisect_right(_addresses, address) - 1
    while k >= 0 and _addresses[k] not in _in_use:
        del _addresses[k]
        k -= 1
    if k < 0:
        raise ValueError(f"no device memory at {address:#x}")
    return _inside(_in_use[_addresses[k]], address - _addresses[k], dtype, shape, strides)


class Place:
    """Where an array lies, without keeping its memory from being given back."""

    def __init__(self, array):
        owner = _owner(array)
        self._owner, self._form = weakref.ref(owner), (array.dtype, array.shape, array.strides)
        self._offset = _address(array) - _address(owner) if array.size else 0

    def array(self):
        """Return the array; RuntimeError when its memory has been given back meanwhile."""
        owner = self._owner()
        if owner is None:
            raise RuntimeError(
                f"an array {self._form[1]} that the graph uses has been given back to its pool"
            )
        return _inside(owner, self._offset, *self._form)


def _inside(owner, offset, dtype, shape, strides):
    return np.ndarray(shape, dtype, owner.ravel(order="K").view(np.uint8).data, offset, strides)


def _address(array):
    return array.__array_interface__["data"][0]


def _owner(array):
    while array.base is not None:
        array = array.base
    return array
