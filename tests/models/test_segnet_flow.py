"""SegNet-flow: what is carried where and when, and that every path of the gradient is there."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import models, optim
from nnlite.models.segmentation_loss import SegmentationLoss
from tests.recurrent_golden import noise
from tests.toy_segnet_flow import HEIGHT, SMALL, VIDEO, WIDTH, build, frames, labels_at, moved

# ---- names and counts -----------------------------------------------------------------------------------


def test_names():
    assert models.segmenter_names() == ["segnet", "segnet_flow"]
    assert not set(models.segmenter_names()) & set(models.names())


def test_counts():
    both = [models.count_parameters(models.build(name)) for name in models.segmenter_names()]
    assert both == [1_416_075, 2_456_469]
    model = models.build("segnet_flow")
    rgb = models.build("ae_convlstm_flow", n_channels=3)
    assert models.count_parameters(model.video) == models.count_parameters(rgb) == 1_038_205
    assert models.count_parameters(model.propagation) == 2 * 11 * 11 * 9 + 11 == 2_189
    assert model.config == {"name": "segnet_flow", "options": {}}


def test_odd_sizes_are_refused():
    with pytest.raises(ValueError, match="height and width must be even, got 17x20"):
        build(height=17)


# ---- what comes out -------------------------------------------------------------------------------------


def test_outputs():
    model, x = build(), frames(4, 2, 3, HEIGHT, WIDTH)
    scores, predicted = model.forward(x)
    assert scores.shape == model.basic_scores.shape == (4, 2, 3, HEIGHT, WIDTH)
    assert predicted.shape == x.shape and model.flow.shape == (4, 2, 2, HEIGHT, WIDTH)
    assert model.scores is scores and model.predicted is predicted
    np.testing.assert_array_equal(scores[0], model.basic_scores[0])
    assert abs(scores[1:] - model.basic_scores[1:]).min(axis=(1, 2, 3, 4)).max() > 0
    alone = model.segnet.clone()
    np.testing.assert_allclose(alone.forward(x), model.basic_scores, rtol=1e-12)


def test_float32_and_any_number_of_frames():
    model = build().float()
    for steps in (3, 1, 2):
        x = frames(steps, 1, 3, HEIGHT, WIDTH).astype(np.float32)
        outputs = model.forward(x)
        assert model.backward(x, [np.ones_like(y) for y in outputs]).dtype == np.float32
        assert [len(y) for y in outputs] == [steps, steps] and {y.dtype for y in outputs} == {x.dtype}


def test_it_starts_with_mostly_the_frames_own_scores():
    model = models.build("segnet_flow", **SMALL, video=VIDEO).double()
    x = frames(3, 1, 3, HEIGHT, WIDTH)
    scores = model.forward(x)[0]
    share = 1 / (1 + np.exp(-1))
    assert not model.flow.any() and share == pytest.approx(0.73, abs=0.01)
    for t in (1, 2):
        expected = share * model.basic_scores[t] + (1 - share) * scores[t - 1]
        np.testing.assert_allclose(scores[t], expected, rtol=1e-9, atol=1e-12)


def test_scores_see_no_later_frame():
    model, x = build(), frames(4, 1, 3, HEIGHT, WIDTH)
    model.forward(x)  # statistics
    model.evaluate()
    scores = model.forward(x)[0].copy()
    x[2] = frames(1, 3, HEIGHT, WIDTH, seed=1)
    changed = abs(model.forward(x)[0] - scores).max(axis=(1, 2, 3, 4))
    np.testing.assert_array_equal(changed[:2], 0)
    assert (changed[2:] > 1e-3).all()


def test_with_evidence_and_offset():
    """M has two maps more to look at; an offset of the frames of the video part alone is one of its input."""
    with_evidence = models.build("segnet_flow", evidence=True)
    assert models.count_parameters(with_evidence) == 2_456_469 + 2 * 9 * 11
    model, x = build({"sample": "frame"}, offset=0.5, evidence=True), frames(3, 1, 3, HEIGHT, WIDTH)
    scores, predicted = model.forward(x)
    np.testing.assert_allclose(model.video.forward(x - 0.5)[0] + 0.5, predicted, rtol=1e-12)
    flow = model.video.output[1]
    np.testing.assert_array_equal(model.propagation.forward([model.basic_scores, flow, x]), scores)
    np.testing.assert_array_equal(model.propagate(x, flow), scores)
    with pytest.raises(ValueError, match="offset must be from 0 to 1, got 2"):
        build(offset=2)


@pytest.mark.parametrize("evidence", [False, True])
def test_frame_by_frame_it_is_the_same(evidence):
    model, x = build(evidence=evidence), frames(4, 1, 3, HEIGHT, WIDTH)
    model.forward(x)  # statistics
    model.evaluate()
    scores = model.forward(x)[0].copy()
    with nn.remembering(model):
        streamed = [model.forward(x[t : t + 1])[0] for t in range(4)]
    np.testing.assert_allclose(np.concatenate(streamed), scores, rtol=1e-9, atol=1e-10)


# ---- where scores are carried ---------------------------------------------------------------------------


def test_scores_move_as_the_flow_says():
    """A flow of whole pixels, and a gate that lets only warped scores pass."""
    height, width, h, w = 24, 32, 12, 16
    model = build(height=height, width=width)
    model.video.regressor[2].weight.fill(0)
    model.video.regressor[2].bias[...] = -2 * h / (h - 1), -3 * w / (w - 1)
    model.propagation.merge.weight.fill(0)
    model.propagation.merge.bias.fill(-1000)
    scores = model.forward(frames(3, 1, 3, height, width))[0]
    u, v = 6, 4  # pixels to the right and down, two a feature pixel
    np.testing.assert_allclose(model.flow[:, :, 0], u)
    np.testing.assert_allclose(model.flow[:, :, 1], v)
    for t in (1, 2):
        np.testing.assert_allclose(scores[t][..., v:, u:], scores[t - 1][..., :-v, :-u], atol=1e-9)
        assert abs(scores[t][..., :v, :]).max() < 1e-9 and abs(scores[t][..., :u]).max() < 1e-9


# ---- gradients (see also the cases of models.gradcheck_cases) -------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "propagation.merge.weight",
        "propagation.merge.bias",
        "segnet.encoder.0.0.weight",
        "segnet.classifier.weight",
        "video.regressor.0.weight",
        "video.regressor.2.bias",
        "video.memory.i2g.weight",
        "video.memory.o2g.weight",
        "video.encoder.0.weight",
    ],
)
def test_a_last_label_trains_everything_but_the_decoder_of_frames(path):
    model, x = build({"penalty_weight": 0}), frames(3, 1, 3, HEIGHT, WIDTH)
    criterion, labels = SegmentationLoss([0.5, 2.0, 1.0]), labels_at(3, [2], n=1)
    parameters = {name: (weight, grad) for name, weight, grad in model.named_parameters()}
    model.zero_grad_parameters()
    output = model.forward(x)
    grad_scores, grad_predicted = criterion.backward(output, [labels, x])
    model.backward(x, [grad_scores, np.zeros_like(grad_predicted)])
    assert not parameters["video.decoder.1.weight"][1].any()
    weight, grad = parameters[path]
    grad = grad.copy()
    index = np.unravel_index(abs(grad).argmax(), grad.shape)

    def loss():
        return criterion.cross_entropy.forward(model.forward(x)[0], labels)

    assert abs(grad[index]) > 1e-2
    assert grad[index] == pytest.approx(moved(loss, weight, index), rel=1e-5)


def test_predicted_frames_do_not_train_the_segmentation():
    model, x = build(), frames(3, 1, 3, HEIGHT, WIDTH)
    scores, predicted = model.forward(x)
    model.zero_grad_parameters()
    model.backward(x, [np.zeros_like(scores), predicted])
    for path, _, grad in model.named_parameters():
        assert grad.any() == path.startswith("video."), path


def test_backward_is_the_two_passes_in_one():
    x = frames(3, 1, 3, HEIGHT, WIDTH)
    results = []
    for in_one in (True, False):
        model = build()
        model.zero_grad_parameters()
        g = [noise(*y.shape) for y in model.forward(x)]
        if in_one:
            grad_input = model.backward(x, g, 0.5)
        else:
            grad_input = model.update_grad_input(x, g)
            model.acc_grad_parameters(x, g, 0.5)
        results.append({path: grad for path, _, grad in model.named_parameters()} | {"input": grad_input})
    for path, expected in results[1].items():
        np.testing.assert_allclose(results[0][path], expected, rtol=1e-10, atol=1e-12, err_msg=path)


def test_it_learns():
    nn.manual_seed(0)
    model = models.build("segnet_flow", **SMALL, video={**VIDEO, "penalty": "paper"})
    x = frames(4, 2, 3, HEIGHT, WIDTH).astype(np.float32)
    labels = np.digitize(x[:, :, 0], [0.33, 0.67])
    labels[:-1] = -1
    criterion, (parameters, grads), state, losses = SegmentationLoss(), model.get_parameters(), {}, []
    for _ in range(25):
        grads.fill(0)
        output = model.forward(x)
        loss = criterion.forward(output, [labels, x])
        losses.append([criterion.cross_entropy.output, criterion.reconstruction])
        model.backward(x, criterion.backward(output, [labels, x]))
        optim.adam(lambda _, loss=loss: (loss, grads), parameters, {"learning_rate": 0.01}, state)
    assert losses[-1][0] < 0.85 * losses[0][0] and losses[-1][1] < 0.7 * losses[0][1]
    assert model.flow.any()


# ---- bad input ------------------------------------------------------------------------------------------


def test_bad_input():
    model, x = build(), frames(2, 1, 3, HEIGHT, WIDTH)
    g = [noise(2, 1, 3, HEIGHT, WIDTH), noise(2, 1, 3, HEIGHT, WIDTH)]
    with pytest.raises(RuntimeError, match=r"nn\.SegNetFlow: call forward before backward"):
        model.backward(x, g)
    with pytest.raises(ValueError, match="input must have 5 dimensions"):
        model.forward(x[0])
    with pytest.raises(TypeError, match="input must be float64, got float32"):
        model.forward(x.astype(np.float32))
    model.forward(x)
    with pytest.raises(TypeError, match=r"nn\.SegNetFlow: grad_output must be a list or tuple"):
        model.backward(x, g[0])
    with pytest.raises(ValueError, match="grad_output must have shape"):
        model.backward(x, [g[0], g[1][:1]])
    with pytest.raises(TypeError, match="n_memories"):
        build({"n_memories": 3})
