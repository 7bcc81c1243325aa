"""Batches made ahead: the same, in order, few at a time; errors and endings."""

import itertools
import threading
import time

import numpy as np
import pytest
from nnlite.data.clips import Clips
from nnlite.data.prefetch import Prefetch

SCHEDULE = [[3 * step, 3 * step + 1] for step in range(20)]


def prefetch_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.mark.parametrize("workers", [1, 3])
def test_the_same_batches_in_order(workers):
    def slow_at_times(indices):
        time.sleep(0.005 * (indices[0] % 2))
        return np.array(indices) ** 2

    with Prefetch(slow_at_times, SCHEDULE, depth=5, workers=workers) as batch:
        for indices in SCHEDULE:
            np.testing.assert_array_equal(batch(indices), np.array(indices) ** 2)
    assert not prefetch_threads()


def test_real_clips(tmp_path):
    pytest.importorskip("av")
    from video_files import make_video, pictures

    clips = Clips([make_video(tmp_path / "a.mp4", pictures(40))], 5, (16, 16), stride=1, cache_mib=0)
    with Prefetch(clips.batch, SCHEDULE[:11], workers=2) as batch:
        for indices in SCHEDULE[:11]:
            np.testing.assert_array_equal(batch(indices), clips.batch(indices))


def test_only_so_many_are_made_ahead():
    made = []
    with Prefetch(made.append, ([k] for k in itertools.count()), depth=3) as batch:
        for k in range(10):
            batch([k])
            time.sleep(0.002)
            assert len(made) <= k + 4
    assert made == [[k] for k in range(len(made))]


def test_work_goes_on_in_the_background():
    made = threading.Event()

    def make(indices):
        if indices == [1]:
            made.set()

    with Prefetch(make, [[0], [1]], depth=2):
        assert made.wait(10)


def test_errors_reach_the_one_who_asks():
    def make(indices):
        if indices == SCHEDULE[2]:
            raise ValueError("broken.avi: damaged")
        return indices

    with Prefetch(make, SCHEDULE, depth=4) as batch:
        assert batch(SCHEDULE[0]) == SCHEDULE[0] and batch(SCHEDULE[1]) == SCHEDULE[1]
        with pytest.raises(ValueError, match=r"broken\.avi"):
            batch(SCHEDULE[2])
        assert batch(SCHEDULE[3]) == SCHEDULE[3]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, None])
def test_leaving_stops_the_threads(error):
    made = []

    def make(indices):
        time.sleep(0.02)
        made.append(indices)

    try:
        with Prefetch(make, SCHEDULE, depth=10, workers=2) as batch:
            batch(SCHEDULE[0])
            assert prefetch_threads()
            if error:
                raise error
    except (KeyboardInterrupt, ValueError):
        assert error
    assert not prefetch_threads() and len(made) < 10
    batch.close()


def test_another_order_than_told():
    with Prefetch(list, SCHEDULE[:1]) as batch:
        with pytest.raises(
            ValueError, match=r"next batch of the schedule is \[0, 1\], but \[3, 4\] was asked"
        ):
            batch([3, 4])
        assert batch([0, 1]) == [0, 1]
        with pytest.raises(ValueError, match="next batch of the schedule is None"):
            batch([3, 4])
    with pytest.raises(ValueError, match="depth and workers must be at least 1, got 0 and 1"):
        Prefetch(list, SCHEDULE, depth=0)
