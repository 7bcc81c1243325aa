"""A video model run in pieces, each once more in backward: the numbers of one pass, in less memory."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import models
from nnlite.models.recomputation import Recomputation
from tests.toy_video_models import MODELS, SMALL, lively


def passes(model, x, g):
    """Return output, grad_input, penalties and the gradients of all parameters."""
    model.zero_grad_parameters()
    y = model.forward(x)
    grad_input = model.backward(x, g)
    return y, grad_input, model.sum_penalties(), [grad.copy() for grad in model.parameters()[1]]


@pytest.mark.parametrize("dtype, rtol", [(np.float32, 2e-4), (np.float64, 1e-11)])
@pytest.mark.parametrize("count, steps", [(7, 3), (4, 1), (6, None), (3, 5)])
@pytest.mark.parametrize("name", MODELS)
def test_the_numbers_are_those_of_one_pass(name, count, steps, dtype, rtol):
    rng = np.random.default_rng(0)
    x = rng.random((count, 2, 1, 8, 8)).astype(dtype)
    g = rng.standard_normal(x.shape).astype(dtype)
    model = lively(name).type(dtype)
    for _ in range(2):  # nothing of the first call is left to the second
        got = passes(Recomputation(model, steps), x, g)
    expected = passes(model, x, g)
    for a, b in zip(got[:3], expected[:3]):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol / 10)
    for a, b in zip(got[3], expected[3], strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * abs(b).max())


def test_what_is_computed_twice_is_the_same_to_the_bit():
    x = np.random.default_rng(0).random((9, 2, 1, 8, 8)).astype(np.float32)
    model = lively("ae_convlstm_flow")
    run, seen = model.update_output, []

    def watched(piece):
        seen.append((piece, run(piece).copy()))
        return seen[-1][1]

    model.update_output = watched
    recomputation = Recomputation(model, 3)
    y = recomputation.forward(x)
    recomputation.backward(x, x)
    assert len(seen) == 5  # three pieces, and the first two once more
    for (piece, again), first in zip(seen[3:], (slice(3, 6), slice(0, 3))):
        np.testing.assert_array_equal(piece, x[first])
        np.testing.assert_array_equal(again, y[first])


def test_apart_from_each_other_both_passes_back_give_the_same():
    x = np.random.default_rng(0).random((5, 2, 1, 8, 8))
    model = lively("ae_convlstm").double()
    recomputation = Recomputation(model, 2)
    _, grad_input, _, grads = passes(recomputation, x, x)
    recomputation.zero_grad_parameters()
    recomputation.forward(x)
    np.testing.assert_array_equal(recomputation.update_grad_input(x, x), grad_input)
    recomputation.acc_grad_parameters(x, x)
    for a, b in zip(recomputation.parameters()[1], grads):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_a_state_and_its_gradient_pass_through():
    """As of a model that is not run in pieces: for an encoder before it, and a forecaster after it."""
    rng = np.random.default_rng(0)
    x, (h, c, gh, gc) = rng.random((4, 2, 1, 8, 8)), rng.standard_normal((4, 2, 4, 4, 4))
    ends = []
    for wrap in (lambda model: model, lambda model: Recomputation(model, 2)):
        model = lively("ae_convlstm_flow").double()
        memory, whole = model.memory, wrap(model)
        memory.user_prev_output, memory.user_prev_cell = h, c
        whole.forward(x)
        memory.grad_prev_output, memory.user_next_grad_cell = gh, gc
        whole.zero_grad_parameters()
        whole.backward(x, x)
        ends.append((memory.user_grad_prev_output, memory.user_grad_prev_cell, memory.i2g.grad_weight))
    for a, b in zip(*ends):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


def test_a_held_flow_and_evaluation():
    x = np.random.default_rng(0).random((5, 2, 1, 8, 8)).astype(np.float32)
    model = lively("ae_convlstm_flow")
    recomputation = Recomputation(model, 2)
    model.hold_flow = True
    y = recomputation.forward(x)
    assert not model.flow.any()
    recomputation.backward(x, x)
    model.hold_flow = False
    recomputation.evaluate()
    assert abs(recomputation.forward(x) - y).max() > 1e-3
    np.testing.assert_array_equal(recomputation.output, model.forward(x))


def test_models_that_cannot_be_run_in_pieces():
    for name, options in (
        ("ae_conv", {}),
        ("ae_convlstm", {"untied": True}),
        ("ae_convlstm_flow", {"flow_output": True}),
    ):
        with pytest.raises(ValueError, match="cannot be run in pieces"):
            Recomputation(models.build(name, **(SMALL if name != "ae_conv" else {}) | options))
    with pytest.raises(ValueError, match="steps"):
        Recomputation(lively("ae_convlstm"), 0)
    recomputation = Recomputation(lively("ae_convlstm"), 2)
    x = np.zeros((3, 1, 1, 8, 8), np.float32)
    with pytest.raises(RuntimeError, match="call forward"):
        recomputation.backward(x, x)
    with nn.remembering(recomputation), pytest.raises(ValueError, match="remember"):
        recomputation.forward(x)
