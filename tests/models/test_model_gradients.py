"""The paper's architectures: gradients (see also their gradcheck cases), and what a prediction depends on."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import optim
from tests.recurrent_golden import noise
from tests.toy_models import KINDS, PREDICT_EVERY_STEP, build, frames, gradients

# ---- gradients ----------------------------------------------------------------------------------------


@KINDS
def test_float32_agrees_with_float64(kind):
    model, x = build(kind), frames(3, 2, 1, 16, 8)
    y = model.forward(x).copy()
    g = noise(*y.shape)
    exact = gradients(model, x, g)
    model.float()
    x, g = x.astype(np.float32), g.astype(np.float32)
    y32 = model.forward(x)
    assert y32.dtype == np.float32
    np.testing.assert_allclose(y32, y, atol=1e-5)
    for path, grad in gradients(model, x, g).items():
        assert grad.dtype == np.float32, path
        np.testing.assert_allclose(
            grad, exact[path], atol=2e-4 * max(1, abs(exact[path]).max()), err_msg=path
        )


@KINDS
def test_backward_is_its_two_halves(kind):
    model, x = build(kind), frames(3, 2, 1, 16, 8)
    g = noise(*model.forward(x).shape)
    whole = gradients(model, x, g)
    model.forward(x)
    model.zero_grad_parameters()
    np.testing.assert_allclose(model.update_grad_input(x, g), whole["input"], atol=1e-13)
    model.acc_grad_parameters(x, g)
    for path, _, grad in model.named_parameters():
        np.testing.assert_allclose(grad, whole[path], atol=1e-11, err_msg=path)


@KINDS
def test_steps_of_rmsprop_learn_a_batch(kind):
    model, x = build(kind).float(), frames(4, 2, 1, 16, 8, dtype=np.float32).round()
    flat, flat_grad = model.get_parameters()
    criterion, state, losses = nn.BCECriterion(), {}, []
    for _ in range(20):
        flat_grad.fill(0)
        y = model.forward(x[:3])
        target = x[4 - len(y) :]
        losses.append(float(criterion.forward(y, target)))
        model.backward(x[:3], criterion.backward(y, target))
        optim.rmsprop(lambda _: (losses[-1], flat_grad), flat, {"learning_rate": 3e-3}, state)
    assert losses[-1] < 0.98 * losses[0], losses


# ---- what a prediction depends on ---------------------------------------------------------------------


@KINDS
def test_sequences_of_a_batch_do_not_see_each_other(kind):
    model, x = build(kind), frames(3, 3, 1, 16, 8)
    together = model.forward(x).copy()
    for n in range(3):
        np.testing.assert_allclose(model.forward(x[:, n : n + 1]), together[:, n : n + 1], atol=1e-13)
    changed = x.copy()
    changed[:, 1] = frames(3, 1, 16, 8, seed=1)
    y = model.forward(changed)
    np.testing.assert_allclose(y[:, [0, 2]], together[:, [0, 2]], atol=1e-13)
    assert (abs(y[:, 1] - together[:, 1]).max(axis=(1, 2, 3)) > 3e-4).all()


@KINDS
def test_sequences_do_not_see_the_one_before(kind):
    model, x = build(kind), frames(3, 2, 1, 16, 8)
    first = model.forward(x).copy()
    model.forward(frames(3, 2, 1, 16, 8, seed=1))
    np.testing.assert_array_equal(model.forward(x), first)


@PREDICT_EVERY_STEP
@pytest.mark.parametrize("t", [0, 1, 2])
def test_predictions_do_not_depend_on_later_frames(kind, t):
    model, x = build(kind), frames(4, 2, 1, 16, 8)
    before = model.forward(x).copy()
    changed = x.copy()
    changed[t + 1 :] = frames(3 - t, 2, 1, 16, 8, seed=1)
    after = model.forward(changed)
    np.testing.assert_allclose(after[: t + 1], before[: t + 1], atol=1e-13)
    assert (abs(after[t + 1 :] - before[t + 1 :]).max(axis=(1, 2, 3, 4)) > 1e-5).all()


@PREDICT_EVERY_STEP
def test_predictions_depend_on_all_earlier_frames(kind):
    options = {"penalty_weight": 0} if "flow" in kind else {}  # the penalty is on all steps
    model, x = build(kind, **options), frames(4, 2, 1, 16, 8)
    y = model.forward(x)
    g = np.zeros_like(y)
    g[2] = noise(2, 1, 16, 8)
    grad = abs(model.backward(x, g)).max(axis=(2, 3, 4))
    assert (grad[:3] > 1e-8).all() and (grad[3] == 0).all()


def test_the_convolutional_model_depends_on_all_frames():
    model, x = build("ae_conv"), frames(3, 2, 1, 16, 8)
    grad = abs(model.backward(x, noise(*model.forward(x).shape))).max(axis=(2, 3, 4))
    assert (grad > 1e-3).all()


def test_untied_memory_has_a_first_step_of_its_own():
    model, x = build("ae_convlstm untied"), frames(3, 2, 1, 16, 8)
    before = model.forward(x).copy()
    for memory in model.memory:
        memory.module.forget_gate.input2gate.bias += 1
    after = model.forward(x)
    np.testing.assert_array_equal(after[0], before[0])
    assert abs(after[1:] - before[1:]).max() > 1e-3
    for memory in model.memory:
        memory.module.output_gate_untied.input2gate.bias += 1
    assert abs(model.forward(x)[0] - before[0]).max() > 1e-3
