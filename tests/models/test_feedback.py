"""Training on predictions that are fed back, as data and with their gradient."""

import numpy as np
import pytest

from nnlite import checkpoint, models
from nnlite.models.feedback import FeedbackAsData, FeedbackWithGradient, roll_out
from tests import toy_video_models
from tests.toy_video_models import MODELS, SMALL

FRAMES = np.random.default_rng(0).random((4, 2, 1, 8, 8)).astype(np.float32)
KINDS = [FeedbackAsData, FeedbackWithGradient]


def lively(name, **options):
    """Return the small model in float64."""
    return toy_video_models.lively(name, **options).double()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MODELS)
def test_output_is_what_the_model_predicts_from_its_own_predictions(kind, name):
    model = lively(name)
    frames = FRAMES.astype(np.float64)
    fed_back = roll_out(model, frames, 3)
    mixed = np.concatenate([frames, fed_back])
    expected = model.forward(mixed)
    module = kind(model.clone(), 3).double()
    output = module.forward(frames)
    np.testing.assert_allclose(output, expected, rtol=1e-10)
    np.testing.assert_allclose(output[3:6], fed_back, rtol=1e-10)
    module.evaluate()
    np.testing.assert_allclose(module.forward(frames), expected, rtol=1e-10)


@pytest.mark.parametrize("name", MODELS)
def test_predictions_as_data_are_constants(name):
    model = lively(name)
    frames = FRAMES.astype(np.float64)
    mixed = np.concatenate([frames, roll_out(model, frames, 2)])
    y = model.forward(mixed)
    g = np.random.default_rng(1).standard_normal(y.shape)
    model.zero_grad_parameters()
    grad_input = model.backward(mixed, g)
    module = FeedbackAsData(model.clone(), 2).double()
    module.forward(frames)
    module.zero_grad_parameters()
    np.testing.assert_allclose(module.backward(frames, g), grad_input[:4], rtol=1e-9, atol=1e-12)
    for found, expected in zip(module.parameters()[1], model.parameters()[1], strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


def slope(module, weight, frames, r):
    """Return the derivative of the loss, the sum of r times output, when a weight grows along itself."""
    losses = []
    for step in (1e-6, -1e-6):
        kept = weight.copy()
        weight *= 1 + step
        losses.append(np.vdot(r, module.forward(frames)))
        weight[...] = kept
    return (losses[0] - losses[1]) / 2e-6


@pytest.mark.parametrize("name", MODELS)
def test_gradient_through_the_feedback_is_that_of_the_roll_out(name):
    """Against differences of the roll-out itself; the gradient of predictions as data is another."""
    options = {"penalty_weight": 0} if name == "ae_convlstm_flow" else {}  # the loss lacks the penalty
    kinds = FeedbackWithGradient, FeedbackAsData
    module, other = (kind(lively(name, **options), 3).double() for kind in kinds)
    frames = FRAMES.astype(np.float64)
    r = np.zeros((7, *frames.shape[1:]))
    r[-1] = np.random.default_rng(2).standard_normal(r[-1].shape)  # a loss on the last step alone
    for one in (module, other):
        one.zero_grad_parameters()
        one.forward(frames)
        one.backward(frames, r)
    differ = 0
    for (path, weight, grad), (_, _, as_data) in zip(
        module.named_parameters(), other.named_parameters(), strict=True
    ):
        expected = slope(module, weight, frames, r)
        assert np.vdot(grad, weight) == pytest.approx(expected, rel=1e-4, abs=1e-7), path
        differ = max(differ, np.abs(grad - as_data).max() / np.abs(grad).max())
    assert differ > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_those_of_the_model(kind, tmp_path):
    """A checkpoint of one fits the other, and the flat array of one is that of both."""
    module = kind(lively("ae_convlstm"), 2)
    paths = [path for path, _, _ in module.named_parameters()]
    assert paths == [path for path, _, _ in models.build("ae_convlstm", **SMALL).named_parameters()]
    assert module.config == {"name": "ae_convlstm", "options": SMALL}
    checkpoint.save_parameters(tmp_path / "x.h5", module, architecture=module.config)
    checkpoint.load_parameters(models.build("ae_convlstm", **SMALL), checkpoint.load(tmp_path / "x.h5"))
    module.float()
    before = module.forward(FRAMES)
    flat, flat_grad = module.get_parameters()
    np.testing.assert_array_equal(module.forward(FRAMES), before)
    flat *= 0.5
    after = module.forward(FRAMES)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after[:4], module.video.clone().forward(FRAMES), rtol=1e-5)
    module.backward(FRAMES, np.ones_like(after))
    assert np.abs(flat_grad).max() > 0
    module.video.get_parameters()[0][...] *= 2  # moved once more, behind the module's back
    np.testing.assert_allclose(module.forward(FRAMES), before, rtol=1e-5)


def test_the_model_trains_alone_again():
    """Nothing that was handed to its memories is left there."""
    module = FeedbackWithGradient(lively("ae_convlstm"), 2)
    frames, plain = FRAMES.astype(np.float64), lively("ae_convlstm")
    module.backward(frames, np.ones_like(module.double().forward(frames)))
    g = np.ones_like(frames)
    plain.forward(frames), module.video.forward(frames)
    np.testing.assert_array_equal(module.video.backward(frames, g), plain.backward(frames, g))


@pytest.mark.parametrize("kind", KINDS)
def test_flow_is_held_in_every_step(kind):
    module = kind(lively("ae_convlstm_flow"), 2).double()
    module.video.hold_flow = True
    frames = FRAMES.astype(np.float64)
    module.backward(frames, np.ones_like(module.forward(frames)))
    grads = {path: grad for path, _, grad in module.named_parameters()}
    assert not any(grad.any() for path, grad in grads.items() if path.startswith(("memory", "regressor")))
    assert grads["decoder.1.weight"].any()


def test_penalty_of_all_steps_is_counted():
    module = FeedbackWithGradient(lively("ae_convlstm_flow"), 2).double()
    module.forward(FRAMES.astype(np.float64))
    alone = module.video.sum_penalties()
    assert module.sum_penalties() > alone > 0


@pytest.mark.parametrize("kind", KINDS)
def test_errors(kind):
    with pytest.raises(ValueError, match="AEConv has no memory to go on from"):
        kind(models.build("ae_conv", n_frames=4, **SMALL), 2)
    with pytest.raises(ValueError, match="fed_back must be an integer >= 1, got 0"):
        kind(models.build("ae_convlstm", **SMALL), 0)
    module = kind(models.build("ae_convlstm", **SMALL), 2)
    output = module.forward(FRAMES)
    with pytest.raises(ValueError, match=r"grad_output must have shape \(6, 2, 1, 8, 8\), got \(5,"):
        module.backward(FRAMES, output[:5])


def test_untied_memories_are_fed_back_as_data_only():
    untied = models.build("ae_convlstm", untied=True, **SMALL)
    with pytest.raises(ValueError, match=r"untied ones do not.*predictions as data, or build"):
        FeedbackWithGradient(untied, 2)
    module = FeedbackAsData(untied, 2)
    output = module.forward(FRAMES)
    assert module.backward(FRAMES, output).shape == FRAMES.shape
