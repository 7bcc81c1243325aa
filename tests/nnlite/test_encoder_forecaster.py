"""A forecaster starts from the state in which an encoder ends, and gradients go back through both.

The gradient of the encoder's last state comes from the forecaster alone: without it the encoder has none.
"""

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_module, worst


class EncoderForecaster(nn.Module):
    """The forecaster's output for input [seen, driven]; connected as Element-Research's examples do it."""

    parameter_names = ()

    def __init__(self, encoder, forecaster):
        super().__init__()
        self.encoder, self.forecaster = encoder, forecaster

    def children(self):
        return [("encoder", self.encoder), ("forecaster", self.forecaster)]

    def update_output(self, input):
        seen, driven = input
        encoder, forecaster = memory(self.encoder), memory(self.forecaster)
        self.encoder.forward(seen)
        forecaster.user_prev_output, forecaster.user_prev_cell = last_state(encoder)
        self.output = self.forecaster.forward(driven)
        return self.output

    def update_grad_input(self, input, grad_output):
        return self.backward(input, grad_output, 0.0)

    def backward(self, input, grad_output, scale=1.0):
        seen, driven = input
        encoder, forecaster = memory(self.encoder), memory(self.forecaster)
        grad_driven = self.forecaster.backward(driven, grad_output, scale)
        encoder.grad_prev_output = forecaster.user_grad_prev_output
        encoder.user_next_grad_cell = forecaster.user_grad_prev_cell
        grad_seen = self.encoder.backward(seen, np.zeros_like(self.encoder.output), scale)
        self.grad_input = [grad_seen, grad_driven]
        return self.grad_input


def memory(module):
    """Return the memory itself, where it is in a Sequencer."""
    return module.module if isinstance(module, nn.Sequencer) else module


def last_state(module):
    """Return the output and the cell after the last step."""
    if isinstance(module, nn.AbstractRecurrent):
        return module.outputs[module.step - 1], module.cells[module.step - 1]
    single = module.output.ndim == module.last_output.ndim
    return [state[0] if single else state for state in (module.last_output, module.last_cell)]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


VECTORS = [noise(4, 2, 3), noise(3, 2, 3, seed=1)]
MAPS = [noise(3, 2, 1, 5, 4), noise(2, 2, 1, 5, 4, seed=1)]
KINDS = {
    "LSTM": (lambda: nn.Sequencer(nn.LSTM(3, 4)), VECTORS),
    "LSTM single": (lambda: nn.Sequencer(nn.LSTM(3, 4)), [x[:, 0] for x in VECTORS]),
    "LSTM without peepholes": (lambda: nn.Sequencer(nn.LSTM(3, 4, 9999, False)), VECTORS),
    "FastLSTM": (lambda: nn.Sequencer(nn.FastLSTM(3, 4)), VECTORS),
    "ConvLSTM": (lambda: nn.Sequencer(nn.ConvLSTM(1, 2, 9, 3, 3)), MAPS),
    "ConvLSTM single": (lambda: nn.Sequencer(nn.ConvLSTM(1, 2, 9, 3, 3)), [x[:, 0] for x in MAPS]),
    "SeqLSTM": (lambda: nn.SeqLSTM(3, 4), VECTORS),
    "SeqLSTM single": (lambda: nn.SeqLSTM(3, 4), [x[:, 0] for x in VECTORS]),
    "SeqConvLSTM gemm": (lambda: nn.SeqConvLSTM(1, 2, 3, algorithm="gemm"), MAPS),
    "SeqConvLSTM spectral": (lambda: nn.SeqConvLSTM(1, 2, 3, 5, algorithm="spectral"), MAPS),
    "SeqConvLSTM single": (lambda: nn.SeqConvLSTM(1, 2, 3), [x[:, 0] for x in MAPS]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_go_through_both(kind):
    build, x = KINDS[kind]
    nn.manual_seed(0)
    checks = check_module(EncoderForecaster(build(), build()), x, max_entries=6)
    assert worst(checks).error < 1e-6, worst(checks)
    model = EncoderForecaster(build(), build()).double()
    model.zero_grad_parameters()
    model.backward(x, np.ones_like(model.forward(x)))
    assert all(np.abs(grad).max() > 1e-4 for _, _, grad in model.encoder.named_parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_one_memory_cut_in_two_is_the_whole(kind):
    """With the same parameters in both, the two together are one memory over the whole sequence."""
    build, (seen, driven) = KINDS[kind]
    nn.manual_seed(0)
    whole = build().double()
    halves = EncoderForecaster(whole.clone(), whole.clone())
    halves.double()
    x = np.concatenate([seen, driven])
    y = whole.forward(x)
    np.testing.assert_allclose(halves.forward([seen, driven]), y[len(seen) :], rtol=1e-12)
    g = np.ones_like(y)
    g[: len(seen)] = 0
    whole.zero_grad_parameters()
    halves.zero_grad_parameters()
    grad_seen, grad_driven = halves.backward([seen, driven], g[len(seen) :])
    np.testing.assert_allclose(np.concatenate([grad_seen, grad_driven]), whole.backward(x, g), atol=1e-12)
    for grad, one, two in zip(
        whole.parameters()[1], halves.encoder.parameters()[1], halves.forecaster.parameters()[1]
    ):
        np.testing.assert_allclose(one + two, grad, atol=1e-11)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_from_elsewhere_are_dropped(kind):
    """That of the output by the next forward pass, that of the cell by whoever set it."""
    build, (x, _) = KINDS[kind]
    module = build().double()
    y = module.forward(x)
    plain = module.backward(x, np.ones_like(y))
    module.forward(x)
    inner = memory(module)
    state = last_state(inner)[0]
    inner.user_next_grad_cell, inner.grad_prev_output = np.ones_like(state), np.ones_like(state)
    added = module.backward(x, np.ones_like(y))
    assert np.abs(added - plain).max() > 1e-3
    inner.user_next_grad_cell = None
    module.forward(x)
    np.testing.assert_array_equal(module.backward(x, np.ones_like(y)), plain)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["grad_prev_output", "user_next_grad_cell"])
def test_gradients_of_another_shape_are_refused(kind, name):
    build, (x, _) = KINDS[kind]
    module = build().double()
    y = module.forward(x)
    setattr(memory(module), name, np.ones(7))
    with pytest.raises(ValueError, match=rf"{name} must have shape .*got \(7,\)"):
        module.backward(x, y)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["user_prev_output", "user_prev_cell"])
def test_a_state_of_another_shape_is_refused(kind, name):
    build, (x, _) = KINDS[kind]
    module = build().double()
    setattr(memory(module), name, np.ones(7))
    with pytest.raises(ValueError, match=rf"{name} must have shape .*got \(7,\)"):
        module.forward(x)


@pytest.mark.parametrize("kind", ["SeqLSTM", "SeqConvLSTM gemm", "SeqConvLSTM spectral"])
def test_the_users_state_goes_before_the_remembered_one(kind):
    build, (x, _) = KINDS[kind]
    module = build().double()
    module.forward(x[:2])
    output, cell = module.last_output.copy(), np.ones_like(module.last_cell)
    module.user_prev_output, module.user_prev_cell = output, cell
    expected = module.forward(x[2:])
    module.user_prev_output = module.user_prev_cell = None
    module.remember("both").forget().forward(x[:2])
    module.user_prev_cell = cell  # the output is the remembered one
    np.testing.assert_allclose(module.forward(x[2:]), expected, rtol=1e-12)
    module.backward(x[2:], np.ones_like(module.output))
    assert np.abs(module.user_grad_prev_cell).max() > 0
    module.user_prev_output = output  # with the cell, which stays set
    np.testing.assert_allclose(module.forward(x[2:]), expected, rtol=1e-12)


def test_the_users_state_goes_before_the_remembered_one_of_a_gru():
    x, module = noise(5, 2, 3), nn.SeqGRU(3, 4).double()
    module.user_prev_output = noise(2, 4, seed=1)
    expected = module.forward(x)
    module.remember("both")
    for _ in range(2):
        np.testing.assert_array_equal(module.forward(x), expected)
    module.user_prev_output = None
    assert np.abs(module.forward(x) - expected).max() > 1e-3


@pytest.mark.parametrize("build", [nn.LSTM, nn.FastLSTM, nn.GRU])
def test_steps_read_the_users_state_at_the_start_of_a_sequence(build):
    x, net = noise(4, 2, 3), nn.Sequencer(build(3, 4)).double().remember("both")
    net.module.user_prev_output = noise(2, 4, seed=1)
    whole = net.forward(x).copy()
    net.forget().forward(x[:2])
    np.testing.assert_allclose(net.forward(x[2:]), whole[2:], rtol=1e-12)
    np.testing.assert_allclose(net.forget().forward(x), whole, rtol=1e-12)
