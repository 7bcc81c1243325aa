"""Parallel loops over threads: slices, blocks, results, errors, loops inside loops and of several threads."""

import threading
import time

import numpy as np
import pytest

import nnlite as nn
from nnlite.ops import threads


@pytest.fixture(autouse=True)
def two_workers(monkeypatch):
    """Two slices, also on a machine with one core."""
    monkeypatch.setattr(threads, "_workers", 2)


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


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_all_slices_run_at_the_same_time(workers):
    nn.set_num_threads(workers)
    together = threading.Barrier(workers, timeout=10)
    threads.parallel_for(lambda piece: together.wait(), workers)


def test_fewer_items_than_workers_still_run_at_the_same_time():
    nn.set_num_threads(8)
    together = threading.Barrier(3, timeout=10)
    assert len(threads.parallel_for(lambda piece: together.wait(), 3)) == 3


def test_one_worker_is_the_calling_thread():
    nn.set_num_threads(1)
    assert threads.parallel_for(lambda piece: (piece, threading.get_ident()), 4) == [
        (slice(0, 4), threading.get_ident())
    ]


def test_a_loop_inside_a_loop_runs_as_one_piece():
    def work(piece):
        return threads.parallel_for(lambda inner: inner, 8)

    assert threads.parallel_for(work, 2) == [[slice(0, 8)]] * 2
    assert len(threads.parallel_for(lambda piece: piece, 8)) == 2  # and not for ever


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_in_either_slice_is_raised_when_all_are_done(failing):
    done = []

    def work(piece):
        if piece.start == failing:
            raise ValueError(f"slice {piece.start}")
        time.sleep(0.02)
        done.append(piece.start)

    with pytest.raises(ValueError, match=f"slice {failing}"):
        threads.parallel_for(work, 2)
    assert done == [1 - failing]
    assert len(threads.parallel_for(lambda piece: piece, 2)) == 2


def test_blocks_are_not_longer_than_asked_for():
    found = threads.parallel_for(lambda piece: piece, 11, block=2)
    assert found == [*threads.slices(slice(0, 5), 2), *threads.slices(slice(5, 11), 2)]
    assert [piece.stop - piece.start for piece in found] == [2, 2, 1, 2, 2, 2]
    assert list(threads.slices(slice(3, 3), 2)) == []
    assert threads.cache_items(threads.CACHE_BYTES // 3) == 3 and threads.cache_items(1 << 40) == 1


def test_loops_of_several_threads_never_use_more_threads_than_one():
    lock, at_work, most = threading.Lock(), 0, 0

    def work(piece):
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        time.sleep(0.001)
        with lock:
            at_work -= 1
        return piece.start

    def user():
        for _ in range(20):
            results.append(threads.parallel_for(work, 6, block=1))

    results = []
    users = [threading.Thread(target=user, daemon=True) for _ in range(5)]
    for thread in users:
        thread.start()
    for thread in users:
        thread.join(timeout=30)
    assert results == [list(range(6))] * 100
    assert most == 2


def test_the_environment_and_the_function_say_how_many(monkeypatch):
    monkeypatch.setattr(threads, "_workers", None)
    monkeypatch.setenv(threads.VARIABLE, "3")
    assert nn.get_num_threads() == 3
    nn.set_num_threads(5)
    assert nn.get_num_threads() == 5
    for wrong in ("0", "-1", "two", "1.5"):
        monkeypatch.setattr(threads, "_workers", None)
        monkeypatch.setenv(threads.VARIABLE, wrong)
        with pytest.raises(
            ValueError, match=f"NNLITE_THREADS must be an integer >= 1 or unset, got '{wrong}'"
        ):
            nn.get_num_threads()
    monkeypatch.delenv(threads.VARIABLE)
    monkeypatch.setattr(threads, "available_cores", lambda: 7)
    assert nn.get_num_threads() == 7


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "2"])
def test_a_number_of_threads_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match="set_num_threads: count must be an integer >= 1, got"):
        nn.set_num_threads(wrong)
    assert nn.get_num_threads() == 2
