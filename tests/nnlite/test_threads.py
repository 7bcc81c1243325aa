"""Parallel loops over two threads: slices, blocks, results, errors, loops inside loops, BLAS threads."""

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


@pytest.mark.parametrize("count", [2, 3, 8])
def test_slices_cover_the_range_and_results_come_in_order(count):
    seen = np.zeros(count, int)

    def work(piece):
        seen[piece] += 1
        return piece.start, piece.stop

    (first, middle), (middle_again, last) = threads.parallel_for(work, count)
    assert (first, last) == (0, count) and middle == middle_again
    assert (seen == 1).all()


@pytest.mark.parametrize("count", [0, 1])
def test_what_cannot_be_shared_runs_here(count):
    here = threading.current_thread()
    found = threads.parallel_for(lambda piece: (piece, threading.current_thread()), count)
    assert found == [(slice(0, count), here)]


def test_two_slices_run_at_the_same_time():
    both = threading.Barrier(2, timeout=10)
    threads.parallel_for(lambda piece: both.wait(), 2)


def test_a_loop_inside_a_loop_runs_as_one_piece():
    def work(piece):
        return threads.parallel_for(lambda inner: inner, 8)

    assert threads.parallel_for(work, 2) == [[slice(0, 8)]] * 2
    assert len(threads.parallel_for(lambda piece: piece, 8)) == 2  # and not for ever


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_in_either_slice_is_raised(failing):
    def work(piece):
        if piece.start == failing:
            raise ValueError(f"slice {piece.start}")

    with pytest.raises(ValueError, match=f"slice {failing}"):
        threads.parallel_for(work, 2)
    assert len(threads.parallel_for(lambda piece: piece, 2)) == 2


def test_blas_is_limited_only_meanwhile():
    before = blas_threads()
    assert threads.parallel_for(lambda piece: blas_threads(), 2) == [{1}, {1}]
    assert blas_threads() == before
    assert threads.parallel_for(lambda piece: blas_threads(), 1) == [before]


def test_blocks_are_not_longer_than_asked_for():
    found = threads.parallel_for(lambda piece: piece, 11, block=2)
    assert found == [*threads.slices(slice(0, 5), 2), *threads.slices(slice(5, 11), 2)]
    assert [piece.stop - piece.start for piece in found] == [2, 2, 1, 2, 2, 2]
    assert list(threads.slices(slice(3, 3), 2)) == []
    assert threads.cache_items(threads.CACHE_BYTES // 3) == 3 and threads.cache_items(1 << 40) == 1


def test_blas_is_limited_until_the_outermost_context_ends():
    before = blas_threads()
    with threads.single_blas_thread():
        with threads.single_blas_thread():
            assert blas_threads() == {1}
        threads.parallel_for(lambda piece: None, 2)
        assert blas_threads() == {1}
    assert blas_threads() == before


def test_blas_is_limited_until_the_last_thread_leaves():
    """Two contexts that overlap, neither inside the other, as those of two threads may."""
    before, first, second = blas_threads(), threads.single_blas_thread(), threads.single_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert blas_threads() == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == before
