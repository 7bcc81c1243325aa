"""A module that two threads call at once says so; two modules in two threads do not disturb each other."""

import threading

import numpy as np
import pytest

import nnlite as nn

X = np.ones((1, 2), np.float32)


class Waiting(nn.Identity):
    """An identity that waits in the middle of a pass until the test lets it go on."""

    state_names = ()

    def __init__(self):
        super().__init__()
        self.inside, self.released = threading.Event(), threading.Event()

    def wait(self):
        self.inside.set()
        assert self.released.wait(10)

    def update_output(self, input):
        if not self.inside.is_set():
            self.wait()
        return super().update_output(input)


def under_way(call, waiting):
    """Return a thread that is in the middle of call()."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    assert waiting.inside.wait(10)
    return thread


def let_go(thread, waiting):
    waiting.released.set()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("second", ["forward", "backward"])
def test_a_call_while_another_thread_runs_the_module_is_refused(second):
    waiting = Waiting()
    net = nn.Sequential(nn.Linear(2, 2), waiting)
    thread = under_way(lambda: net.forward(X), waiting)
    with pytest.raises(RuntimeError, match=rf"nn\.Sequential: {second} was called while another thread"):
        net.forward(X) if second == "forward" else net.backward(X, X)
    let_go(thread, waiting)
    assert net.backward(X, net.forward(X)).shape == X.shape  # from then on anybody may


def test_other_modules_are_not_disturbed():
    waiting = Waiting()
    net = nn.Sequential(nn.Linear(2, 2), waiting)
    twin = nn.Sequential(net[0].shared_clone())
    thread = under_way(lambda: net.forward(X), waiting)
    np.testing.assert_array_equal(twin.forward(X), net[0].output)
    let_go(thread, waiting)


def test_a_call_that_fails_does_not_keep_the_module():
    net = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="must have size 2"):
        net.forward(X[:, :1])
    found = []
    thread = threading.Thread(target=lambda: found.append(net.forward(X)))
    thread.start()
    thread.join(10)
    assert len(found) == 1


def test_a_module_may_call_itself():
    class Twice(nn.Identity):
        def update_output(self, input):
            return self.forward(input - 1) if input.any() else super().update_output(input)

    module = Twice()
    assert not module.forward(X).any() and not module.forward(X).any()
