"""GRU and SeqGRU, sequences from both ends, repeated input, and masked steps of every memory."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_module, worst
from tests import golden_cases as golden

RNG = np.random.default_rng(9)
T, N, N_IN, N_OUT = 4, 2, 3, 5
X = RNG.standard_normal((T, N, N_IN))
G = RNG.standard_normal((T, N, N_OUT))


def sigma(z):
    return 1 / (1 + np.exp(-z))


def by_hand(gru, x, h):
    """Return the outputs of a GRU, each step as the formulas stand."""
    outputs, n = [], gru.n_out
    for xt in x:
        gates = sigma(xt @ gru.i2g.weight.T + gru.i2g.bias + h @ gru.o2g.weight.T)
        r, z = gates[..., :n], gates[..., n:]
        candidate = np.tanh(xt @ gru.i2h.weight.T + gru.i2h.bias + (r * h) @ gru.o2h.weight.T)
        h = (1 - z) * candidate + z * h
        outputs.append(h)
    return np.array(outputs)


def as_sequence(gru):
    """Return a SeqGRU with the parameters of a GRU."""
    whole = nn.SeqGRU(gru.n_in, gru.n_out).double()
    whole.weight[:N_IN] = np.hstack([gru.i2g.weight.T, gru.i2h.weight.T])
    whole.weight[N_IN:] = np.hstack([gru.o2g.weight.T, gru.o2h.weight.T])
    whole.bias[...] = np.concatenate([gru.i2g.bias, gru.i2h.bias])
    return whole


@pytest.mark.parametrize("x", [X, X[:, 0]], ids=["batch", "single"])
def test_gru_is_its_formulas(x):
    net = nn.Sequencer(nn.GRU(N_IN, N_OUT)).double()
    want = by_hand(net.module, x, np.zeros((*x.shape[1:-1], N_OUT)))
    np.testing.assert_allclose(net.forward(x), want, rtol=1e-12)
    net.evaluate()
    np.testing.assert_allclose(net.forward(x), want, rtol=1e-12)
    single = net.float().forward(x.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, want, rtol=1e-5, atol=1e-6)


def test_parameters_come_in_torch7s_order():
    nn.manual_seed(3)
    gru = nn.GRU(N_IN, N_OUT)
    nn.manual_seed(3)
    want = [nn.Linear(3, 10), nn.LinearNoBias(5, 10), nn.Linear(3, 5), nn.LinearNoBias(5, 5)]
    for (_, got, _), w in zip(
        gru.named_parameters(), [p for m in want for p in m.parameters()[0]], strict=True
    ):
        np.testing.assert_array_equal(got, w)
    names = [name for name, _, _ in gru.named_parameters()]
    assert names == ["i2g.weight", "i2g.bias", "o2g.weight", "i2h.weight", "i2h.bias", "o2h.weight"]
    assert repr(gru) == "nn.GRU(3 -> 5, 0.00)" and repr(nn.SeqGRU(3, 5)) == "nn.SeqGRU(3 -> 5)"


def test_state_given_by_the_user():
    gru = nn.GRU(N_IN, N_OUT).double()
    gru.user_prev_output = start = RNG.standard_normal((N, N_OUT))
    net = nn.Sequencer(gru).double()
    np.testing.assert_allclose(net.forward(X), by_hand(gru, X, start), rtol=1e-12)
    net.backward(X, G)

    def loss(h):
        return (G * by_hand(gru, X, h)).sum()

    direction = RNG.standard_normal(start.shape)
    slope = (loss(start + 1e-6 * direction) - loss(start - 1e-6 * direction)) / 2e-6
    assert (gru.user_grad_prev_output * direction).sum() == pytest.approx(slope, rel=1e-7)
    gru.user_prev_output = start[:1]
    gru.forget()
    with pytest.raises(ValueError, match=r"nn\.GRU: user_prev_output must have shape \(2, 5\)"):
        gru.forward(X[0])


def test_gru_bad_input():
    gru = nn.GRU(N_IN, N_OUT).double()
    with pytest.raises(ValueError, match=r"nn\.GRU: input must have size 3 in dimension -1"):
        gru.forward(X[0, :, :2])
    gru.forward(X[0])
    with pytest.raises(ValueError, match="does not continue a sequence whose state has shape"):
        gru.forward(X[0, :1])


@pytest.mark.parametrize("x, g", [(X, G), (X[:, 0], G[:, 0])], ids=["batch", "single"])
def test_whole_sequence_agrees_with_step_by_step(x, g):
    net = nn.Sequencer(nn.GRU(N_IN, N_OUT)).double()
    whole, gru = as_sequence(net.module), net.module
    net.zero_grad_parameters(), whole.zero_grad_parameters()
    golden.assert_close(whole.forward(x), net.forward(x), 1e-12)
    golden.assert_close(whole.backward(x, g, 0.5), net.backward(x, g, 0.5), 1e-12)
    from_x = np.hstack([gru.i2g.grad_weight.T, gru.i2h.grad_weight.T])
    from_h = np.hstack([gru.o2g.grad_weight.T, gru.o2h.grad_weight.T])
    golden.assert_close(whole.grad_weight, np.vstack([from_x, from_h]), 1e-12)
    golden.assert_close(whole.grad_bias, np.concatenate([gru.i2g.grad_bias, gru.i2h.grad_bias]), 1e-12)


def test_whole_sequence_starts_from_torch7s_numbers():
    nn.manual_seed(4)
    whole = nn.SeqGRU(N_IN, N_OUT)
    nn.manual_seed(4)
    drawn = nn.random.default_generator.normal(0, 1 / np.sqrt(8), (8, 15))
    np.testing.assert_allclose(whole.weight, drawn, rtol=1e-6)
    np.testing.assert_array_equal(whole.bias, [0] * 5 + [1] * 5 + [0] * 5)


def test_whole_sequence_from_a_given_start():
    whole = as_sequence(nn.GRU(N_IN, N_OUT).double())
    start = RNG.standard_normal((N, N_OUT))
    y = whole.forward([start, X])
    grads = whole.backward([start, X], G)
    np.testing.assert_array_equal(grads[0], whole.user_grad_prev_output)
    whole.user_prev_output = start
    np.testing.assert_array_equal(whole.forward(X), y)
    np.testing.assert_array_equal(whole.backward(X, G), grads[1])
    whole.user_prev_output = None
    assert not np.allclose(whole.forward(X), y)
    whole.user_prev_output = start[0]
    np.testing.assert_allclose(whole.forward(X[:, 0]), y[:, 0], rtol=1e-12)
    whole.backward(X[:, 0], G[:, 0])
    np.testing.assert_allclose(whole.user_grad_prev_output, grads[0][0], rtol=1e-12)


@pytest.mark.parametrize("build", [lambda: nn.Sequencer(nn.GRU(N_IN, N_OUT)), lambda: nn.SeqGRU(N_IN, N_OUT)])
def test_an_encoder_and_a_forecaster(build):
    """Two memories, the second from the state of the first, have the gradients of one that runs through."""
    whole = build().double()
    parts = [whole.clone(), whole.clone()]
    first, second = (part.module if isinstance(part, nn.Sequencer) else part for part in parts)
    y, grad = whole.forward(X), whole.backward(X, G)
    start = parts[0].forward(X[:2])
    second.user_prev_output = start[-1].copy()
    np.testing.assert_allclose(np.concatenate([start, parts[1].forward(X[2:])]), y, rtol=1e-12)
    later = parts[1].backward(X[2:], G[2:])
    first.grad_prev_output = second.user_grad_prev_output
    np.testing.assert_allclose(np.concatenate([parts[0].backward(X[:2], G[:2]), later]), grad, rtol=1e-10)
    parts[0].forward(X[:2])
    first.grad_prev_output = np.zeros((3, 3))
    with pytest.raises(ValueError, match="grad_prev_output must have shape"):
        parts[0].backward(X[:2], G[:2])


def test_whole_sequence_goes_on():
    whole = nn.SeqGRU(N_IN, N_OUT).double()
    y = whole.forward(X)
    whole.remember().forget()
    np.testing.assert_allclose(np.concatenate([whole.forward(X[:1]), whole.forward(X[1:])]), y)
    with pytest.raises(ValueError, match="does not continue the remembered sequence"):
        whole.forward(X[:, :1])
    np.testing.assert_array_equal(whole.forget().forward(X), y)


def test_batch_first():
    whole = nn.SeqGRU(N_IN, N_OUT).double()
    y, grad = whole.forward(X), whole.backward(X, G)
    whole.batch_first = True
    np.testing.assert_array_equal(whole.forward(X.swapaxes(0, 1)), y.swapaxes(0, 1))
    np.testing.assert_array_equal(whole.backward(X.swapaxes(0, 1), G.swapaxes(0, 1)), grad.swapaxes(0, 1))


def test_whole_sequence_in_float32():
    whole = nn.SeqGRU(N_IN, N_OUT).double()
    y, grad = whole.forward(X), whole.backward(X, G)
    single, small = X.astype(np.float32), G.astype(np.float32)
    whole.float()
    for got, want in ((whole.forward(single), y), (whole.backward(single, small), grad)):
        assert got.dtype == np.float32
        golden.assert_close(got, want, 1e-5)


# ---- from both ends, and again and again -------------------------------------------------------------


@pytest.mark.parametrize("form", [list, np.array], ids=["list", "array"])
def test_both_ends(form):
    forward, backward = nn.GRU(N_IN, N_OUT), nn.GRU(N_IN, N_OUT)
    net = nn.BiSequencer(forward, backward).double()
    y = net.forward(form(X))
    zero = np.zeros((N, N_OUT))
    want = np.concatenate([by_hand(forward, X, zero), by_hand(backward, X[::-1], zero)[::-1]], axis=2)
    assert type(y) is type(form(X))
    np.testing.assert_allclose(np.array(y), want, rtol=1e-12)
    assert worst(check_module(net, form(X.copy()))).error < 1e-6


def test_the_other_end_is_a_copy_with_numbers_of_its_own():
    net = nn.BiSequencer(nn.GRU(N_IN, N_OUT))
    shapes = [(name.partition(".")[0], w.shape) for name, w, _ in net.named_parameters()]
    assert shapes[:6] == [("forward_module", s) for _, s in shapes[6:]]
    assert not np.array_equal(net.forward_module.i2g.weight, net.backward_module.i2g.weight)
    maps = nn.BiSequencer(nn.SpatialConvolution(1, 2, 1, 1), None, 3)
    assert maps.forward(np.ones((3, 2, 1, 4, 4), np.float32)).shape == (3, 2, 4, 4, 4)
    with pytest.raises(TypeError, match=r"nn\.BiSequencer takes a module, got int"):
        nn.BiSequencer(3)


def test_repeated_input():
    gru = nn.GRU(N_IN, N_OUT)
    net = nn.Repeater(gru, 3).double()
    y = net.forward(X[0])
    assert len(y) == 3
    np.testing.assert_allclose(y, by_hand(gru, [X[0]] * 3, np.zeros((N, N_OUT))), rtol=1e-12)
    np.testing.assert_array_equal(net.forward(X[0]), y)  # it starts from the beginning each time
    same = nn.Sequencer(gru.clone()).double()
    net.zero_grad_parameters(), same.zero_grad_parameters()
    same.forward([X[0]] * 3)
    wants = same.backward([X[0]] * 3, list(G[:3]))
    np.testing.assert_allclose(net.backward(X[0], list(G[:3])), sum(wants), rtol=1e-12)
    golden.assert_close(net.parameters()[1], same.parameters()[1], 1e-12)
    with pytest.raises(ValueError, match="grad_output must have 3 entries, got 2"):
        net.backward(X[0], [G[0], G[1]])
    with pytest.raises(ValueError, match="rho must be an integer >= 1, got 0"):
        nn.Repeater(gru, 0)
    assert len(net.max_bptt_step(2).forward(X[0])) == 2


# ---- masked steps ------------------------------------------------------------------------------------

#: Sequences of lengths 4 and 2 in a batch; the second ends, and another one starts at the last step.
PADDED = X.copy()
PADDED[2, 1] = 0


def memories():
    gru, lstm = nn.GRU(N_IN, N_OUT).mask_zero(1), nn.FastLSTM(N_IN, N_OUT).mask_zero(1)
    whole_gru, whole_lstm = nn.SeqGRU(N_IN, N_OUT), nn.SeqLSTM(N_IN, N_OUT)
    return {
        "GRU": nn.Sequencer(gru),
        "LSTM": nn.Sequencer(nn.LSTM(N_IN, N_OUT).mask_zero(1)),
        "FastLSTM": nn.Sequencer(lstm),
        "SeqGRU": whole_gru.mask_zero(),
        "SeqLSTM": whole_lstm.mask_zero(),
    }


@pytest.mark.parametrize("name", memories())
def test_a_masked_step_separates_two_sequences(name):
    net = memories()[name].double()
    net.zero_grad_parameters()
    y, grad = net.forward(PADDED), net.backward(PADDED, G)
    grads = [g.copy() for g in net.parameters()[1]]
    assert not y[2, 1].any()
    net.zero_grad_parameters()
    for rows, entry in (((0, 1, 2, 3), 0), ((0, 1), 1), ((3,), 1)):
        part = PADDED[list(rows)][:, [entry]]
        np.testing.assert_allclose(net.forward(part), y[list(rows)][:, [entry]], rtol=1e-12)
        want = net.backward(part, G[list(rows)][:, [entry]])
        np.testing.assert_allclose(grad[list(rows)][:, [entry]], want, rtol=1e-10, atol=1e-15)
    golden.assert_close(net.parameters()[1], grads, 1e-12)


def test_masking_leaves_flat_parameters_connected():
    net = nn.Sequencer(nn.GRU(N_IN, N_OUT)).double()
    flat, flat_grad = net.get_parameters()
    net.module.mask_zero(1)
    flat_grad.fill(0)
    net.forward(X)
    net.backward(X, G)
    assert flat_grad.any() and np.shares_memory(net.module.i2g.weight, flat)
    net.evaluate()
    assert not any(module.train for module in net.list_modules())


@pytest.mark.parametrize("build", [nn.GRU, nn.LSTM, nn.FastLSTM])
def test_masked_memories_need_no_published_form(build):
    """Torch7's MaskZero masks g for grad_input alone; the last layer of a step has no parameters for it."""
    memory, half = build(N_IN, N_OUT).double().mask_zero(1), X[0].copy()
    half[0] = 0
    grads = {}
    for published in (False, True):
        memory.recurrent_module.published = published
        memory.drop_clones()
        memory.forward(half)
        memory.zero_grad_parameters()
        memory.backward(half, G[0])
        grads[published] = [grad.copy() for grad in memory.parameters()[1]]
    golden.assert_close(grads[True], grads[False], 1e-15)


def test_masked_convolutional_memories():
    x = RNG.standard_normal((3, 2, 1, 4, 4))
    x[0, 1] = 0
    for cls in (nn.ConvLSTM, nn.UntiedConvLSTM):
        net = nn.Sequencer(cls(1, 2, 5, 3, 3).mask_zero(3)).double()
        y = net.forward(x)
        assert not y[0, 1].any() and y[0, 0].all()
    with pytest.raises(ValueError, match=r"nn\.Recurrent: mask_zero is not for this module"):
        nn.Recurrent(4, nn.Linear(3, 4), nn.Linear(4, 4)).mask_zero(1)
