"""BLAS keeps to one thread while the project's own work, and has its threads back afterwards."""

import gc
import os
import random
import signal
import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import nnlite as nn
from nnlite.ops import blas, get_ops, threads
from nnlite.ops.blas import single_blas_thread


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_of_each(monkeypatch):
    """Two workers, and two threads of BLAS, also on a machine with one core."""
    monkeypatch.setattr(threads, "_workers", 2)
    with threadpool_limits(2, user_api="blas"):
        yield
        assert blas_threads() == {2}


@pytest.fixture
def seen(monkeypatch):
    """A list to which every matrix product adds the numbers of BLAS's threads."""
    numbers, matmul = [], np.matmul

    def watched(*args, **keywords):
        numbers.append(blas_threads())
        return matmul(*args, **keywords)

    monkeypatch.setattr(np, "matmul", watched)
    return numbers


def test_blas_is_limited_only_meanwhile():
    assert threads.parallel_for(lambda piece: blas_threads(), 2) == [{1}, {1}]
    assert blas_threads() == {2}
    assert threads.parallel_for(lambda piece: blas_threads(), 1) == [{2}]


def test_a_product_is_limited_also_outside_of_loops(seen):
    x = np.ones((3, 3))
    ops = get_ops(x)
    assert (ops.matmul(x, x) == 3).all() and (ops.parallel_matmul(x, x) == 3).all()
    assert seen == [{1}, {1}] and blas_threads() == {2}


def test_a_plain_call_wakes_no_thread_of_blas(seen):
    convolution, pixels = nn.SpatialConvolution(1, 4, 7, 7, 1, 1, 3, 3), 4 * 64 * 64
    net = nn.Sequential(convolution, nn.Reshape(pixels, batch_mode=True), nn.Linear(pixels, 8))
    for images in (1, 2, 3):
        x = np.ones((images, 1, 64, 64), np.float32)
        net.backward(x, net.forward(x))
    assert seen and set().union(*seen) == {1} and blas_threads() == {2}


def test_blas_is_limited_until_the_outermost_context_ends():
    with single_blas_thread():
        with single_blas_thread():
            assert blas_threads() == {1}
        threads.parallel_for(lambda piece: None, 2)
        assert blas_threads() == {1}
    assert blas_threads() == {2}


def test_blas_is_limited_until_the_last_thread_leaves():
    """Two contexts that overlap, neither inside the other, as those of two threads may."""
    first, second = single_blas_thread(), single_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert blas_threads() == {1}
    second.__exit__(None, None, None)
    assert blas_threads() == {2}


def test_every_thread_can_limit_and_restore_it():
    def limited():
        with single_blas_thread():
            seen.append(blas_threads())
        seen.append(blas_threads())

    seen = []
    for _ in range(2):
        thread = threading.Thread(target=limited)
        thread.start()
        thread.join()
    limited()
    assert seen == [{1}, {2}] * 3


def test_a_context_that_was_never_closed_closes_when_it_is_deleted():
    context = single_blas_thread()
    context.__enter__()
    assert blas_threads() == {1}
    del context
    gc.collect()
    assert blas_threads() == {2}


@pytest.fixture
def interruptible():
    """SIGINT raises KeyboardInterrupt, also in a process that began in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_waits_for_the_workers():
    main, running = threading.get_ident(), threading.Event()
    finished = []

    def work(piece):
        if threading.get_ident() == main:
            running.wait(10)
            signal.raise_signal(signal.SIGINT)
        running.set()
        time.sleep(0.1)
        finished.append(piece)

    with pytest.raises(KeyboardInterrupt):
        threads.parallel_for(work, 2)
    assert len(finished) == 1 and blas_threads() == {2}
    assert threads.parallel_for(lambda piece: piece.start, 2) == [0, 1]


def test_interrupts_at_any_moment_leave_nothing_behind():
    """An alarm strikes at random moments of loops, of their beginning, their end and their products."""
    main, at_work, interrupted = threading.get_ident(), 0, 0
    x = np.ones((64, 64), np.float32)

    def interrupt(*_):
        raise KeyboardInterrupt

    def work(piece):
        nonlocal at_work
        if threading.get_ident() != main:
            at_work += 1
            x @ x
            at_work -= 1

    drawn, previous = random.Random(0), signal.signal(signal.SIGALRM, interrupt)
    try:
        for _ in range(1000):
            try:
                signal.setitimer(signal.ITIMER_REAL, drawn.uniform(1e-6, 3e-4))
                for _ in range(1000):
                    threads.parallel_for(work, 2)
                    get_ops(x).matmul(x, x)
            except KeyboardInterrupt:
                interrupted += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert at_work == 0 and not threads.inside_loop() and not blas._open
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    gc.collect()
    assert interrupted > 900 and blas_threads() == {2}
    together = threading.Barrier(2, timeout=10)
    threads.parallel_for(lambda piece: together.wait(), 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("inside", [False, True])
def test_a_child_made_by_fork_has_its_own_workers(inside):
    """Also while another thread is in the middle of a product, and inside a context of this thread."""
    stop, x = threading.Event(), np.ones((300, 300), np.float32)

    def multiply():
        while not stop.is_set():
            get_ops(x).parallel_matmul(x, x)

    other = threading.Thread(target=multiply, daemon=True)
    other.start()
    try:
        for _ in range(10):
            if inside:
                with single_blas_thread():
                    child = os.fork()
                    if not child:
                        _check_in_child(x, {1})
            else:
                child = os.fork()
                if not child:
                    _check_in_child(x, {2})
            assert _status(child) == 0
    finally:
        stop.set()
        other.join(10)
    assert not other.is_alive()


def _check_in_child(x, expected):
    """End the child with status 0 if loops and products work in it."""
    status = 1
    try:
        assert blas_threads() == expected
        together = threading.Barrier(2, timeout=10)
        threads.parallel_for(lambda piece: together.wait(), 2)
        assert (get_ops(x).parallel_matmul(x, x) == 300).all()
        assert blas_threads() == expected
        status = 0
    finally:
        os._exit(status)


def _status(child):
    """Return the exit status of the child, after 20 s that of its being killed."""
    for _ in range(2000):
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]
