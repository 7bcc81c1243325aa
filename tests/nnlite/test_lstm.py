"""LSTM and FastLSTM: recorded vectors, gradients through time, states, types and bad input."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.finite_differences import numeric_gradient
from nnlite.gradcheck import check_module, worst
from tests import golden_cases as golden
from tests.recurrent_golden import back_steps, check_sequences, noise, run_steps

SEQUENCES = [
    "FastLSTM",
    "FastLSTM_batch",
    "FastLSTM_remember_both",
    "LSTM_nopeephole",
    "LSTM_nopeephole_batch",
    "LSTM_nopeephole_remember_both",
    "LSTM_nopeephole_remember_both_forget_between",
    "LSTM_nopeephole_remember_eval",
    "LSTM_nopeephole_remember_train",
    "LSTM_nopeephole_varlen_remember_both",
    "LSTM_peephole",
    "LSTM_peephole_batch",
    "LSTM_peephole_remember_both",
]
EVALUATE = [
    "LSTM_evaluate_remember_both",
    "LSTM_evaluate_remember_eval",
    "LSTM_evaluate_remember_neither",
    "LSTM_evaluate_remember_train",
]
INITIAL = {
    "init/LSTM_3_4_nopeephole_seed1234": lambda: nn.LSTM(3, 4, 9999, False),
    "init/FastLSTM_3_4_seed1234": lambda: nn.FastLSTM(3, 4),
}
GOLDEN = [*SEQUENCES, *EVALUATE, "LSTM_userPrev", *INITIAL]

BUILDERS = {
    "peepholes": lambda: nn.LSTM(3, 4),
    "no peepholes": lambda: nn.LSTM(3, 4, 9999, False),
    "fast": lambda: nn.FastLSTM(3, 4),
}
KINDS = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)


@pytest.mark.parametrize("case", SEQUENCES)
def test_matches_torch7(case):
    recorded = golden.load("c_rnn", case)
    lstm = (nn.FastLSTM if case.startswith("FastLSTM") else nn.LSTM)(*recorded["attrs"]["args"]).double()
    golden.set_parameters(lstm, recorded["params"])
    sequencer = nn.Sequencer(lstm).double().remember(recorded["attrs"]["remember"])
    check_sequences(case, sequencer, lstm, forget_between=case.endswith("forget_between"))


@pytest.mark.parametrize("case", EVALUATE)
def test_modes_match_torch7(case):
    recorded = golden.load("c_rnn", case)
    lstm = nn.LSTM(3, 4, 9999, False)
    sequencer = nn.Sequencer(lstm).double().remember(recorded["attrs"]["remember"])
    golden.set_parameters(lstm, recorded["params"])
    x1, x2 = recorded["x1"], recorded["x2"]
    golden.assert_close(sequencer.forward(x1), recorded["1_train_x1"])
    golden.assert_close(sequencer.forward(x2), recorded["2_train_x2"])
    sequencer.evaluate()
    golden.assert_close(sequencer.forward(x1), recorded["3_eval_x1"])
    golden.assert_close(sequencer.forward(x2), recorded["4_eval_x2"])
    golden.assert_close(sequencer.forward(x2), recorded["5_eval_x2_again"])
    sequencer.training()
    golden.assert_close(sequencer.forward(x1), recorded["6_train_x1"])


@pytest.mark.parametrize("case", ["LSTM_userPrev"])
def test_user_state_matches_torch7(case):
    recorded = golden.load("c_rnn", case)
    lstm = nn.LSTM(3, 4, 9999, False).double()
    golden.set_parameters(lstm, recorded["params"])
    lstm.user_prev_output, lstm.user_prev_cell = recorded["userPrevOutput"], recorded["userPrevCell"]
    golden.assert_close(run_steps(lstm, recorded["input"]), recorded["output"])
    lstm.zero_grad_parameters()
    grads = back_steps(lstm, recorded["input"], recorded["gradOutput"])
    golden.assert_close(grads, recorded["gradInput"])
    golden.assert_close(lstm.user_grad_prev_output, recorded["gradPrevOutput"])
    golden.assert_close(lstm.user_grad_prev_cell, recorded["gradPrevCell"])
    golden.assert_grad_parameters(lstm, recorded["gradParams"])


@pytest.mark.parametrize("case", INITIAL)
def test_initial_weights_match_torch7(case):
    recorded, build = golden.load("c_rnn", case), INITIAL[case]
    nn.manual_seed(1234)
    drawn = {path: weight.copy() for path, weight, _ in build().named_parameters()}
    wanted = build().double()
    golden.set_parameters(wanted, recorded)
    assert len(drawn) == len(list(wanted.named_parameters()))
    for path, weight, _ in wanted.named_parameters():
        np.testing.assert_array_equal(drawn[path], weight.astype(np.float32), err_msg=path)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("cell2gate", [True, False])
def test_forward_is_the_formula(cell2gate):
    lstm = nn.LSTM(3, 4, 9999, cell2gate).double()
    p = {path: weight for path, weight, _ in lstm.named_parameters()}

    def gate(name, x, h, c=None):
        z = x @ p[f"{name}.input2gate.weight"].T + p[f"{name}.input2gate.bias"]
        z += h @ p[f"{name}.output2gate.weight"].T
        return z + c * p[f"{name}.cell2gate.weight"] if cell2gate and c is not None else z

    h = c = np.zeros((2, 4))
    for x in noise(4, 2, 3):
        i, f = sigmoid(gate("input_gate", x, h, c)), sigmoid(gate("forget_gate", x, h, c))
        c = f * c + i * np.tanh(gate("hidden_layer", x, h))
        h = sigmoid(gate("output_gate", x, h, c)) * np.tanh(c)
        np.testing.assert_allclose(lstm.forward(x), h, rtol=1e-12)
        np.testing.assert_allclose(lstm.cells[lstm.step - 1], c, rtol=1e-12)


def test_fast_lstm_computes_what_lstm_does():
    lstm, fast = nn.LSTM(3, 4, 9999, False).double(), nn.FastLSTM(3, 4).double()
    blocks = [lstm.input_gate, lstm.hidden_layer, lstm.forget_gate, lstm.output_gate]
    fast.i2g.weight[...] = np.concatenate([gate.input2gate.weight for gate in blocks])
    fast.i2g.bias[...] = np.concatenate([gate.input2gate.bias for gate in blocks])
    fast.o2g.weight[...] = np.concatenate([gate.output2gate.weight for gate in blocks])
    x, g = noise(5, 2, 3), noise(5, 2, 4, seed=1)
    lstm.zero_grad_parameters()
    fast.zero_grad_parameters()
    np.testing.assert_allclose(run_steps(fast, x), run_steps(lstm, x), rtol=1e-12)
    np.testing.assert_allclose(back_steps(fast, x, g), back_steps(lstm, x, g), rtol=1e-10, atol=1e-14)
    grads = np.concatenate([gate.output2gate.grad_weight for gate in blocks])
    np.testing.assert_allclose(fast.o2g.grad_weight, grads, rtol=1e-10, atol=1e-14)


@KINDS
@pytest.mark.parametrize("shape", [(4, 3), (3, 2, 3)], ids=["single", "batch"])
def test_gradients_through_time(build, shape):
    checks = check_module(nn.Sequencer(build()), noise(*shape), max_entries=6)
    assert worst(checks).error < 1e-6, worst(checks)


@KINDS
def test_float32_agrees_with_float64(build):
    sequencer = nn.Sequencer(build())
    x = noise(4, 2, 3, dtype=np.float32)
    y = sequencer.forward(x)
    g = sequencer.backward(x, y)
    assert y.dtype == g.dtype == np.float32
    assert {grad.dtype for grad in sequencer.parameters()[1]} == {np.dtype(np.float32)}
    sequencer.double()
    y64 = sequencer.forward(x.astype(np.float64))
    np.testing.assert_allclose(y64, y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(sequencer.backward(x.astype(np.float64), y64), g, rtol=1e-4, atol=1e-6)


@KINDS
def test_parameters_are_reached_once_under_their_names(build):
    lstm = build()
    paths = [path for path, _, _ in lstm.named_parameters()]
    assert len(set(paths)) == len(paths)
    modules = lstm.list_modules()
    assert len({id(module) for module in modules}) == len(modules)
    owned = [id(weight) for module in modules for _, weight, _ in module.own_parameters()]
    assert owned == [id(weight) for _, weight, _ in lstm.named_parameters()]
    flat, flat_grad = lstm.get_parameters()
    assert flat.size == sum(weight.size for weight in lstm.parameters()[0])
    flat_grad.fill(7)
    lstm.zero_grad_parameters()
    assert not flat_grad.any()


def test_paths_of_the_gates():
    lstm = nn.LSTM(3, 4)
    assert [path for path, _, _ in nn.Sequential(lstm).named_parameters() if "input_gate" in path] == [
        "0.input_gate.input2gate.weight",
        "0.input_gate.input2gate.bias",
        "0.input_gate.output2gate.weight",
        "0.input_gate.cell2gate.weight",
    ]
    assert not hasattr(lstm.hidden_layer.cell2gate, "weight")  # no peephole there
    assert lstm.output_gate.output2gate.bias is None


@KINDS
def test_init_bias_and_reset(build):
    lstm = build().init_bias(0.5, -0.25)
    biases = {path: weight for path, weight, _ in lstm.named_parameters() if path.endswith("bias")}
    if "i2g.bias" in biases:
        np.testing.assert_array_equal(biases["i2g.bias"].reshape(4, 4)[:, 0], [-0.25, -0.25, 0.5, -0.25])
    else:
        for path, bias in biases.items():
            assert set(bias) == {0.5 if path.startswith("forget_gate") else -0.25}
    before = [weight.copy() for weight in lstm.parameters()[0]]
    lstm.reset()
    assert all((old != new).any() for old, new in zip(before, lstm.parameters()[0]))


def test_user_state_gradients():
    """Finite differences on the state before the first step."""
    lstm = nn.LSTM(3, 4).double()
    x, g, state = noise(3, 3), noise(3, 4, seed=1), noise(2, 4, seed=2)
    lstm.user_prev_output, lstm.user_prev_cell = state

    def loss():
        lstm.forget()
        return sum(float(np.sum(a * b)) for a, b in zip(run_steps(lstm, x), g))

    numeric = numeric_gradient(loss, state)
    loss()
    back_steps(lstm, x, g)
    got = [lstm.user_grad_prev_output, lstm.user_grad_prev_cell]
    np.testing.assert_allclose(got, numeric, rtol=1e-6, atol=1e-9)


@KINDS
def test_truncated_gradient_takes_the_earlier_state_as_constant(build):
    """Seven steps forward, three back: as if the sequence began at step 4 with that state given."""
    x, g = noise(7, 2, 3), noise(7, 2, 4, seed=1)
    lstm = build().double().max_bptt_step(3)
    reference, full = lstm.clone(), lstm.clone().max_bptt_step(7)
    run_steps(lstm, x)
    lstm.zero_grad_parameters()
    grads = back_steps(lstm, x[4:], g[4:])
    with pytest.raises(RuntimeError, match=r"over more than the last 3 steps; call max_bptt_step"):
        lstm.backward(x[3], g[3])

    run_steps(reference, x[:4])
    reference.user_prev_output, reference.user_prev_cell = reference.outputs[3], reference.cells[3]
    reference.forget()
    run_steps(reference, x[4:])
    reference.zero_grad_parameters()
    np.testing.assert_allclose(grads, back_steps(reference, x[4:], g[4:]), rtol=1e-12)
    for (path, _, got), (_, _, want) in zip(lstm.named_parameters(), reference.named_parameters()):
        np.testing.assert_allclose(got, want, rtol=1e-12, err_msg=path)

    run_steps(full, x)
    full.zero_grad_parameters()
    back_steps(full, x, np.concatenate([np.zeros_like(g[:4]), g[4:]]))
    assert not np.allclose(full.parameters()[1][0], lstm.parameters()[1][0], rtol=1e-3)


def test_only_the_last_rho_steps_are_kept():
    lstm = nn.LSTM(3, 4, 3)
    for x in noise(20, 3, dtype=np.float32):
        lstm.forward(x)
    assert sorted(lstm.outputs) == sorted(lstm.cells) == [16, 17, 18, 19]
    assert len(lstm._step_modules) + len(lstm._spare_modules) <= 4


@pytest.mark.parametrize(
    "x, error, message",
    [
        (np.zeros((2, 5), np.float32), ValueError, r"nn\.LSTM: input must have size 3"),
        (np.zeros((1, 2, 3), np.float32), ValueError, "1 or 2 dimensions"),
        (np.zeros((2, 3)), TypeError, "must be float32, got float64"),
        ([0.0, 1.0, 2.0], TypeError, "must be an array, got list"),
    ],
)
def test_bad_input(x, error, message):
    with pytest.raises(error, match=message):
        nn.LSTM(3, 4).forward(x)


def test_bad_states_and_gradients():
    lstm = nn.LSTM(3, 4)
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(RuntimeError, match=r"nn\.LSTM: call forward before backward"):
        lstm.backward(x, np.zeros((2, 4), np.float32))
    lstm.forward(x)
    with pytest.raises(ValueError, match=r"nn\.LSTM: grad_output must have shape \(2, 4\), got \(2, 3\)"):
        lstm.backward(x, x)
    with pytest.raises(ValueError, match=r"does not continue a sequence.*call forget\(\) first"):
        lstm.forward(x[0])
    lstm.forget()
    lstm.user_prev_output = np.zeros(4, np.float32)
    with pytest.raises(ValueError, match=r"user_prev_output must have shape \(2, 4\), got \(4,\)"):
        lstm.forward(x)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        nn.LSTM(3, 4, 0)
