"""SegNet-flow: what is carried where and when, and that every path of the gradient is there."""

import numpy as np
import pytest
from recurrent_golden import noise

import models
import nnlite as nn
from models.label_propagation import LabelPropagation
from models.segmentation_loss import SegmentationLoss
from nnlite import optim

HEIGHT, WIDTH = 18, 20
VIDEO = {"n_features": 3, "n_memory": 4, "kernel": 3, "flow_kernel": 5}
SMALL = {"height": HEIGHT, "width": WIDTH, "n_classes": 3, "n_features": 4, "kernel": 3}


def build(video=None, **options):
    """Return a small SegNet-flow in float64, every path of which matters."""
    nn.manual_seed(1)
    model = models.build("segnet_flow", **SMALL | {"video": VIDEO | (video or {})} | options).double()
    model.video.memory.reset(0.5)
    for layer in model.video.regressor.modules[:3]:
        layer.reset(0.3)
    model.propagation.merge.reset(0.3)
    return model


def propagation(height=6, width=8, gate=None):
    """Return label propagation of 3 classes; gate: the constant z of M, by default one that depends."""
    module = LabelPropagation(3, height, width).double()
    if gate is None:
        module.merge.reset(0.5)
    else:
        module.merge.bias.fill(gate)
    return module


def frames(*shape, seed=0):
    """Return frames in [0, 1]."""
    return np.random.default_rng(seed).uniform(size=shape)


def labels_at(steps, labelled, n=2):
    """Return labels (T, N, H, W), -1 but at the steps `labelled`."""
    labels = np.random.default_rng(0).integers(-1, 3, (steps, n, HEIGHT, WIDTH))
    labels[[t for t in range(steps) if t not in labelled]] = -1
    return labels


def moved(function, array, index, step=1e-5):
    """Return the central difference of the number function() by one entry of `array`."""
    kept, values = array[index], []
    for value in (kept + step, kept - step):
        array[index] = value
        values.append(function())
    array[index] = kept
    return (values[0] - values[1]) / (2 * step)


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


def test_blocks_of_four_pixels_move_as_their_feature_pixel():
    module, h, w = propagation(gate=-1000), 3, 4
    scores, flow = noise(2, 1, 3, 6, 8), np.zeros((2, 1, 2, h, w))
    flow[0, 0, 1, 1, 2] = 2 / (w - 1)  # reads one feature pixel, two pixels, further right
    y = module.forward([scores, flow])
    expected = scores[0, 0].copy()
    expected[:, 2:4, 4:6] = scores[0, 0][:, 2:4, 6:8]
    np.testing.assert_allclose(y[1, 0], expected, atol=1e-12)


def test_the_flow_of_a_step_carries_to_the_next():
    module, scores, flow = propagation(), noise(3, 1, 3, 6, 8), 0.3 * noise(3, 1, 2, 3, 4)
    y = module.forward([scores, flow]).copy()
    for t, later in ((0, [1, 2]), (1, [2]), (2, [])):
        other = flow.copy()
        other[t] += 0.1
        changed = abs(module.forward([scores, other]) - y).max(axis=(1, 2, 3, 4)) > 0
        assert np.flatnonzero(changed).tolist() == later


def test_long_sequences_stay_in_range():
    module = propagation()
    scores = noise(60, 1, 3, 6, 8).clip(-2, 2)
    assert abs(module.forward([scores, 0.3 * noise(60, 1, 2, 3, 4)])).max() <= 2


def test_the_merge_is_its_formula():
    module, scores, flow = propagation(), noise(2, 2, 3, 6, 8), np.zeros((2, 2, 2, 3, 4))
    y = module.forward([scores, flow])
    both = np.pad(np.concatenate([scores[1], scores[0]], axis=1), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(both, (3, 3), axis=(2, 3))
    z = np.einsum("nchwij,kcij->nkhw", windows, module.merge.weight) + module.merge.bias[:, None, None]
    gate = 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(y[1], gate * scores[1] + (1 - gate) * scores[0], rtol=1e-9, atol=1e-10)


# ---- gradients (see also the cases of models.gradcheck_cases) -------------------------------------------


def test_a_last_label_reaches_the_first_scores_and_the_first_flow():
    module, scores, flow = propagation(), noise(4, 1, 3, 6, 8), 0.3 * noise(4, 1, 2, 3, 4)
    g = np.zeros_like(scores)
    g[-1] = noise(*g[-1].shape)
    module.forward([scores, flow])
    grad_scores, grad_flow = module.backward([scores, flow], g)

    def loss():
        return (g * module.forward([scores, flow])).sum()

    for array, grad in ((scores, grad_scores), (flow, grad_flow)):
        for index in [(0, 0, 1, 2, 3), (0, 0, 0, 1, 1), (1, 0, 1, 2, 2)]:
            assert abs(grad[index]) > 1e-4
            assert grad[index] == pytest.approx(moved(loss, array, index), rel=1e-6)
    assert not grad_flow[-1].any() and not np.isclose(grad_scores[-1], g[-1]).all()


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


# ---- the loss -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labelled", [[0], [3], [1, 2], [0, 1, 2, 3], []])
def test_the_loss_is_its_formula(labelled):
    scores, predicted = noise(4, 2, 3, HEIGHT, WIDTH), noise(4, 2, 3, HEIGHT, WIDTH, seed=2)
    x, labels, weights = frames(4, 2, 3, HEIGHT, WIDTH), labels_at(4, labelled), np.array([0.5, 2.0, 1.0])
    criterion = SegmentationLoss(weights, segmentation_weight=0.3)
    log_p = scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))
    picked = np.take_along_axis(log_p, np.maximum(labels, 0)[:, :, None], axis=2)[:, :, 0]
    error = -(weights[labels] * (labels >= 0) * picked).sum()
    reconstruction = ((predicted[:-1] - x[1:]) ** 2).sum()
    assert criterion.forward([scores, predicted], [labels, x]) == pytest.approx(0.3 * error + reconstruction)
    assert criterion.cross_entropy.output == pytest.approx(error)
    assert criterion.reconstruction == pytest.approx(reconstruction)
    grad_scores, grad_predicted = criterion.backward([scores, predicted], [labels, x])
    assert [t for t in range(4) if grad_scores[t].any()] == labelled
    assert not grad_predicted[-1].any() and grad_predicted[:-1].all()


def test_one_frame_has_nothing_to_reconstruct():
    scores, x = noise(1, 1, 3, HEIGHT, WIDTH), frames(1, 1, 3, HEIGHT, WIDTH)
    criterion, labels = SegmentationLoss(), labels_at(1, [0], n=1)
    assert criterion.forward([scores, x], [labels, x]) == criterion.cross_entropy.output > 0
    assert not criterion.backward([scores, x], [labels, x])[1].any()


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


def test_bad_input_of_propagation():
    module, scores, flow = propagation(), noise(2, 1, 3, 6, 8), noise(2, 1, 2, 3, 4)
    with pytest.raises(RuntimeError, match=r"nn\.LabelPropagation: call forward before backward"):
        module.backward([scores, flow], scores)
    with pytest.raises(ValueError, match="scores must have size 3 in dimension -3"):
        module.forward([scores[:, :, :2], flow])
    with pytest.raises(ValueError, match=r"flow must have shape \(2, 1, 2, 3, 4\), got \(1, 1, 2, 3, 4\)"):
        module.forward([scores, flow[:1]])
    with pytest.raises(ValueError, match="a sequence must have at least one step"):
        module.forward([scores[:0], flow[:0]])
    with pytest.raises(TypeError, match="input must be a list or tuple"):
        module.forward(scores)


def test_bad_input_of_the_loss():
    scores, x, labels = noise(2, 2, 3, HEIGHT, WIDTH), frames(2, 2, 3, HEIGHT, WIDTH), labels_at(2, [1])
    with pytest.raises(ValueError, match="SegmentationLoss: target must be a table of two arrays"):
        SegmentationLoss().forward([scores, x], labels)
    with pytest.raises(
        ValueError, match=r"SegmentationLoss: predicted frames .*, but frames .*; give the frames"
    ):
        SegmentationLoss().forward([scores, x[:1]], [labels, x])
