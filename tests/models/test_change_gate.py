"""The gate on change, exactly shut where nothing changes, however it is run; flow at more scales."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import models
from nnlite.models.change_gate import ChangeGate, Previous
from nnlite.models.feedback import FeedbackWithGradient, LookAhead
from nnlite.models.recomputation import Recomputation

OPTIONS = {"n_features": 3, "n_memory": 4, "kernel": 3, "flow_kernel": 5, "output": "linear"}


def build(height=12, width=24, **options):
    """Return a small model that moves the frame, its flow, residual and gate of the residual all large."""
    nn.manual_seed(0)
    own = OPTIONS | {"sample": "frame", "change": 0.05} | options
    model = models.build("ae_convlstm_flow", height=height, width=width, **own).double()
    model.memory.reset(0.5)
    model.regressor[2].reset(0.5)
    if own["sample"] == "frame":
        model.decoder[-1].reset(0.3)
    return model


def frames(count=4, channels=1, height=12, width=24, seed=0):
    """Return frames around zero that stand still, but for the first twelve columns."""
    rng = np.random.default_rng(seed)
    x = np.repeat(rng.uniform(-0.5, 0.5, (1, 2, channels, height, width)), count, axis=0)
    x[..., :12] += rng.uniform(-0.5, 0.5, (count, 2, channels, height, 12))
    return x


def reference(x, change, window=10):
    """Return the gate of frames, pixel by pixel."""
    count, n, _, height, width = x.shape
    m = np.zeros((count, n, 1, height // 2, width // 2))
    for t, k, i, j in np.ndindex(count - 1, n, height // 2, width // 2):
        rows = slice(max(0, 2 * i + 1 - window // 2), 2 * i + 1 + window // 2)
        columns = slice(max(0, 2 * j + 1 - window // 2), 2 * j + 1 + window // 2)
        c = abs(x[t + 1, k, :, rows, columns] - x[t, k, :, rows, columns]).mean()
        m[t + 1, k, 0, i, j] = min(max(c / change - 1, 0), 1)
    return m


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype, atol", [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_the_gate(channels, dtype, atol):
    x, gate = frames(3, channels).astype(dtype), ChangeGate(channels, 0.12).type(dtype)
    m = gate.forward(x)
    assert m.dtype == dtype and ((m > 0) & (m < 1)).any() and (m == 1).any()
    np.testing.assert_allclose(m, reference(x.astype(float), 0.12), atol=atol)


def test_previous_hands_its_state_on():
    x, previous = frames(4), Previous(1).double()
    with nn.remembering(previous):
        parts = [previous.forward(x[:3]), previous.forward(x[3:])]
    np.testing.assert_array_equal(np.concatenate(parts), np.concatenate([x[:1], x[:3]]))
    previous.user_prev_output = x[0]
    np.testing.assert_array_equal(previous.forward(x[1:]), x[:3])
    g, last = np.random.default_rng(1).standard_normal((2, 3, *x.shape[1:]))
    previous.grad_prev_output = last[0]
    np.testing.assert_array_equal(previous.backward(x[1:], g), [g[1], g[2], last[0]])
    np.testing.assert_array_equal(previous.user_grad_prev_output, g[0])
    with pytest.raises(ValueError, match="user_prev_output"):
        previous.forward(x[..., :6])


@pytest.mark.parametrize("sample", ["frame", "features"])
def test_where_nothing_changes_nothing_moves(sample):
    x, model = frames(), build(sample=sample)
    y = model.forward(x)
    still = model.flow == 0
    assert still[..., 16:].all() and still[0].all() and not still[1:, ..., :10].any()
    if sample == "frame":
        np.testing.assert_allclose(y[..., 16:], x[..., 16:], atol=1e-12)  # nor is anything added
        np.testing.assert_allclose(y[0], x[0], atol=1e-12)
        assert (abs(y - x)[1:, ..., :10] > 1e-3).mean() > 0.9
    model.hold_flow = True
    y = model.forward(x)
    assert not model.flow.any()
    if sample == "frame":
        np.testing.assert_allclose(y[..., 16:], x[..., 16:], atol=1e-12)


def test_frames_of_a_stream():
    x, model = frames(), build()
    together, flow = model.forward(x).copy(), model.flow.copy()
    with nn.evaluating(model), nn.remembering(model):
        for t in range(4):
            np.testing.assert_allclose(model.forward(x[t : t + 1]), together[t : t + 1], atol=1e-12)
            np.testing.assert_allclose(model.flow, flow[t : t + 1], atol=1e-12)
        ahead = LookAhead(model).go_on(model.output, 2)
        assert (abs(ahead[0] - model.output[0]) > 1e-3).any()  # it has not forgotten what changed


def test_run_in_other_ways_the_numbers_are_the_same():
    x, g = frames(5), np.random.default_rng(2).standard_normal((5, 2, 1, 12, 24))
    model = build()

    def numbers(runner):
        model.zero_grad_parameters()
        y = runner.forward(x)
        return [y.copy(), runner.backward(x, g).copy(), *(grad.copy() for grad in model.parameters()[1])]

    for a, b in zip(numbers(model), numbers(Recomputation(model, 2)), strict=True):
        np.testing.assert_allclose(b, a, atol=1e-10 * max(1, abs(a).max()))


def test_fed_back_the_gradient_reaches_the_frames_seen():
    """The change that opens the gate for the prediction of a prediction is one from the last frame seen."""
    x, module = frames(2), FeedbackWithGradient(build(), 1).double()
    module.forward(x)
    g = np.zeros((3, 2, 1, 12, 24))
    g[2] = np.random.default_rng(3).standard_normal(g.shape[1:])
    analytic, step = module.backward(x, g).copy(), 1e-6
    for at in ((1, 0, 0, 5, 11), (0, 1, 0, 4, 4)):
        sides = []
        for sign in (1, -1):
            moved = x.copy()
            moved[at] += sign * step
            sides.append((g * module.forward(moved)).sum())
        assert analytic[at] == pytest.approx((sides[0] - sides[1]) / (2 * step), rel=1e-5, abs=1e-8)


def test_untied_memories_cannot_hand_on_their_state():
    with pytest.raises(ValueError, match="untied ones do not"):
        FeedbackWithGradient(build(untied=True), 1)


def test_more_scales_begin_as_one_does():
    one, two = build(16, 24, change=0), build(16, 24, change=0, scales=3)
    assert models.count_parameters(two) - models.count_parameters(one) == 2 * (4 * 2 * 25 + 2 * 2 * 25 + 6)
    for (path, weight, _), own in zip(two.named_parameters(), one.parameters()[0], strict=False):
        assert not path.startswith("coarse")  # they come last
        weight[...] = own
    x = frames(3, height=16)
    np.testing.assert_array_equal(two.forward(x), one.forward(x))
    one.regressor[2].weight.fill(0)
    one.regressor[2].bias.fill(0)
    two.regressor[2].weight.fill(0)
    two.regressor[2].bias.fill(0)
    assert not two.has_flow and not one.has_flow
    two.coarse.last_layers[1].bias.fill(0.25)  # a quarter of a map pixel there is two pixels of the frame
    two.forward(x)
    assert two.has_flow
    np.testing.assert_allclose(two.flow[:, :, 0], -2 * 2 / 3, atol=1e-12)  # (w - 1)/w, as Θ has it
    np.testing.assert_allclose(two.flow[:, :, 1], -2 * 1 / 2, atol=1e-12)


def test_counts():
    options = {"output": "linear", "sample": "frame", "height": 16, "width": 16}
    counts = [
        models.count_parameters(models.build("ae_convlstm_flow", **options, **more))
        for more in ({}, {"change": 0.01}, {"scales": 2})
    ]
    assert counts == [1_035_852, 1_035_852, 1_035_852 + 29_706]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"change": -0.1}, "ChangeGate: change must be a number above 0, got -0.1"),
        ({"scales": 0}, "scales"),
        ({"scales": 3}, "must be multiples of 8, got 12x24"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_bad_input():
    with pytest.raises(ValueError, match="input"):
        ChangeGate(1, 0.1).double().forward(np.zeros((3, 1, 2, 4, 4)))
    with pytest.raises(ValueError, match="at least one step"):
        Previous(1).double().forward(np.zeros((0, 1, 1, 4, 4)))


def test_conversion_forgets_all_that_is_remembered():
    """The gate knows the last frame, the memory the last state: neither goes on without the other."""
    x, model = frames().astype(np.float32), build()
    model.evaluate()
    with nn.remembering(model):
        model.forward(frames(seed=1))
        after = model.float().forward(x).copy()
    with nn.remembering(model):
        np.testing.assert_array_equal(after, model.forward(x))
