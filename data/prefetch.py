"""Batches made ahead of time by a background thread, in the order in which they will be needed."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

#: How many batches are made ahead.
DEPTH = 4


class Prefetch:
    """A callable that replaces `make_batch(indices)`, with identical results made ahead of time.

        with Prefetch(clips.batch, schedule) as batch:
            frames = batch(indices).frames

    schedule: the `indices` of all coming calls, in order; it may be endless, since it is read only `DEPTH`
    batches ahead, which bounds the memory. An error while a batch is made is raised by the call that requests
    the batch. `close`, or leaving the context for any reason, drops the batches that nobody requested and
    waits for the one that is being made.
    """

    def __init__(self, make_batch, schedule):
        self._make_batch, self._schedule = make_batch, iter(schedule)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._coming = deque()
        self._submit(DEPTH)

    def __call__(self, indices):
        """Return the batch of these indices, which must be the next in the schedule."""
        expected, batch = self._coming[0] if self._coming else (None, None)
        if list(indices) != expected:
            raise ValueError(
                f"the next batch in the schedule is {expected}, but {list(indices)} was requested"
            )
        self._coming.popleft()
        self._submit(1)
        return batch.result()

    def close(self):
        """Stop the thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _submit(self, n_batches):
        for indices in islice(self._schedule, n_batches):
            self._coming.append((list(indices), self._pool.submit(self._make_batch, indices)))
