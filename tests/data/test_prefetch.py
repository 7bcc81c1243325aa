"""Batches made ahead: identical, in order, few at a time; errors and shutdown."""

import itertools
import os
import threading
import time

import numpy as np
import pytest

from nnlite.data.clips import Clips
from nnlite.data.prefetch import DEPTH, Prefetch

SCHEDULE = [[3 * step, 3 * step + 1] for step in range(20)]


def prefetch_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_the_same_batches_in_order():
    def slow_at_times(indices):
        time.sleep(0.005 * (indices[0] % 2))
        return np.array(indices) ** 2

    with Prefetch(slow_at_times, SCHEDULE) as batch:
        for indices in SCHEDULE:
            np.testing.assert_array_equal(batch(indices), np.array(indices) ** 2)
    assert not prefetch_threads()


def test_real_clips(tmp_path):
    pytest.importorskip("av")
    from tests.video_files import make_video, pictures

    clips = Clips([make_video(tmp_path / "a.mp4", pictures(40))], 5, (16, 16), stride=1, cache_mib=0)
    with Prefetch(clips.batch, SCHEDULE[:11]) as batch:
        for indices in SCHEDULE[:11]:
            np.testing.assert_array_equal(batch(indices).frames, clips.batch(indices).frames)


def test_only_so_many_are_made_ahead():
    made = []
    with Prefetch(made.append, ([k] for k in itertools.count())) as batch:
        for k in range(10):
            batch([k])
            time.sleep(0.002)
            assert len(made) <= k + 1 + DEPTH
    assert made == [[k] for k in range(len(made))]


def test_work_goes_on_in_the_background():
    made = threading.Event()

    def make(indices):
        if indices == [1]:
            made.set()

    with Prefetch(make, [[0], [1]]):
        assert made.wait(10)


def test_errors_reach_the_call_that_requests_the_batch():
    def make(indices):
        if indices == SCHEDULE[2]:
            raise ValueError("broken.avi: damaged")
        return indices

    with Prefetch(make, SCHEDULE) as batch:
        assert batch(SCHEDULE[0]) == SCHEDULE[0] and batch(SCHEDULE[1]) == SCHEDULE[1]
        with pytest.raises(ValueError, match=r"broken\.avi"):
            batch(SCHEDULE[2])
        assert batch(SCHEDULE[3]) == SCHEDULE[3]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, None])
def test_leaving_stops_the_thread(error):
    made = []

    def make(indices):
        time.sleep(0.02)
        made.append(indices)

    try:
        with Prefetch(make, SCHEDULE) as batch:
            batch(SCHEDULE[0])
            assert prefetch_threads()
            if error:
                raise error
    except (KeyboardInterrupt, ValueError):
        assert error
    assert not prefetch_threads() and len(made) < 1 + DEPTH
    batch.close()


def test_an_order_other_than_the_schedule():
    with Prefetch(list, SCHEDULE[:1]) as batch:
        with pytest.raises(
            ValueError, match=r"next batch in the schedule is \[0, 1\], but \[3, 4\] was requested"
        ):
            batch([3, 4])
        assert batch([0, 1]) == [0, 1]
        with pytest.raises(ValueError, match="next batch in the schedule is None"):
            batch([3, 4])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_made_by_fork_makes_its_own_batches():
    """The first batch is not done when it forks, and will not be there."""
    parent, forked = os.getpid(), threading.Event()

    def make(indices):
        if os.getpid() == parent:
            assert forked.wait(10)
        return indices

    with Prefetch(make, SCHEDULE) as batch:
        child = os.fork()
        if not child:
            watch = threading.Timer(10, os._exit, [2])
            watch.start()
            os._exit(0 if [batch(indices) for indices in SCHEDULE] == SCHEDULE else 1)
        forked.set()
        assert os.waitpid(child, 0)[1] == 0
        assert [batch(indices) for indices in SCHEDULE] == SCHEDULE
