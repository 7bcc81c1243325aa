"""Batches made ahead of time by a background thread, in the order in which they will be needed."""

import os
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
    waits for the one that is being made. A child made by fork makes its batches anew, in a thread of its own.
    """

    def __init__(self, make_batch, schedule):
        self._make_batch, self._schedule = make_batch, iter(schedule)
        self._coming = deque()
        self._start()
        self._submit(islice(self._schedule, DEPTH))

    def __call__(self, indices):
        """Return the batch of these indices, which must be the next in the schedule."""
        if self._process != os.getpid():
            self._start()
            coming, self._coming = self._coming, deque()
            self._submit(scheduled for scheduled, _ in coming)
        expected, batch = self._coming[0] if self._coming else (None, None)
        if list(indices) != expected:
            raise ValueError(
                f"the next batch in the schedule is {expected}, but {list(indices)} was requested"
            )
        self._coming.popleft()
        self._submit(islice(self._schedule, 1))
        return batch.result()

    def close(self):
        """Stop the thread."""
        if self._process == os.getpid():
            self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _start(self):
        self._process, self._pool = os.getpid(), ThreadPoolExecutor(1, thread_name_prefix="prefetch")

    def _submit(self, schedule):
        for indices in schedule:
            self._coming.append((list(indices), self._pool.submit(self._make_batch, indices)))
