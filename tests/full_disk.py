"""A disk that is full, for tests of what is written then."""

import contextlib
import resource


@contextlib.contextmanager
def full_disk(size):
    """Within this context no file can grow beyond so many bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
