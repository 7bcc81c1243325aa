"""SeqLSTM, the whole sequence in one module, against FastLSTM under a Sequencer and Torch7's numbers."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.finite_differences import numeric_gradient
from nnlite.gradcheck import check_module, worst
from tests import golden_cases as golden
from tests.recurrent_golden import noise


def pair(n_in=3, n_out=4):
    """Return a SeqLSTM and a Sequencer over a FastLSTM with the same parameters, in float64."""
    whole = nn.SeqLSTM(n_in, n_out).init_bias(1.0, 0.2).double()
    stepwise = nn.Sequencer(nn.FastLSTM(n_in, n_out)).double()
    for (_, mine, _), (_, theirs, _) in zip(whole.named_parameters(), stepwise.named_parameters()):
        theirs[...] = mine
    return whole, stepwise


@pytest.mark.parametrize("case", ["FastLSTM", "FastLSTM_batch", "FastLSTM_remember_both"])
def test_matches_torch7(case):
    recorded = golden.load("c_rnn", case)
    lstm = nn.SeqLSTM(*recorded["attrs"]["args"][:2]).double().remember(recorded["attrs"]["remember"])
    golden.set_parameters(lstm, recorded["params"])
    for k in (1, 2):
        seq = recorded[f"seq{k}"]
        x, g = np.stack(seq["input"]), np.stack(seq["gradOutput"])
        golden.assert_close(lstm.forward(x), np.stack(seq["output"]), what="output")
        lstm.zero_grad_parameters()
        golden.assert_close(lstm.backward(x, g), np.stack(seq["gradInput"]), what="gradInput")
        golden.assert_grad_parameters(lstm, seq["gradParams"])


@pytest.mark.parametrize("shape", [(5, 2, 3), (5, 3), (1, 2, 3)], ids=["batch", "single", "one step"])
def test_same_numbers_as_fast_lstm(shape):
    whole, stepwise = pair()
    x = noise(*shape)
    y = whole.forward(x)
    np.testing.assert_allclose(y, stepwise.forward(x), rtol=1e-12)
    g = noise(*y.shape, seed=1)
    whole.zero_grad_parameters()
    stepwise.zero_grad_parameters()
    np.testing.assert_allclose(
        whole.backward(x, g, 0.5), stepwise.backward(x, g, 0.5), rtol=1e-10, atol=1e-14
    )
    for (path, _, mine), (_, _, theirs) in zip(whole.named_parameters(), stepwise.named_parameters()):
        assert theirs.any() or (len(x) == 1 and path == "o2g.weight")  # h₀ = 0
        np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-14, err_msg=path)


def test_starts_from_the_same_weights_as_fast_lstm():
    nn.manual_seed(5)
    whole = nn.SeqLSTM(3, 4)
    nn.manual_seed(5)
    fast = nn.FastLSTM(3, 4)
    mine, theirs = list(whole.named_parameters()), list(fast.named_parameters())
    assert [path for path, _, _ in mine] == ["i2g.weight", "i2g.bias", "o2g.weight"]
    assert [path for path, _, _ in theirs] == [path for path, _, _ in mine]
    for (_, weight, _), (_, expected, _) in zip(mine, theirs):
        np.testing.assert_array_equal(weight, expected)


def test_remembers_as_fast_lstm_does():
    whole, stepwise = pair()
    whole.remember("both")
    stepwise.remember("both")
    for seed in range(3):
        x, g = noise(4, 2, 3, seed=seed), noise(4, 2, 4, seed=10 + seed)
        np.testing.assert_allclose(whole.forward(x), stepwise.forward(x), rtol=1e-12)
        whole.zero_grad_parameters()
        stepwise.zero_grad_parameters()
        np.testing.assert_allclose(whole.backward(x, g), stepwise.backward(x, g), rtol=1e-10, atol=1e-14)
        np.testing.assert_allclose(
            whole.o2g.grad_weight, stepwise.module.o2g.grad_weight, rtol=1e-10, atol=1e-14
        )
    after = whole.forward(x).copy()
    whole.forget()
    anew = whole.forward(x)
    assert not np.allclose(anew, after)
    stepwise.forget()
    np.testing.assert_allclose(anew, stepwise.forward(x), rtol=1e-12)


@pytest.mark.parametrize("mode", ["neither", "train", "eval", "both"])
@pytest.mark.parametrize("train", [True, False], ids=["training", "evaluating"])
def test_a_sequence_in_two_parts(mode, train):
    lstm = nn.SeqLSTM(3, 4).double()
    lstm.training() if train else lstm.evaluate()
    x = noise(6, 2, 3)
    whole = lstm.forward(x).copy()
    lstm.remember(mode).forget()
    parts = np.concatenate([lstm.forward(x[:4]).copy(), lstm.forward(x[4:])])
    goes_on = mode in ("both", "train" if train else "eval")
    assert np.allclose(parts, whole, rtol=1e-12) == goes_on
    np.testing.assert_allclose(parts[:4], whole[:4], rtol=1e-12)


def test_changing_the_mode_forgets():
    lstm = nn.SeqLSTM(3, 4).double().remember("both")
    x = noise(3, 2, 3)
    first = lstm.forward(x).copy()
    lstm.training()
    assert not np.allclose(lstm.forward(x), first)
    lstm.evaluate()
    np.testing.assert_array_equal(lstm.forward(x), first)
    lstm.training()
    np.testing.assert_array_equal(lstm.forward(x), first)


@pytest.mark.parametrize("shape", [(4, 2, 3), (4, 3)], ids=["batch", "single"])
def test_gradients(shape):
    checks = check_module(nn.SeqLSTM(3, 4), noise(*shape), max_entries=0)
    assert worst(checks).error < 1e-6, worst(checks)


def test_gradients_after_a_remembered_sequence():
    lstm = nn.SeqLSTM(3, 4).double().remember("both")
    before, x, r = noise(2, 2, 3), noise(3, 2, 3, seed=1), noise(3, 2, 4, seed=2)

    lstm.forward(before)
    state = lstm.last_output, lstm.last_cell  # a constant: no gradient reaches behind it

    def loss():
        lstm.last_output, lstm.last_cell = state
        return np.vdot(lstm.forward(x), r)

    loss()
    lstm.zero_grad_parameters()
    grad_input = lstm.backward(x, r).copy()
    for array, grad in ((x, grad_input), (lstm.o2g.weight, lstm.o2g.grad_weight)):
        for index in [(0,) * array.ndim, (-1,) * array.ndim]:
            np.testing.assert_allclose(grad[index], numeric_gradient(loss, array, index), rtol=1e-6)


def test_backward_again_gives_the_same():
    lstm = nn.SeqLSTM(3, 4).double()
    x, g = noise(4, 2, 3), noise(4, 2, 4, seed=1)
    lstm.forward(x)
    first = lstm.backward(x, g).copy()
    np.testing.assert_array_equal(lstm.backward(x, g), first)


def test_float32_agrees_with_float64():
    lstm = nn.SeqLSTM(3, 4)
    x, g = noise(5, 2, 3, dtype=np.float32), noise(5, 2, 4, seed=1, dtype=np.float32)
    lstm.zero_grad_parameters()
    y, grad_input = lstm.forward(x).copy(), lstm.backward(x, g).copy()
    grads = [grad.copy() for grad in lstm.parameters()[1]]
    assert {array.dtype for array in (y, grad_input, *grads)} == {np.dtype(np.float32)}
    lstm.double().zero_grad_parameters()
    np.testing.assert_allclose(lstm.forward(x.astype(np.float64)), y, atol=1e-6)
    np.testing.assert_allclose(
        lstm.backward(x.astype(np.float64), g.astype(np.float64)), grad_input, atol=1e-6
    )
    for exact, grad in zip(lstm.parameters()[1], grads):
        np.testing.assert_allclose(exact, grad, atol=1e-5)


def test_output_does_not_change_behind_the_callers_back():
    lstm = nn.SeqLSTM(3, 4).remember("both")
    x = noise(2, 1, 3, dtype=np.float32)
    first = lstm.forward(x)
    kept = first.copy()
    second = lstm.forward(x).copy()
    np.testing.assert_array_equal(first, kept)
    lstm.forget()
    lstm.forward(x).fill(0)
    np.testing.assert_array_equal(lstm.forward(x), second)


def test_clear_state_forgets_and_flat_parameters_stay_connected():
    lstm = nn.SeqLSTM(3, 4).double().remember("both")
    x, g = noise(3, 2, 3), noise(3, 2, 4, seed=1)
    first = lstm.forward(x).copy()
    lstm.clear_state()
    np.testing.assert_array_equal(lstm.forward(x), first)
    flat, flat_grad = lstm.get_parameters()
    assert flat.size == 4 * 4 * (3 + 1 + 4)
    flat_grad.fill(0)
    lstm.backward(x, g)
    assert flat_grad.all()
    flat.fill(0)
    assert not lstm.forget().forward(x).any()


def test_init_bias_fills_the_forget_rows():
    lstm = nn.SeqLSTM(2, 3).init_bias(1.0, -0.5)
    np.testing.assert_array_equal(lstm.i2g.bias, np.repeat(np.float32([-0.5, -0.5, 1.0, -0.5]), 3))


def test_bad_use():
    lstm = nn.SeqLSTM(3, 4)
    x, g = np.zeros((5, 2, 3), np.float32), np.zeros((5, 2, 4), np.float32)
    with pytest.raises(RuntimeError, match=r"nn\.SeqLSTM: call forward before backward"):
        lstm.backward(x, g)
    with pytest.raises(ValueError, match=r"nn\.SeqLSTM: input must have size 3 in dimension -1, got shape"):
        lstm.forward(g)
    with pytest.raises(ValueError, match="input must have 2 or 3 dimensions"):
        lstm.forward(x[0, 0])
    with pytest.raises(ValueError, match="a sequence must have at least one step"):
        lstm.forward(x[:0])
    with pytest.raises(TypeError, match="must be float32, got float64"):
        lstm.forward(x.astype(np.float64))
    with pytest.raises(TypeError, match="must be an array, got list"):
        lstm.forward(list(x))
    with pytest.raises(ValueError, match="mode must be one of neither, train, eval, both, got 'always'"):
        lstm.remember("always")
    lstm.remember("both").forward(x)
    with pytest.raises(ValueError, match=r"grad_output must have shape \(5, 2, 4\), got \(5, 2, 3\)"):
        lstm.backward(x, x)
    with pytest.raises(ValueError, match=r"does not continue the remembered sequence.*call forget\(\) first"):
        lstm.forward(x[:, :1])
