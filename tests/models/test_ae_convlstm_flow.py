"""AE-ConvLSTM-flow: what its flow says is how the content of the frames moves."""

import numpy as np
import pytest

from nnlite import models


def frames(*shape):
    """Return frames in [0, 1]."""
    return np.random.default_rng(0).uniform(size=shape)


def transparent_flow_model(height, width, flow_bias):
    """Return an AE-ConvLSTM-flow that moves its frames by a constant flow and does nothing else to them.

    flow_bias: (y, x), the last bias of Θ. E is tanh and pooling, D upsampling.
    """
    model = models.build(
        "ae_convlstm_flow",
        height=height,
        width=width,
        n_features=1,
        n_memory=2,
        kernel=3,
        flow_kernel=3,
        output="linear",
    ).double()
    for convolution in (model.encoder[0], model.decoder[1]):
        convolution.weight.fill(0)
        convolution.weight[0, 0, 1, 1] = 1
        convolution.bias.fill(0)
    model.regressor[2].bias[...] = flow_bias
    return model


def blob(height, width, x, y, radius=3.0):
    """Return a frame with a smooth bump whose centre is at (x, y), small enough that tanh is linear."""
    rows, columns = np.mgrid[:height, :width]
    return 0.01 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / radius**2)


def centroid(frame):
    """Return the (x, y) of the centre of mass."""
    rows, columns = np.mgrid[: frame.shape[0], : frame.shape[1]]
    return np.array([(columns * frame).sum(), (rows * frame).sum()]) / frame.sum()


@pytest.mark.parametrize("flow_bias", [(0, 0), (1.5, 0), (0, 2.0), (-2.0, 1.25), (0.3, -2.5)])
def test_flow_is_the_motion_of_the_content_in_input_pixels(flow_bias):
    height, width = 40, 56
    model = transparent_flow_model(height, width, flow_bias)
    x = np.stack([[[blob(height, width, 27 + t, 21 - t)]] for t in range(3)])
    y = model.forward(x)
    assert model.flow.shape == (3, 1, 2, height, width)
    for t in range(3):
        # E's pooling moves the centre a little, by the same for a frame that does not move.
        still = transparent_flow_model(height, width, (0, 0)).forward(x)[t, 0, 0]
        motion = centroid(y[t, 0, 0]) - centroid(still)
        flow = model.flow[t, 0]
        np.testing.assert_allclose(flow, np.broadcast_to(motion[:, None, None], flow.shape), atol=0.01)
        # The sampler reads at o + T, so content goes the other way; a feature pixel is two input pixels.
        h, w = height // 2, width // 2
        expected = [-2 * flow_bias[1] * (w - 1) / w, -2 * flow_bias[0] * (h - 1) / h]
        np.testing.assert_allclose(flow[:, 0, 0], expected, rtol=1e-12)


def test_flow_of_whole_pixels_moves_the_frame_exactly():
    height, width, h, w = 24, 32, 12, 16
    # Two feature pixels up and three to the left of where it is read from: content moves down and right.
    model = transparent_flow_model(height, width, (-2 * h / (h - 1), -3 * w / (w - 1)))
    x = np.kron(frames(2, 1, 1, h, w), np.ones((2, 2))) * 0.01
    y = model.forward(x)
    np.testing.assert_allclose(y[..., 4:, 6:], np.tanh(x[..., :-4, :-6]), atol=1e-12)
    assert abs(y[..., :4, :]).max() < 1e-12 and abs(y[..., :6]).max() < 1e-12
    np.testing.assert_allclose(model.flow[:, :, 0], 6)
    np.testing.assert_allclose(model.flow[:, :, 1], 4)


def test_flow_is_told_pixel_by_pixel():
    model = models.build("ae_convlstm_flow", height=16, width=8, n_memory=4, kernel=3, flow_kernel=3)
    model.memory.reset(0.5)
    model.regressor[2].reset(0.5)
    model.double().forward(frames(3, 2, 1, 16, 8))
    t = model.penalty.output.reshape(3, 2, 2, 8, 4)
    assert t.std() > 1e-3
    for n, step, row, column in [(0, 0, 0, 0), (1, 2, 7, 3), (0, 1, 3, 2)]:
        u, v = model.flow[step, n, :, 2 * row + 1, 2 * column]
        np.testing.assert_allclose(u, -t[step, n, 1, row, column] * 3)
        np.testing.assert_allclose(v, -t[step, n, 0, row, column] * 7)


def test_flow_starts_at_zero():
    model = models.build("ae_convlstm_flow", height=8, width=8, n_memory=4, flow_kernel=3)
    model.forward(frames(3, 2, 1, 8, 8).astype(np.float32))
    assert not model.flow.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("flow_output", [False, True])
def test_holding_the_flow_is_learning_without_a_flow(flow_output, dtype):
    """As long as Θ is as it starts, its flow zero, only Θ's own gradient is missing, to the bit."""
    options = {"height": 12, "width": 16, "n_memory": 4, "kernel": 3, "flow_kernel": 5}
    model = models.build("ae_convlstm_flow", **options, flow_output=flow_output).type(dtype)
    x = frames(3, 2, 1, 12, 16).astype(dtype)
    g = np.random.default_rng(1).standard_normal(x.shape).astype(dtype)
    g_output = [g, np.ones((3, 2, 2, 6, 8), dtype)] if flow_output else g
    _, gradients = model.get_parameters()
    runs = {}
    for hold_flow in (False, True):
        model.hold_flow = hold_flow
        gradients.fill(0)
        output = model.forward(x)
        grad_input = model.backward(x, g_output)
        by_name = {name: grad.copy() for name, _, grad in model.named_parameters()}
        predicted = output[0] if flow_output else output
        runs[hold_flow] = {"output": predicted, "grad_input": grad_input, "flow": model.flow, **by_name}
    for name, array in runs[True].items():
        if name.startswith("regressor"):
            assert not array.any()
        else:
            np.testing.assert_array_equal(array, runs[False][name], err_msg=name)
    assert runs[False]["regressor.2.bias"].all() and not runs[True]["flow"].any()
    assert runs[True]["flow"].shape == (3, 2, 2, 12, 16) and runs[True]["encoder.0.weight"].any()


def test_holding_the_flow_ends_as_it_began():
    model = models.build("ae_convlstm_flow", height=8, width=8, n_memory=4, kernel=3, flow_kernel=5).double()
    assert not model.has_flow
    model.regressor[2].bias[...] = (0.5, -1)
    assert model.has_flow
    x = frames(2, 1, 1, 8, 8)
    moving = model.forward(x).copy()
    model.hold_flow = True
    still = model.forward(x).copy()
    assert not model.flow.any() and np.abs(moving - still).max() > 1e-3
    model.hold_flow = False
    np.testing.assert_array_equal(model.forward(x), moving)
