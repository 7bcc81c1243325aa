"""SegNet and its cross-entropy: counts, sizes, what is put back where, gradients, modes, bad input."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import checkpoint, models, optim
from nnlite.gradcheck import check_criterion, worst
from nnlite.models.segmentation_loss import PixelCrossEntropy
from tests.recurrent_golden import noise

SMALL = {"n_classes": 3, "n_features": 4, "kernel": 3}


def build(height=16, width=24, **options):
    """Return a small SegNet in float64."""
    return models.build("segnet", height=height, width=width, **SMALL | options).double()


def frames(*shape, seed=0):
    """Return frames in [0, 1]."""
    return np.random.default_rng(seed).uniform(size=shape)


def gradients(model):
    return {path: grad.copy() for path, _, grad in model.named_parameters()}


# ---- counts and initial values ------------------------------------------------------------------------


def test_count():
    model = models.build("segnet")
    convolutions = (3 + 7 * 64) * 64 * 49
    assert models.count_parameters(model) == convolutions + 8 * 2 * 64 + 64 * 11 + 11 == 1_416_075
    assert (model.height, model.width, model.n_classes) == (180, 240, 11)
    assert {weight.dtype for weight in model.parameters()[0]} == {np.dtype(np.float32)}


def test_initial_values():
    model = models.build("segnet", height=16, width=16)
    for convolution in model.find_modules("SpatialConvolution"):
        fans = (convolution.n_in + convolution.n_out) * convolution.kw * convolution.kh
        np.testing.assert_allclose(convolution.weight.std(), np.sqrt(4 / fans), rtol=0.1)
        assert convolution.bias is None or not convolution.bias.any()
    assert [m.bias is None for m in model.find_modules("SpatialConvolution")] == [True] * 8 + [False]
    for normalisation in model.find_modules("SpatialBatchNormalization"):
        assert (normalisation.weight == 1).all() and not normalisation.bias.any()


# ---- sizes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("height, width", [(180, 240), (16, 17), (23, 45), (31, 33), (16, 16), (1, 3)])
def test_every_size(height, width):
    model = build(height, width, n_features=2)
    x = frames(2, 3, height, width)
    y = model.forward(x)
    assert y.shape == (2, 3, height, width) and np.isfinite(y).all()
    assert model.backward(x, noise(*y.shape)).shape == x.shape


def test_odd_sizes_are_rounded_up():
    model = build(180, 239, n_features=2)
    model.forward(frames(1, 3, 180, 239))
    sizes = [level[-1].output.shape[-2:] for level in model.encoder]
    assert sizes == [(90, 120), (45, 60), (23, 30), (12, 15)]
    assert [level[0].output.shape[-2:] for level in model.decoder] == [
        (23, 30),
        (45, 60),
        (90, 120),
        (180, 239),
    ]


def test_nothing_is_left_out_of_odd_sizes():
    """With 1x1 kernels and fixed statistics a pixel matters through its own window alone."""
    model = build(17, 19, kernel=1, n_features=8)
    model.evaluate()
    x = frames(1, 3, 17, 19)
    y = model.forward(x)
    grad = abs(model.backward(x, noise(*y.shape))).sum(axis=(0, 1))
    assert grad[-1].any() and grad[:, -1].any()
    assert y[..., -1, :].std() > 0 and y[..., -1].std() > 0


# ---- what it computes -----------------------------------------------------------------------------------


def test_colours_are_divided_by_a_power_of_their_energy():
    model, x = build(), frames(2, 3, 16, 24)
    model.forward(x)
    energy = 1 + 1e-4 / 5 * ((255 * x) ** 2).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.normalisation.output, x / energy**0.75, rtol=1e-12)


def test_each_level_is_undone_by_the_places_of_its_own_maxima():
    model, x = build(20, 26), frames(2, 3, 20, 26)
    model.forward(x)
    for encoder, decoder in zip(model.encoder, model.decoder.modules[::-1]):
        pooling, unpooling = encoder[-1], decoder[0]
        assert unpooling.pooling is pooling
        flat = unpooling.output.reshape(*unpooling.output.shape[:2], -1)
        filled = np.zeros(flat.shape, bool)
        np.put_along_axis(filled, pooling.indices.reshape(*flat.shape[:2], -1), True, axis=-1)
        assert not flat[~filled].any() and (flat[filled] != 0).mean() > 0.5


def test_time_makes_the_batch_larger():
    model, x = build(), frames(3, 2, 3, 16, 24)
    y, g = model.forward(x).copy(), noise(3, 2, 3, 16, 24)
    grad = model.backward(x, g)
    twin = model.clone()
    assert y.shape == g.shape and grad.shape == x.shape
    folded = x.reshape(6, 3, 16, 24)
    np.testing.assert_allclose(twin.forward(folded), y.reshape(6, 3, 16, 24), rtol=1e-12)
    np.testing.assert_allclose(twin.backward(folded, g.reshape(6, 3, 16, 24)), grad.reshape(folded.shape))


def test_evaluating_frame_by_frame():
    model, x = build(), frames(3, 2, 3, 16, 24)
    model.forward(x)
    model.evaluate()
    y = model.forward(x).copy()
    for t in range(3):
        np.testing.assert_allclose(model.forward(x[t]), y[t], rtol=1e-10, atol=1e-12)


def test_float32():
    model, x = build(), frames(2, 3, 16, 24)
    y = model.forward(x).copy()
    y32 = model.float().forward(x.astype(np.float32))
    assert y32.dtype == np.float32
    np.testing.assert_allclose(y32, y, atol=1e-4 * abs(y).max())
    grad = model.backward(x.astype(np.float32), noise(*y.shape).astype(np.float32))
    assert grad.dtype == np.float32 and {g.dtype for g in model.parameters()[1]} == {np.dtype(np.float32)}


# ---- gradients ------------------------------------------------------------------------------------------


def test_backward_is_the_two_passes_in_one():
    x, g = frames(2, 2, 3, 16, 24), noise(2, 2, 3, 16, 24)
    results = []
    for in_one in (True, False):
        model = build()
        for i, (_, weight, _) in enumerate(model.named_parameters()):
            weight[...] = 0.3 * noise(*weight.shape, seed=i)
        model.zero_grad_parameters()
        model.forward(x)
        if in_one:
            grad_input = model.backward(x, g, 0.5)
        else:
            grad_input = model.update_grad_input(x, g)
            model.acc_grad_parameters(x, g, 0.5)
        results.append(gradients(model) | {"input": grad_input})
    for path, expected in results[1].items():
        np.testing.assert_allclose(results[0][path], expected, rtol=1e-12, atol=1e-14, err_msg=path)


def test_one_backward_a_forward():
    model, x, g = build(), frames(2, 3, 16, 24), noise(2, 3, 16, 24)
    with pytest.raises(RuntimeError, match=r"nn\.SegNet: call forward before backward"):
        model.backward(x, g)
    model.forward(x)
    model.backward(x, g)
    for again in (model.backward, model.update_grad_input, model.acc_grad_parameters):
        with pytest.raises(
            RuntimeError, match=r"nn\.SegNet: backward drops what it needs; call forward before"
        ):
            again(x, g)
    model.forward(x)
    model.backward(x, g)


# ---- copies, files, training ------------------------------------------------------------------------------


def test_a_copy_unpools_by_its_own_maxima():
    model, x = build(), frames(2, 3, 16, 24)
    model.evaluate()
    y = model.forward(x).copy()
    for twin in (model.clone(), model.shared_clone()):
        model.forward(frames(2, 3, 16, 24, seed=1))
        np.testing.assert_array_equal(twin.forward(x), y)


def test_running_statistics_are_saved(tmp_path):
    model, x = build(), frames(4, 3, 16, 24)
    for _ in range(3):
        model.forward(x)
    checkpoint.save(tmp_path / "segnet.h5", model, architecture=model.config)
    saved = checkpoint.load(tmp_path / "segnet.h5")
    twin = models.build(saved.architecture["name"], **saved.architecture["options"]).double()
    checkpoint.load_parameters(twin, saved)
    model.evaluate()
    twin.evaluate()
    np.testing.assert_array_equal(twin.forward(x), model.forward(x))


def test_it_learns():
    nn.manual_seed(0)
    model = models.build("segnet", height=16, width=24, n_classes=3, n_features=8, kernel=3)
    x = frames(4, 1, 3, 16, 24).astype(np.float32)
    labels = np.digitize(x[:, :, 0], [0.33, 0.67])
    criterion, (parameters, grads), state, means = PixelCrossEntropy(), model.get_parameters(), {}, []
    for _ in range(40):
        grads.fill(0)
        scores = model.forward(x)
        loss = criterion.forward(scores, labels)
        means.append(loss / criterion.total_weight)
        model.backward(x, criterion.backward(scores, labels))
        optim.adam(lambda _, loss=loss: (loss, grads), parameters, {"learning_rate": 0.01}, state)
    assert means[-1] < 0.7 * means[0] and (scores.argmax(axis=2) == labels).mean() > 0.55


def test_bad_input():
    model = build()
    with pytest.raises(
        ValueError, match=r"nn\.SegNet: input must have 4 or 5 dimensions, got shape \(3, 16,"
    ):
        model.forward(frames(3, 16, 24))
    with pytest.raises(ValueError, match=r"nn\.SegNet: input must have size 16 in dimension -2"):
        model.forward(frames(1, 3, 18, 24))
    with pytest.raises(ValueError, match=r"nn\.SegNet: input must have size 3 in dimension -3"):
        model.forward(frames(1, 1, 16, 24))
    model.forward(frames(1, 3, 16, 24))
    with pytest.raises(ValueError, match=r"nn\.SegNet: grad_output must have shape"):
        model.backward(frames(1, 3, 16, 24), noise(1, 2, 16, 24))
    with pytest.raises(ValueError, match="height and width must be positive, got 0x24"):
        build(0, 24)
    with pytest.raises(ValueError, match="kernels must be odd"):
        build(kernel=4)


# ---- PixelCrossEntropy ----------------------------------------------------------------------------------


def test_cross_entropy_is_its_definition():
    scores, weights = noise(3, 2, 4, 5, 6), np.array([0.5, 2.0, 1.0, 3.0])
    labels = np.random.default_rng(0).integers(-1, 4, (3, 2, 5, 6))
    labels[1] = -1
    p = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
    picked = np.take_along_axis(p, np.maximum(labels, 0)[:, :, None], axis=2)[:, :, 0]
    w = weights[labels] * (labels >= 0)
    criterion = PixelCrossEntropy(weights)
    assert criterion.forward(scores, labels) == pytest.approx(-(w * np.log(picked)).sum())
    assert criterion.total_weight == pytest.approx(w.sum())
    grad = criterion.backward(scores, labels)
    assert not grad[1].any() and not grad.swapaxes(2, 4)[labels.swapaxes(2, 3) == -1].any()
    assert worst(check_criterion(criterion, scores, labels)).error < 1e-6
    assert criterion.forward(scores[0], labels[0]) + criterion.forward(scores[2], labels[2]) == pytest.approx(
        -(w * np.log(picked)).sum()
    )


def test_cross_entropy_without_labels():
    criterion, scores = PixelCrossEntropy(), noise(2, 1, 3, 4, 4)
    labels = np.full((2, 1, 4, 4), -1)
    assert criterion.forward(scores, labels) == 0 and not criterion.backward(scores, labels).any()


def test_cross_entropy_refuses():
    criterion, scores = PixelCrossEntropy(), noise(2, 1, 3, 4, 4)
    with pytest.raises(ValueError, match="label 3 is neither in 0"):
        criterion.forward(scores, np.full((2, 1, 4, 4), 3))
    with pytest.raises(ValueError, match=r"PixelCrossEntropy: scores must be .* got \(2, 1, 3, 4, 4\) and"):
        criterion.forward(scores, np.zeros((2, 4, 4), int))
