"""SeqConvLSTM, the whole sequence in one module, against ConvLSTM gate by gate under a Sequencer."""

import tracemalloc
from functools import partial

import numpy as np
import pytest

import nnlite as nn
from nnlite.finite_differences import numeric_gradient
from nnlite.gradcheck import check_module, worst
from nnlite.ops.numpy_ops import NumpyOps
from nnlite.recurrent import spectral_conv_lstm
from nnlite.recurrent.gemm_conv_lstm import GemmConvLSTM
from nnlite.recurrent.seq_conv_lstm import choose
from nnlite.recurrent.spectral_conv_lstm import SpectralConvLSTM

ORDER = ("input_gate", "cell_gate", "forget_gate", "output_gate")


#: How `SpectralConvLSTM` may divide a map, as (height, width, images, kernel, ...) -> tile.
TILES = {
    "whole map": lambda height, width, *_: max(height, width),
    "tiles": lambda height, width, images, kernel, *_: max(kernel - 1, max(height, width) // 2),
}


@pytest.fixture(params=["gemm", *TILES, *(f"{cut}, spectra anew" for cut in TILES)])
def make(request, monkeypatch):
    """Return the constructor of a SeqConvLSTM that convolves in one way."""
    if request.param == "gemm":
        return partial(nn.SeqConvLSTM, algorithm="gemm")
    cut, _, anew = request.param.partition(", ")
    monkeypatch.setattr(spectral_conv_lstm, "choose_tile", TILES[cut])
    if anew:
        monkeypatch.setattr(NumpyOps, "input_bytes", 0)
        monkeypatch.setattr(NumpyOps, "chunk_bytes", 20_000)  # few steps at once
    return partial(nn.SeqConvLSTM, algorithm="spectral")


def pair(make, n_in=2, n_out=3, kc=3, km=5):
    """Return a SeqConvLSTM and a ConvLSTM with the same parameters, in float64."""
    whole = make(n_in, n_out, kc, km).init_bias(1.0, 0.2).double()
    gates = nn.ConvLSTM(n_in, n_out, 20, kc, km, 1).double()
    for k, name in enumerate(ORDER):
        rows, gate = slice(k * n_out, (k + 1) * n_out), getattr(gates, name)
        gate.input2gate.weight[...] = whole.i2g.weight[rows]
        gate.input2gate.bias[...] = whole.i2g.bias[rows]
        gate.output2gate.weight[...] = whole.o2g.weight[rows]
    return whole, gates


def noise(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("kernels", [(3, 3), (3, 5), (7, 3)])
@pytest.mark.parametrize("shape", [(4, 2, 2, 9, 13), (3, 2, 8, 6)], ids=["batch", "single"])
def test_same_numbers_as_conv_lstm(make, shape, kernels):
    whole, gates = pair(make, 2, 3, *kernels)
    stepwise = nn.Sequencer(gates).double()
    x = noise(*shape)
    y = whole.forward(x)
    np.testing.assert_allclose(y, stepwise.forward(x), atol=1e-13)
    g = noise(*y.shape, seed=1)
    whole.zero_grad_parameters()
    gates.zero_grad_parameters()
    np.testing.assert_allclose(whole.backward(x, g, 0.5), stepwise.backward(x, g, 0.5), atol=1e-12)
    for k, name in enumerate(ORDER):
        rows, gate = slice(3 * k, 3 * k + 3), getattr(gates, name)
        np.testing.assert_allclose(whole.i2g.grad_weight[rows], gate.input2gate.grad_weight, atol=1e-11)
        np.testing.assert_allclose(whole.i2g.grad_bias[rows], gate.input2gate.grad_bias, atol=1e-11)
        np.testing.assert_allclose(whole.o2g.grad_weight[rows], gate.output2gate.grad_weight, atol=1e-11)


def test_remembers_as_conv_lstm_does(make):
    whole, gates = pair(make)
    whole.remember("both")
    stepwise = nn.Sequencer(gates).remember("both").double()
    for seed in range(3):
        x = noise(4, 2, 2, 6, 7, seed=seed)
        np.testing.assert_allclose(whole.forward(x), stepwise.forward(x), atol=1e-13)
        g = noise(4, 2, 3, 6, 7, seed=10 + seed)
        np.testing.assert_allclose(whole.backward(x, g), stepwise.backward(x, g), atol=1e-12)
    whole.forget()
    stepwise.forget()
    np.testing.assert_allclose(whole.forward(x), stepwise.forward(x), atol=1e-13)


@pytest.mark.parametrize("mode, train", [("eval", False), ("both", False), ("both", True), ("train", True)])
def test_a_remembered_sequence_goes_on(make, mode, train):
    lstm = make(2, 3, 3).double().remember(mode)
    lstm.training() if train else lstm.evaluate()
    x = noise(6, 2, 2, 6, 6)
    whole = lstm.forward(x).copy()
    lstm.forget()
    parts = np.concatenate([lstm.forward(x[:4]).copy(), lstm.forward(x[4:])])
    np.testing.assert_allclose(parts, whole, atol=1e-14)


def test_evaluation_sees_changed_weights(make):
    lstm = make(2, 3, 3).double()
    x = noise(3, 2, 2, 6, 6)
    lstm.evaluate()
    before = lstm.forward(x).copy()
    np.testing.assert_array_equal(lstm.forward(x), before)
    for _, weight, _ in lstm.named_parameters():
        weight *= 1.5
        changed = lstm.forward(x).copy()
        assert not np.allclose(changed, before)
        before = changed
    lstm.training()
    np.testing.assert_allclose(lstm.forward(x), before, atol=1e-14)


def test_neither_starts_anew(make):
    lstm = make(2, 3, 3).double()
    x = noise(3, 2, 2, 6, 6)
    np.testing.assert_array_equal(lstm.forward(x).copy(), lstm.forward(x))


def test_gradients_after_a_remembered_sequence(make):
    lstm = make(2, 2, 3).double().remember("both")
    before, x, r = noise(2, 1, 2, 5, 5), noise(3, 1, 2, 5, 5, seed=1), noise(3, 1, 2, 5, 5, seed=2)

    def loss():
        lstm.forget()
        lstm.forward(before)
        return np.vdot(lstm.forward(x), r)

    loss()
    lstm.zero_grad_parameters()
    grad = lstm.backward(x, r).copy()
    for index in [(0, 0, 1, 2, 3), (2, 0, 0, 4, 0)]:
        np.testing.assert_allclose(grad[index], numeric_gradient(loss, x, index), rtol=1e-6)


@pytest.mark.parametrize("shape", [(3, 2, 2, 5, 6), (3, 2, 6, 5)], ids=["batch", "single"])
def test_gradients(make, shape):
    checks = check_module(make(2, 3, 3, 5), noise(*shape), max_entries=60)
    assert worst(checks).error < 1e-6, worst(checks)


def test_many_steps_in_chunks_give_the_same_weight_gradient(monkeypatch):
    lstm = nn.SeqConvLSTM(2, 3, 3, algorithm="spectral").double()
    x, g = noise(7, 2, 2, 6, 6), noise(7, 2, 3, 6, 6, seed=1)
    grads = []
    for limit in (1, 60_000, 1 << 30):
        monkeypatch.setattr(NumpyOps, "chunk_bytes", limit)
        lstm.clear_state().zero_grad_parameters()
        lstm.forward(x)
        lstm.backward(x, g)
        grads.append([grad.copy() for grad in lstm.parameters()[1]])
    for some in grads[1:]:
        for one, other in zip(grads[0], some):
            np.testing.assert_allclose(one, other, atol=1e-11)


@pytest.mark.parametrize("train_state", [False, True])
@pytest.mark.parametrize("limit", [1, 60_000, 1 << 30])
@pytest.mark.parametrize("cut", TILES)
def test_spectra_made_anew_are_those_that_were_kept(cut, limit, train_state, monkeypatch):
    """To the bit, also after a remembered sequence and with a gradient with respect to its last state."""
    monkeypatch.setattr(spectral_conv_lstm, "choose_tile", TILES[cut])
    monkeypatch.setattr(NumpyOps, "chunk_bytes", limit)
    x, g = noise(7, 2, 2, 6, 9, dtype=np.float32), noise(7, 2, 3, 6, 9, seed=1, dtype=np.float32)
    lstm = nn.SeqConvLSTM(2, 3, 3, algorithm="spectral").remember("both")
    found = []
    for bytes in (1 << 30, 0):
        monkeypatch.setattr(NumpyOps, "input_bytes", bytes)
        lstm.clear_state().forget()
        lstm.zero_grad_parameters()
        if train_state:
            lstm.user_prev_output, lstm.user_prev_cell = noise(2, 2, 3, 6, 9, seed=2, dtype=np.float32)
        for _ in range(2):
            lstm.forward(x)
            found.append((lstm.output.copy(), lstm.backward(x, g), *(a.copy() for a in lstm.parameters()[1])))
            if train_state:
                found[-1] += (lstm.user_grad_prev_output.copy(), lstm.user_grad_prev_cell.copy())
        assert lstm._implementation.anew == (bytes == 0)
    for one, other in zip(found[:2], found[2:]):
        for kept, anew in zip(one, other, strict=True):
            np.testing.assert_array_equal(kept, anew)


def test_float32_agrees_with_float64(make):
    lstm = make(2, 3, 7)
    x, g = noise(5, 2, 2, 12, 12, dtype=np.float32), noise(5, 2, 3, 12, 12, seed=1, dtype=np.float32)
    y, grad = lstm.forward(x).copy(), lstm.backward(x, g).copy()
    assert y.dtype == grad.dtype == np.float32
    lstm.double()
    np.testing.assert_allclose(lstm.forward(x.astype(np.float64)), y, atol=1e-5)
    np.testing.assert_allclose(lstm.backward(x.astype(np.float64), g.astype(np.float64)), grad, atol=1e-5)


def test_output_does_not_change_behind_the_callers_back(make):
    lstm = make(2, 3, 3).remember("both")
    x = noise(2, 1, 2, 5, 5, dtype=np.float32)
    first = lstm.forward(x)
    kept = first.copy()
    first.fill(0)
    second = lstm.forward(x).copy()
    lstm.forget()
    np.testing.assert_array_equal(lstm.forward(x), kept)
    assert not np.array_equal(lstm.forward(x), kept)
    lstm.forget()
    lstm.forward(x)
    np.testing.assert_array_equal(lstm.forward(x), second)


@pytest.mark.parametrize("copy", ["clone", "shared_clone"])
def test_copies_run_on_buffers_of_their_own(make, copy):
    lstm = make(2, 3, 3).double()
    x, g = noise(3, 2, 2, 6, 6), noise(3, 2, 3, 6, 6, seed=1)
    y = lstm.forward(x).copy()
    twin = getattr(lstm, copy)()
    with pytest.raises(RuntimeError, match="call forward before backward"):
        twin.backward(x, g)
    twin.forward(-x)
    grad = lstm.backward(x, g).copy()
    np.testing.assert_array_equal(twin.forward(x), y)
    np.testing.assert_array_equal(twin.backward(x, g), grad)


def test_buffers_are_used_again():
    """Once all buffers are there, a step allocates a small part of what it works in."""
    lstm = nn.SeqConvLSTM(4, 16, 7)
    x, g = noise(10, 4, 4, 32, 32, dtype=np.float32), noise(10, 4, 16, 32, 32, dtype=np.float32)
    lstm.forward(x)
    lstm.backward(x, g)
    kept = sum(a.nbytes for a in vars(lstm._implementation.convolution).values() if isinstance(a, np.ndarray))
    tracemalloc.start()
    lstm.forward(x)
    lstm.backward(x, g)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    handed_out = lstm.output.nbytes + lstm.grad_input.nbytes
    assert lstm._implementation.convolution.steps == 10 and peak - handed_out < 0.1 * kept


def test_init_bias_fills_the_forget_rows(make):
    lstm = make(2, 3, 3).init_bias(1.0, -0.5)
    np.testing.assert_array_equal(lstm.i2g.bias, np.repeat(np.float32([-0.5, -0.5, 1.0, -0.5]), 3))


def test_parameter_paths(make):
    paths = [path for path, _, _ in make(2, 3, 3).named_parameters()]
    assert paths == ["i2g.weight", "i2g.bias", "o2g.weight"]


@pytest.mark.parametrize(
    "shape, n_out, kernels, chosen",
    [
        ((10, 8, 16, 32, 32), 64, (7, 7), "spectral"),
        ((10, 1, 16, 32, 32), 64, (7, 7), "spectral"),
        ((10, 4, 64, 16, 16), 64, (1, 1), "gemm"),
        ((10, 1, 64, 16, 16), 64, (3, 3), "gemm"),
    ],
)
def test_auto_takes_what_the_estimates_say(shape, n_out, kernels, chosen):
    assert choose(shape, n_out, kernels) == chosen
    lstm = nn.SeqConvLSTM(shape[2], n_out, *kernels)
    lstm.forward(np.zeros((1, *shape[1:]), np.float32))
    classes = {"gemm": GemmConvLSTM, "spectral": SpectralConvLSTM}
    assert type(lstm._implementation) is classes[chosen]


@pytest.mark.parametrize("dtype, limit", [(np.float32, 1e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("cut", TILES)
def test_both_algorithms_agree(seed, dtype, limit, cut, monkeypatch):
    monkeypatch.setattr(spectral_conv_lstm, "choose_tile", TILES[cut])
    rng = np.random.default_rng(seed)
    n_in, n_out, height, width = rng.integers(1, (6, 6, 20, 20), endpoint=True)
    kc, km = 2 * rng.integers(0, 4, 2) + 1
    steps = nn.SeqConvLSTM(n_in, n_out, kc, km, algorithm="gemm").type(dtype)
    spectra = nn.SeqConvLSTM(n_in, n_out, kc, km, algorithm="spectral").type(dtype)
    for mine, other in zip(spectra.parameters()[0], steps.parameters()[0]):
        mine[...] = other
    x = noise(4, 2, n_in, height, width, seed=seed, dtype=dtype)
    g = noise(4, 2, n_out, height, width, seed=seed + 1, dtype=dtype)
    found = []
    for lstm in (steps, spectra):
        lstm.zero_grad_parameters()
        found.append([lstm.forward(x), lstm.backward(x, g), *lstm.parameters()[1]])
    for one, other in zip(*found):
        assert np.abs(one - other).max() <= limit * np.abs(one).max()


def test_bad_use(make):
    with pytest.raises(ValueError, match="algorithm must be one of auto, gemm, spectral, got 'fft'"):
        nn.SeqConvLSTM(2, 3, 3, algorithm="fft")
    with pytest.raises(ValueError, match="kernels must be odd"):
        make(2, 3, 4)
    lstm = make(2, 3, 3)
    with pytest.raises(ValueError, match=r"nn\.SeqConvLSTM: input must have size 2 in dimension -3"):
        lstm.forward(np.zeros((4, 2, 3, 6, 6), np.float32))
    with pytest.raises(ValueError, match="neither, train, eval, both"):
        lstm.remember("always")
    x, g = np.zeros((4, 2, 2, 6, 6), np.float32), np.zeros((4, 2, 3, 6, 6), np.float32)
    with pytest.raises(RuntimeError, match="call forward before backward"):
        lstm.backward(x, g)
    lstm.forward(x)
    with pytest.raises(ValueError, match="grad_output must have shape"):
        lstm.backward(x, x)
    lstm.backward(x, g)
    with pytest.raises(RuntimeError, match="one backward pass per forward pass"):
        lstm.backward(x, g)
    lstm.remember("both").forward(x)
    with pytest.raises(ValueError, match="does not continue the remembered sequence"):
        lstm.forward(np.zeros((4, 3, 2, 6, 6), np.float32))
    lstm.evaluate()
    lstm.forward(x)
    with pytest.raises(RuntimeError, match="backward needs training mode"):
        lstm.backward(x, g)
    lstm.training()
    with pytest.raises(RuntimeError, match=r"call training\(\) before forward"):
        lstm.backward(x, g)
