"""Recurrent, Recursor and Sequencer: the order of calls, how far they go back, and bad input."""

import numpy as np
import pytest

import nnlite as nn
from tests.recurrent_golden import noise
from tests.toy_recurrent import simple, stack

X = np.zeros((2, 3), np.float32)
Y = np.zeros((2, 4), np.float32)


@pytest.mark.parametrize(
    "input, error, message",
    [
        ([], ValueError, r"nn\.Sequencer: a sequence must have at least one step"),
        (np.zeros((0, 3), np.float32), ValueError, "at least one step"),
        (np.zeros(3, np.float32), ValueError, r"must have shape \(T, \.\.\.\), got \(3,\)"),
        (X.astype(np.float64), TypeError, r"nn\.Sequencer: input must be float32, got float64"),
        (7, TypeError, "must be an array, got int"),
        ([X, X[:, :2]], ValueError, r"nn\.Linear: input must have size 3"),
    ],
)
def test_bad_sequence(input, error, message):
    with pytest.raises(error, match=message):
        nn.Sequencer(nn.Linear(3, 4)).forward(input)


def test_bad_grad_output_of_a_sequence():
    sequencer = nn.Sequencer(nn.Linear(3, 4))
    with pytest.raises(RuntimeError, match="call forward before backward"):
        sequencer.backward(X, Y)
    sequencer.forward(X)
    with pytest.raises(
        ValueError, match=r"nn\.Sequencer: grad_output must have shape \(2, 4\), got \(2, 3\)"
    ):
        sequencer.backward(X, X)
    sequencer.forward(list(X))
    with pytest.raises(ValueError, match=r"grad_output must have 2 entries, got 1"):
        sequencer.backward(list(X), list(Y[:1]))
    with pytest.raises(ValueError, match=r"input must have 2 entries, got 1"):
        sequencer.backward(list(X[:1]), list(Y[:1]))
    with pytest.raises(ValueError, match="mode must be one of neither, train, eval, both, got 'always'"):
        sequencer.remember("always")


@pytest.mark.parametrize("build", [simple, lambda: nn.Recursor(nn.Linear(3, 4)), lambda: nn.LSTM(3, 4)])
def test_order_of_backward(build):
    module = build()
    with pytest.raises(RuntimeError, match="call forward before backward"):
        module.backward(X, Y)
    module.forward(X)
    module.forward(X)
    with pytest.raises(RuntimeError, match="call update_grad_input for step 1 before acc_grad_parameters"):
        module.acc_grad_parameters(X, Y)
    module.backward(X, Y)
    module.backward(X, Y)
    with pytest.raises(RuntimeError, match=r"backward was called more often than forward \(2 steps\)"):
        module.backward(X, Y)
    module.forward(X)  # step 2 can be gone back through, and those before it once more
    for _ in range(3):
        module.backward(X, Y)
    module.evaluate()
    module.forward(X)
    with pytest.raises(RuntimeError, match="backward needs training mode"):
        module.backward(X, Y)


def test_max_bptt_step_holds_for_everything_inside():
    net = stack()
    recursor = nn.Recursor(net).max_bptt_step(2)
    for _ in range(6):
        recursor.forward(X)
    assert sorted(net[1].outputs) == sorted(recursor.outputs) == [3, 4, 5]
    grad = np.zeros((2, 2), np.float32)
    recursor.backward(X, grad)
    recursor.backward(X, grad)
    with pytest.raises(RuntimeError, match=r"nn\.Recursor: backward over more than the last 2 steps"):
        recursor.backward(X, grad)


def test_a_larger_max_bptt_step_does_not_bring_back_what_is_gone():
    module = simple(rho=2)
    for _ in range(5):
        module.forward(X)
    module.max_bptt_step(6).forward(X)
    for _ in range(2):  # steps 5, 4
        module.backward(X, Y)
    module.backward(X, Y)  # step 3, the earliest that was there
    with pytest.raises(RuntimeError, match="over more than the last 3 steps"):
        module.backward(X, Y)


def test_copies_for_steps_are_used_again():
    lstm = nn.LSTM(3, 4, 3)
    used = []
    for t in range(12):
        if t == 8:
            lstm.forget()
        lstm.forward(X)
        module = lstm.step_module(lstm.step - 1)
        if not any(module is other for other in used):
            used.append(module)
    assert len(used) <= 4


def test_a_sequence_is_gone_back_through_once():
    sequencer = nn.Sequencer(nn.LSTM(3, 4)).remember("both")
    x = noise(3, 3, dtype=np.float32)
    sequencer.forward(x)
    y = sequencer.forward(x)
    sequencer.backward(x, y)
    with pytest.raises(RuntimeError, match="over more than the last 3 steps"):
        sequencer.backward(x, y)


def test_bad_grad_output_of_recurrent():
    module = simple()
    module.forward(X)
    with pytest.raises(
        ValueError, match=r"nn\.Recurrent: grad_output must have shape \(2, 4\), got \(2, 3\)"
    ):
        module.backward(X, X)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        module.max_bptt_step(0)
