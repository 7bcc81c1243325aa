"""AE-ConvLSTM-flow that moves the frame itself: a copy to begin with, its gate, its flow, old weights."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import checkpoint, models, optim
from nnlite.layers.activation import sigmoid
from nnlite.models.frame_sampling import GATE_BIAS, FrameSampling

OPTIONS = {
    "height": 12,
    "width": 16,
    "n_features": 3,
    "n_memory": 4,
    "kernel": 3,
    "flow_kernel": 5,
    "output": "linear",
}


def build(**options):
    """Return a small model that moves the frame."""
    nn.manual_seed(0)
    return models.build("ae_convlstm_flow", **OPTIONS | {"sample": "frame"} | options)


def open_wide(model):
    """Draw the parameters so that flow, residual and gate all matter; return the model."""
    model.memory.reset(0.5)
    model.regressor[2].reset(0.5)
    model.decoder[-1].reset(0.3)
    return model


def frames(*shape, dtype=np.float64):
    """Return frames around zero, as real video has them."""
    return np.random.default_rng(0).uniform(-0.5, 0.5, shape).astype(dtype)


@pytest.mark.parametrize("dtype, atol", [(np.float32, 1e-5), (np.float64, 1e-13)])
@pytest.mark.parametrize("channels", [1, 3])
def test_it_begins_as_a_copy(dtype, atol, channels):
    x = frames(4, 2, channels, 12, 16, dtype=dtype)
    model = build(n_channels=channels).type(dtype)
    for model.hold_flow in (False, True):
        np.testing.assert_allclose(model.forward(x), x, atol=atol, rtol=0)
        assert model.output.dtype == dtype and not model.flow.any()


@pytest.mark.parametrize("shift", [(2, 0), (0, -3), (-1, 2)])
def test_the_frame_moves_by_whole_pixels(shift):
    dy, dx = shift
    model, x = build().double(), frames(2, 2, 1, 12, 16)
    # S reads where the content comes from; a feature pixel is two pixels, but for the published (h - 1)/h.
    model.regressor[2].bias[...] = (-dy / 2 * 6 / 5, -dx / 2 * 8 / 7)
    y = model.forward(x)
    # What comes in from outside goes on like the border.
    rows, columns = np.clip(np.arange(12) - dy, 0, 11), np.clip(np.arange(16) - dx, 0, 15)
    expected = x[..., rows[:, None], columns]
    np.testing.assert_allclose(y, expected, atol=1e-12)
    np.testing.assert_allclose(model.flow[:, :, 0], dx, atol=1e-12)
    np.testing.assert_allclose(model.flow[:, :, 1], dy, atol=1e-12)


def test_what_the_decoder_adds_passes_the_gate():
    sampling, rng = FrameSampling(4, 6, 2).double(), np.random.default_rng(0)
    moving, decoded = rng.standard_normal((3, 2, 4, 6)), rng.standard_normal((3, 3, 4, 6))
    y = sampling.forward([moving, np.zeros((3, 2, 2, 3)), decoded])
    np.testing.assert_allclose(y - moving, decoded[:, :2] / (1 + np.exp(-decoded[:, 2:])), atol=1e-12)
    decoded[:, 2] = -800
    np.testing.assert_allclose(
        sampling.forward([moving, np.zeros((3, 2, 2, 3)), decoded]), moving, atol=1e-12
    )


def test_the_residual_is_what_learns_first():
    """At first the gate hides what the decoder has to say, but not from the decoder."""
    model, x = build().double(), frames(3, 2, 1, 12, 16)
    model.zero_grad_parameters()
    model.forward(x)
    g = np.random.default_rng(1).standard_normal(x.shape)
    model.backward(x, g)
    taught = {path for path, _, grad in model.named_parameters() if grad.any()}
    assert taught == {"regressor.2.weight", "regressor.2.bias", "decoder.1.weight", "decoder.1.bias"}
    residual, gate = model.decoder[1].grad_bias
    assert residual == pytest.approx(sigmoid(np.array(GATE_BIAS)) * g.sum()) and gate == 0


def test_counts():
    options = {"output": "linear"}
    paper = models.build("ae_convlstm_flow", **options)
    frame = models.build("ae_convlstm_flow", sample="frame", **options)
    assert models.count_parameters(paper) == 1_035_067
    assert models.count_parameters(frame) == 1_035_067 + 16 * 7 * 7 + 1
    assert "frame" not in dict(paper.children()) and "frame" in dict(frame.children())


def test_the_default_is_the_papers_form_to_the_bit():
    x = frames(3, 2, 1, 12, 16, dtype=np.float32)
    runs = []
    for options in ({}, {"sample": "features", "shrink": 0}):
        nn.manual_seed(0)
        model = models.build("ae_convlstm_flow", **OPTIONS | options)
        model.regressor[2].reset(0.5)
        runs.append([model.forward(x), model.backward(x, x), *model.parameters()[1]])
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_sequences_of_a_batch_and_frames_of_a_stream():
    model, x = open_wide(build()).double(), frames(4, 3, 1, 12, 16)
    together, flow = model.forward(x).copy(), model.flow.copy()
    for n in range(3):
        np.testing.assert_allclose(model.forward(x[:, n : n + 1]), together[:, n : n + 1], atol=1e-13)
    with nn.evaluating(model), nn.remembering(model):
        for t in range(4):
            np.testing.assert_allclose(model.forward(x[t : t + 1]), together[t : t + 1], atol=1e-12)
            np.testing.assert_allclose(model.flow, flow[t : t + 1], atol=1e-12)


def test_float32_agrees_with_float64():
    model, x = open_wide(build()).double(), frames(3, 2, 1, 12, 16)
    model.zero_grad_parameters()
    y, grad_input = model.forward(x).copy(), model.backward(x, x).copy()
    exact = {path: grad.copy() for path, _, grad in model.named_parameters()}
    model.float().zero_grad_parameters()
    x = x.astype(np.float32)
    np.testing.assert_allclose(model.forward(x), y, atol=1e-5)
    np.testing.assert_allclose(model.backward(x, x), grad_input, atol=1e-4)
    for path, _, grad in model.named_parameters():
        np.testing.assert_allclose(grad, exact[path], atol=3e-4 * max(1, abs(exact[path]).max()))


@pytest.mark.parametrize("sample", ["features", "frame"])
def test_a_shrunk_flow_is_exactly_zero_in_places_and_learns(sample):
    shrink = 0.2
    model, plain = build(sample=sample, shrink=shrink).double(), build(sample=sample).double()
    model.memory.reset(0.3)
    for own, (_, weight, _) in zip(plain.parameters()[0], model.named_parameters(), strict=True):
        own[...] = weight
    x = frames(3, 2, 1, 12, 16)
    model.forward(x)
    plain.forward(x)
    zero, factor = model.flow == 0, np.array([7 / 8, 5 / 6]).reshape(2, 1, 1)  # (w - 1)/w, (h - 1)/h
    assert 0.05 < zero.mean() < 0.95 and model.has_flow
    expected = np.sign(plain.flow) * np.maximum(abs(plain.flow) - shrink * factor, 0)
    np.testing.assert_allclose(model.flow, expected, atol=1e-12)
    model.zero_grad_parameters()
    model.backward(x, x)
    assert all(grad.any() for path, _, grad in model.named_parameters() if "decoder" not in path)


def test_the_default_shrinkage_leaves_a_flow_to_learn_from():
    """Initial weights do not lie where the slope of the shrinkage is zero, whatever their seed."""
    x = frames(8, 1, 1, 32, 32, dtype=np.float32)
    for seed in range(3):
        nn.manual_seed(seed)
        model = models.build(
            "ae_convlstm_flow", height=32, width=32, output="linear", sample="frame", shrink=0.1
        )
        model.forward(x)
        assert 0.02 < (model.flow != 0).mean() and abs(model.flow).max() < 8


def test_it_learns_a_motion():
    """Waves that move by 1.5 pixels a frame, after some steps of Adam: less error than a copy's."""
    phases = np.random.default_rng(0).uniform(0, 6, (6, 1, 1, 1))
    t, column = np.arange(4).reshape(4, 1, 1, 1, 1), np.arange(16)
    x = 0.4 * np.sin((column - 1.5 * t) / 2 + phases + 0 * np.ones((12, 1)))
    x = x.astype(np.float32)
    model, criterion, state = build(), nn.MSECriterion(), {}
    flat, flat_grad = model.get_parameters()
    copy = criterion.forward(x[:-1], x[1:])
    for _ in range(60):
        flat_grad.fill(0)
        loss = criterion.forward(model.forward(x[:-1]), x[1:])
        model.backward(x[:-1], criterion.backward(model.output, x[1:]))
        optim.adam(lambda _, loss=loss: (loss, flat_grad), flat, {"learning_rate": 1e-2}, state)
    assert loss < 0.6 * copy
    assert 0.5 < np.median(model.flow[:, :, 0]) < 2.0 and abs(np.median(model.flow[:, :, 1])) < 0.3


def test_weights_of_both_forms_are_kept_apart(tmp_path):
    nn.manual_seed(1)
    old = models.build("ae_convlstm_flow", **OPTIONS)
    checkpoint.save(tmp_path / "old.h5", old)
    frame = build()
    checkpoint.save(tmp_path / "frame.h5", frame)
    again = models.build("ae_convlstm_flow", **OPTIONS)
    checkpoint.load_parameters(again, checkpoint.load(tmp_path / "old.h5"))
    for a, b in zip(again.parameters()[0], old.parameters()[0], strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="decoder"):
        checkpoint.load_parameters(build(), checkpoint.load(tmp_path / "old.h5"))
    twin = build(shrink=0.1)  # the shrinkage has no parameters of its own
    checkpoint.load_parameters(twin, checkpoint.load(tmp_path / "frame.h5"))
    for a, b in zip(twin.parameters()[0], frame.parameters()[0], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"sample": "picture"}, "AEConvLSTMFlow: sample must be 'features' or 'frame', got 'picture'"),
        ({"sample": "frame", "output": "sigmoid"}, "needs output='linear', got 'sigmoid'"),
        ({"shrink": -0.1}, "shrink must be a number of pixels from 0 on, got -0.05"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_bad_input():
    sampling = FrameSampling(4, 6, 2).double()
    good = [np.zeros((3, 2, 4, 6)), np.zeros((3, 2, 2, 3)), np.zeros((3, 3, 4, 6))]
    with pytest.raises(TypeError, match="FrameSampling"):
        sampling.forward(good[0])
    for number, name in enumerate(("frames", "flow", "decoded")):
        bad = [array[..., :-1] if k == number else array for k, array in enumerate(good)]
        with pytest.raises(ValueError, match=f"FrameSampling: {name}"):
            sampling.forward(bad)
