"""Label propagation: where scores are carried, its formula, and its gradient back to the first step."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.models.label_propagation import ERROR_UNIT, LabelPropagation
from tests.recurrent_golden import noise
from tests.toy_segnet_flow import moved


def propagation(height=6, width=8, gate=None, **options):
    """Return label propagation of 3 classes; gate: the constant z of M, by default one that depends."""
    module = LabelPropagation(3, height, width, **options).double()
    if gate is None:
        module.merge.reset(0.5)
    else:
        module.merge.bias.fill(gate)
    return module


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


def evidence_of(steps):
    """Return scores, flow and frames for a propagation that looks at the frames."""
    frames = np.random.default_rng(0).random((steps, 2, 2, 6, 8))
    return [noise(steps, 2, 3, 6, 8), 0.3 * noise(steps, 2, 2, 3, 4), frames]


def test_with_evidence_nothing_is_carried_in_from_outside():
    """A flow of two pixels to the right: the two columns on the left come from outside."""
    module = propagation(gate=-1000, evidence=True, n_channels=2)
    scores, flow, frames = evidence_of(2)
    flow[...] = 0
    flow[0, :, 1] = -2 / (4 - 1)
    y = module.forward([scores, flow, frames])
    np.testing.assert_allclose(y[1, ..., 2:], scores[0, ..., :-2], atol=1e-9)
    np.testing.assert_allclose(y[1, ..., :2], scores[1, ..., :2], atol=1e-9)


def test_the_merge_sees_where_the_flow_comes_from_outside_and_where_it_is_wrong():
    module = propagation(evidence=True, n_channels=2, kernel=1)
    module.merge.weight.fill(0)
    module.merge.bias[...] = 0.2
    module.merge.weight[:, -2:, 0, 0] = 0.7, -1.3
    scores, flow, frames = evidence_of(2)
    flow[...] = 0
    error = abs(frames[1] - frames[0]).sum(axis=1, keepdims=True) / (2 * ERROR_UNIT)
    gate = 1 / (1 + np.exp(-(0.2 + 0.7 - 1.3 * error)))
    expected = gate * scores[1] + (1 - gate) * scores[0]
    np.testing.assert_allclose(module.forward([scores, flow, frames])[1], expected, rtol=1e-9, atol=1e-10)


def test_at_first_evidence_alone_decides():
    """Carried exactly, s is 0.27 b + 0.73 w; off by the unit all around, 0.95 b + 0.05 w."""
    module, scores = LabelPropagation(3, 6, 8, evidence=True, n_channels=2).double(), noise(2, 1, 3, 6, 8)
    flow, frames = np.zeros((2, 1, 2, 3, 4)), np.zeros((2, 1, 2, 6, 8))
    for error, share in ((0.0, 0.269), (ERROR_UNIT, 0.953)):
        frames[1] = error
        y = module.forward([scores, flow, frames])
        inner = (..., slice(1, -1), slice(1, -1))
        expected = share * scores[1] + (1 - share) * scores[0]
        np.testing.assert_allclose(y[1][inner], expected[inner], atol=3e-3)


@pytest.mark.parametrize("evidence", [False, True])
def test_remembered_steps_equal_the_whole_sequence(evidence):
    module = propagation(evidence=evidence, n_channels=2)
    inputs = evidence_of(5)[: 3 if evidence else 2]
    module.evaluate()
    whole = module.forward(inputs).copy()
    for _ in range(2):  # the second time from the beginning again
        with nn.remembering(module):
            pieces = [
                module.forward([x[part] for x in inputs]) for part in (slice(0, 1), slice(1, 4), slice(4, 5))
            ]
            with pytest.raises(ValueError, match="1 sequences do not continue the 2 remembered ones"):
                module.forward([x[:, :1] for x in inputs])
        np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=1e-12, atol=1e-12)
    assert np.array_equal(module.forward(inputs), whole)


def test_conversion_forgets_what_is_remembered():
    module, inputs = propagation(evidence=True, n_channels=2), evidence_of(3)
    with nn.remembering(module):
        module.forward(inputs)
        inputs = [x.astype(np.float32) for x in inputs]
        after = module.float().forward(inputs).copy()
    assert np.array_equal(after, module.forward(inputs))


def test_the_gradient_of_a_remembered_sequence_stops_at_its_start():
    module = propagation(evidence=True, n_channels=2)
    first, inputs = evidence_of(2), [x[::-1].copy() for x in evidence_of(3)]
    g = noise(3, 2, 3, 6, 8)

    module.remember("train").forward(first)
    remembered = module._last

    def loss():
        module._last = remembered
        return (g * module.forward(inputs)).sum()

    loss()
    module.zero_grad_parameters()
    grads = module.backward(inputs, g)
    merge = module.merge.weight, module.merge.grad_weight
    for array, grad in (*zip(inputs, grads), merge):
        index = np.unravel_index(abs(grad).argmax(), grad.shape)
        assert grad[index] == pytest.approx(moved(loss, array, index), rel=1e-5)


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


def test_bad_input():
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
    with pytest.raises(TypeError, match="evidence must be True or False, got 1"):
        propagation(evidence=1)
    seeing = propagation(evidence=True, n_channels=2)
    with pytest.raises(ValueError, match="input must have 3 entries, got 2"):
        seeing.forward([scores, flow])
    with pytest.raises(ValueError, match=r"frames must have shape \(2, 1, 2, 6, 8\), got \(2, 1, 3, 6, 8\)"):
        seeing.forward([scores, flow, noise(2, 1, 3, 6, 8)])
