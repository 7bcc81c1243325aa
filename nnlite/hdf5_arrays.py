"""The arrays that an HDF5 file holds in its own bytes.

HDF5 lets an entry of a file be a link into another file, raw data kept in other files, or a data set put
together from those of other files; whoever reads such an entry reads whatever the author of the file chose
to name. All of these are refused before any other file is opened, and so is what claims too much memory.
"""

import math

import h5py
import numpy as np

from .limits import check_claim

#: Of the filters of HDF5 those that `checkpoint` uses; others may be code that HDF5 looks for on the disk.
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE}


class Refused(ValueError):
    """An entry of a file that is not read, for what it is; the message names file and entry."""


def own_entries(path, file):
    """Return {path in the file: data set} of an open file, none of them read.

    path: of the file, for the `Refused` that names the entry.
    """
    found, seen, waiting = {}, set(), [("", file)]
    while waiting:
        place, group = waiting.pop()
        for name in group:
            entry = f"{place}/{name}".lstrip("/")
            _check_link(path, entry, group, name)
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                raise Refused(f"{path}: the entry {entry} is another one's under a second name")
            seen.add(address)
            if isinstance(item, h5py.Group):
                waiting.append((entry, item))
            elif isinstance(item, h5py.Dataset):
                _check_storage(path, entry, item)
                found[entry] = item
            else:
                raise Refused(f"{path}: the entry {entry} is a {type(item).__name__}, not a data set")
    check_claim(path, "what it holds", sum(map(_size, found.values())))
    return found


def read_numbers(path, entry, item):
    """Return the array in a data set; `Refused`, naming it, where it holds no numbers."""
    if item.dtype.kind not in "biuf":
        raise Refused(f"{path}: the entry {entry} must hold numbers, got {item.dtype}")
    return np.asarray(item[()])


def _check_link(path, entry, group, name):
    """Raise `Refused` unless the entry is an object of this file."""
    try:
        kind = type(group.get(name, getlink=True))
    except TypeError:  # a kind that h5py does not know
        kind = None
    if kind is not h5py.HardLink:
        what = {h5py.ExternalLink: "a link to another file", h5py.SoftLink: "a link to another entry"}
        raise Refused(f"{path}: the entry {entry} is {what.get(kind, 'a link')}, which is not followed")


def _check_storage(path, entry, item):
    """Raise `Refused` unless the numbers of a data set are in this file, stored as this package does."""
    stored = item.id.get_create_plist()
    if stored.get_external_count():
        raise Refused(f"{path}: the entry {entry} keeps its numbers in another file, which is not opened")
    if stored.get_layout() == h5py.h5d.VIRTUAL:
        raise Refused(f"{path}: the entry {entry} is put together from other data sets, which are not opened")
    filters = {stored.get_filter(i)[0] for i in range(stored.get_nfilters())}
    if filters - _FILTERS:
        raise Refused(f"{path}: the entry {entry} is compressed by another method than gzip")


def _size(item):
    """Return how many bytes of memory it takes to read a data set."""
    chunk = math.prod(item.chunks) if item.chunks else 0  # is inflated as a whole
    return max(math.prod(item.shape or ()), chunk) * item.id.get_type().get_size()
