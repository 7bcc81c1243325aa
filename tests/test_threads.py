"""Work split over two threads: slices, results, errors, and work that splits again."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from nnlite.ops import threads


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_workers(monkeypatch):
    """Two slices, also on a machine with one core."""
    monkeypatch.setattr(threads, "WORKERS", 2)


@pytest.mark.parametrize("split", [threads.split, threads.split_alone])
@pytest.mark.parametrize("count", [2, 3, 8])
def test_slices_cover_the_range_and_results_come_in_order(split, count):
    seen = np.zeros(count, int)

    def work(piece):
        seen[piece] += 1
        return piece.start, piece.stop

    (first, middle), (middle_again, last) = split(work, count, np)
    assert (first, last) == (0, count) and middle == middle_again
    assert (seen == 1).all()


@pytest.mark.parametrize("count", [0, 1])
def test_what_cannot_be_split_runs_here(count):
    here = threading.current_thread()
    assert threads.split(lambda piece: (piece, threading.current_thread()), count, np) == [
        (slice(0, count), here)
    ]


def test_two_slices_run_at_the_same_time():
    both = threading.Barrier(2, timeout=10)
    threads.split(lambda piece: both.wait(), 2, np)


def test_work_that_splits_again_runs_as_one_piece():
    def work(piece):
        return threads.split_alone(lambda inner: inner, 8, np)

    assert threads.split(work, 2, np) == [[slice(0, 8)]] * 2
    assert len(threads.split(lambda piece: piece, 8, np)) == 2  # and not for ever


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_in_either_slice_is_raised(failing):
    def work(piece):
        if piece.start == failing:
            raise ValueError(f"slice {piece.start}")

    with pytest.raises(ValueError, match=f"slice {failing}"):
        threads.split(work, 2, np)
    assert len(threads.split(lambda piece: piece, 2, np)) == 2


def test_blas_is_limited_only_meanwhile():
    before = blas_threads()
    assert threads.split_alone(lambda piece: blas_threads(), 2, np) == [{1}, {1}]
    assert blas_threads() == before
    assert threads.split_alone(lambda piece: blas_threads(), 1, np) == [before]
