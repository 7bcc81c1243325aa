"""Batches made ahead of time by threads in the background, in the order in which they will be asked for."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice


class Prefetch:
    """Stands for `make_batch(indices)` and makes up to `depth` batches ahead, the same to the bit.

        with Prefetch(clips.batch, schedule) as batch:
            frames = batch(indices)

    schedule: the `indices` of all coming calls, in order; may be endless, for it is read only `depth` ahead,
    so that memory is bounded by the `depth` batches. An error while a batch was made is raised by the call
    that asks for it. `close`, or leaving the context by whatever way, drops what nobody asked for and waits
    for the batches just being made.
    """

    def __init__(self, make_batch, schedule, depth=4, workers=1):
        if depth < 1 or workers < 1:
            raise ValueError(f"depth and workers must be at least 1, got {depth} and {workers}")
        self._make_batch, self._schedule = make_batch, iter(schedule)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="prefetch")
        self._coming = deque()
        self._submit(depth)

    def __call__(self, indices):
        """Return the batch of these indices, which must be the next of the schedule."""
        expected, batch = self._coming[0] if self._coming else (None, None)
        if list(indices) != expected:
            raise ValueError(
                f"the next batch of the schedule is {expected}, but {list(indices)} was asked for"
            )
        self._coming.popleft()
        self._submit(1)
        return batch.result()

    def close(self):
        """Stop the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _submit(self, count):
        for indices in islice(self._schedule, count):
            self._coming.append((list(indices), self._pool.submit(self._make_batch, indices)))
