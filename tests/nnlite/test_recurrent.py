"""Recurrent, Recursor and Sequencer: recorded vectors, gradients through time, memory and modes."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_module, worst
from tests import golden_cases as golden
from tests.recurrent_golden import back_steps, check_sequence, noise, run_steps
from tests.toy_recurrent import simple, stack

SEQUENCES = ["Recurrent_Sequencer", "Recurrent_Sequencer_batch_tanh", "Recurrent_Sequencer_remember_both"]
LAYER = ["Sequencer_Linear", "Sequencer_Linear_tensor_input"]
GOLDEN = [*SEQUENCES, "Recursor_stack", *LAYER]


def part_names(recorded):
    """Return recorded parameters or gradients under our names of the parts."""
    return {f"{name}_module": value for name, value in recorded.items() if name != "attrs"}


@pytest.mark.parametrize("case", SEQUENCES)
def test_recurrent_matches_torch7(case):
    recorded = golden.load("c_rnn", case)
    module = simple(nn.Tanh() if "tanh" in case else nn.Sigmoid(), 5).double()
    golden.set_parameters(module, part_names(recorded["params"]))
    sequencer = nn.Sequencer(module).double().remember(recorded["attrs"]["remember"])
    for k in (1, 2):
        seq = recorded[f"seq{k}"]
        seq["gradParams"] = part_names(seq["gradParams"])
        check_sequence(seq, sequencer, module, f"{case} seq{k}")


@pytest.mark.parametrize("case", ["Recursor_stack"])
def test_recursor_matches_torch7(case):
    recorded = golden.load("c_rnn", case)
    net = stack()
    recursor = nn.Recursor(net).double()
    named = {"linear1": net[0], "lstm": net[1], "linear2": net[2]}
    for name, module in named.items():
        golden.set_parameters(module, recorded["params"][name])
    x = recorded["input"]
    golden.assert_close(run_steps(recursor, x), recorded["output"])
    recursor.zero_grad_parameters()
    golden.assert_close(back_steps(recursor, x, recorded["gradOutput"]), recorded["gradInput"])
    for name, module in named.items():
        golden.assert_grad_parameters(module, recorded["gradParams"][name], what=name)
    golden.assert_close(run_steps(recursor, x), recorded["output_continued_without_forget"])
    recursor.forget()
    golden.assert_close(run_steps(recursor, x), recorded["output_after_forget"])
    recursor.evaluate()
    golden.assert_close(run_steps(recursor, x), recorded["output_evaluate_after_forget"])
    golden.assert_close(run_steps(recursor, x), recorded["output_evaluate_continued"])


@pytest.mark.parametrize("case", LAYER)
def test_sequencer_matches_torch7(case):
    recorded = golden.load("c_rnn", case)
    linear = nn.Linear(3, 4)
    sequencer = nn.Sequencer(linear).double()
    golden.set_parameters(linear, recorded["params"]["linear"])
    golden.assert_close(sequencer.forward(recorded["input"]), recorded["output"])
    sequencer.zero_grad_parameters()
    grad_input = sequencer.backward(recorded["input"], recorded["gradOutput"])
    golden.assert_close(grad_input, recorded["gradInput"])
    golden.assert_grad_parameters(linear, recorded["gradParams"]["linear"])


def weights(module):
    return {path: weight for path, weight, _ in module.named_parameters()}


def test_recurrent_is_the_formula():
    module = simple(nn.Tanh()).double()
    p = weights(module)
    h = None
    for x in noise(4, 2, 3):
        z = x @ p["input_module.weight"].T + p["input_module.bias"]
        z += (
            p["start_module.bias"]
            if h is None
            else h @ p["feedback_module.weight"].T + p["feedback_module.bias"]
        )
        h = np.tanh(z)
        np.testing.assert_allclose(module.forward(x), h, rtol=1e-12)


def test_truncated_gradient_of_recurrent_is_the_formula():
    """Six steps forward, two back (rho = 2), against the gradient of those two written out."""
    module = simple(nn.Tanh(), rho=2).double()
    x, g = noise(6, 3), noise(6, 4, seed=1)
    h = run_steps(module, x)
    module.zero_grad_parameters()
    grads = back_steps(module, x[4:], g[4:])

    p = weights(module)
    dz5 = g[5] * (1 - h[5] ** 2)
    dz4 = (g[4] + p["feedback_module.weight"].T @ dz5) * (1 - h[4] ** 2)
    np.testing.assert_allclose(grads, [p["input_module.weight"].T @ dz for dz in (dz4, dz5)], rtol=1e-12)
    got = {path: grad for path, _, grad in module.named_parameters()}
    want = {
        "start_module.bias": np.zeros(4),
        "input_module.weight": np.outer(dz4, x[4]) + np.outer(dz5, x[5]),
        "input_module.bias": dz4 + dz5,
        "feedback_module.weight": np.outer(dz4, h[3]) + np.outer(dz5, h[4]),
        "feedback_module.bias": dz4 + dz5,
    }
    assert set(got) == set(want)
    for path, grad in got.items():
        np.testing.assert_allclose(grad, want[path], rtol=1e-12, err_msg=path)


CHECKED = {
    "Recurrent": simple,
    "Recurrent with a start module": lambda: nn.Recurrent(
        nn.Linear(4, 4), nn.Linear(3, 4), nn.LinearNoBias(4, 4), nn.Tanh()
    ),
    "Recurrent with a trainable transfer": lambda: nn.Recurrent(
        4, nn.Linear(3, 4), nn.Linear(4, 4), nn.Sequential(nn.Tanh(), nn.CMul(4))
    ),
    "stack": stack,
    "a layer that looks at its input": lambda: nn.Sequential(nn.LSTM(3, 4), nn.Square(), nn.Linear(4, 2)),
    "two memories": lambda: nn.Sequential(nn.LSTM(3, 4), simple_after(4), nn.Tanh()),
    "branches": lambda: nn.Sequential(nn.ConcatTable(nn.FastLSTM(3, 2), nn.Linear(3, 2)), nn.CMulTable()),
    "a Recursor in a Recursor": lambda: nn.Recursor(nn.Sequential(nn.Recursor(stack()), nn.Tanh())),
}


def simple_after(n):
    return nn.Recurrent(2, nn.Linear(n, 2), nn.Linear(2, 2), nn.Tanh())


@pytest.mark.parametrize("shape", [(4, 3), (3, 2, 3)], ids=["single", "batch"])
@pytest.mark.parametrize("build", CHECKED.values(), ids=CHECKED)
def test_gradients_through_time(build, shape):
    checks = check_module(nn.Sequencer(build()), noise(*shape), max_entries=6)
    assert worst(checks).error < 1e-6, worst(checks)


def test_gradients_of_a_list_of_tables():
    net = nn.Sequential(nn.ParallelTable(nn.LSTM(3, 4), nn.Linear(2, 4)), nn.CAddTable())
    input = [[noise(3, seed=t), noise(2, seed=10 + t)] for t in range(3)]
    checks = check_module(nn.Sequencer(net), input)
    assert worst(checks).error < 1e-6, worst(checks)


def test_recursor_alone_and_step_by_step_agree_with_the_sequencer():
    """One pass over all steps per method, as the Sequencer does, or both methods step by step: the same."""
    x, g = noise(4, 3), noise(4, 2, seed=1)
    net = nn.Recursor(stack()).double()
    other = nn.Sequencer(net.clone())
    other.double()
    net.zero_grad_parameters()
    other.zero_grad_parameters()
    np.testing.assert_array_equal(run_steps(net, x), other.forward(x))
    np.testing.assert_array_equal(back_steps(net, x, g), other.backward(x, g))
    for got, want in zip(net.parameters()[1], other.parameters()[1]):
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_array_and_list_agree():
    x = noise(4, 2, 3, dtype=np.float32)
    sequencer = nn.Sequencer(nn.LSTM(3, 4))
    y = sequencer.forward(x)
    g = sequencer.backward(x, y)
    assert isinstance(y, np.ndarray) and isinstance(g, np.ndarray)
    listed = sequencer.forward(list(x))
    assert isinstance(listed, list)
    np.testing.assert_array_equal(listed, y)
    np.testing.assert_array_equal(sequencer.backward(list(x), listed), g)


@pytest.mark.parametrize("mode", ["neither", "train", "eval", "both"])
def test_remember_decides_where_a_sequence_starts(mode):
    x = noise(3, 3, dtype=np.float32)
    sequencer = nn.Sequencer(nn.LSTM(3, 4)).remember(mode)
    for switch, remembered in ((sequencer.evaluate, "eval"), (sequencer.training, "train")):
        switch()
        first, second = np.stack(sequencer.forward(x)), np.stack(sequencer.forward(x))
        assert np.array_equal(first, second) == (mode not in (remembered, "both"))
        sequencer.forget()
        np.testing.assert_array_equal(sequencer.forward(x), first)


def test_changing_the_mode_forgets():
    x = noise(3, 3, dtype=np.float32)
    sequencer = nn.Sequencer(nn.LSTM(3, 4)).remember("both")
    first = sequencer.forward(x)
    sequencer.evaluate()
    np.testing.assert_array_equal(sequencer.forward(x), first)
    sequencer.evaluate()  # no change: goes on
    assert not np.array_equal(sequencer.forward(x), first)
    sequencer.training()
    np.testing.assert_array_equal(sequencer.forward(x), first)


def test_the_sequencer_copies_outputs_in_evaluation_mode():
    class Reusing(nn.Module):
        """Writes every output to the same array."""

        def update_output(self, input):
            self.output = np.zeros_like(input) if self.output is None else self.output
            self.output[...] = 2 * input
            return self.output

    sequencer = nn.Sequencer(Reusing())
    sequencer.evaluate()
    x = [noise(3, seed=t, dtype=np.float32) for t in range(3)]
    np.testing.assert_array_equal(sequencer.forward(x), [2 * step for step in x])


def test_dropout_draws_a_mask_per_step_and_rests_in_evaluation():
    x = np.ones((3, 40), np.float32)
    sequencer = nn.Sequencer(nn.Dropout(0.5))
    y = sequencer.forward(x)
    assert not np.array_equal(y[0], y[1])
    np.testing.assert_array_equal(sequencer.backward(x, x), y)  # every step with its own mask
    sequencer.evaluate()
    np.testing.assert_array_equal(sequencer.forward(x), x)


def test_dropout_before_the_first_step_rests_in_evaluation():
    module = nn.Recurrent(4, nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 4)), nn.Linear(4, 4))
    x = noise(3, dtype=np.float32)
    module.forward(x)
    module.evaluate()
    first = module.forward(x)
    module.forget()
    np.testing.assert_array_equal(module.forward(x), first)


def test_running_statistics_are_one_for_all_steps():
    sequencer = nn.Sequencer(nn.BatchNormalization(3))
    before = [buffer.copy() for _, buffer in sequencer.named_buffers()]
    sequencer.forward(noise(4, 5, 3, dtype=np.float32))
    assert before
    assert all(not np.array_equal(b, after) for b, (_, after) in zip(before, sequencer.named_buffers()))


@pytest.mark.parametrize("build", [simple, stack, lambda: nn.Linear(3, 4)])
def test_steps_follow_moved_parameters(build):
    """After get_parameters or a change of type no step may run on the old arrays."""
    sequencer = nn.Sequencer(build())
    x = noise(3, 2, 3, dtype=np.float32)
    y = sequencer.forward(x).copy()
    flat, flat_grad = sequencer.get_parameters()
    np.testing.assert_array_equal(sequencer.forward(x), y)
    flat_grad.fill(0)
    sequencer.backward(x, y)
    assert np.count_nonzero(flat_grad) > flat_grad.size / 2
    flat -= np.float32(0.1) * flat_grad
    assert not np.allclose(sequencer.forward(x), y, atol=1e-3)
    before = sequencer.forward(x).copy()
    sequencer.double()
    np.testing.assert_allclose(sequencer.forward(x.astype(np.float64)), before, rtol=1e-5, atol=1e-6)


def test_clones():
    sequencer = nn.Sequencer(stack())
    x = noise(3, 3, dtype=np.float32)
    y = sequencer.forward(x).copy()
    own, shared = sequencer.clone(), sequencer.shared_clone()
    for weight in sequencer.parameters()[0]:
        weight *= 0.5
    np.testing.assert_array_equal(own.forward(x), y)
    np.testing.assert_array_equal(shared.forward(x), sequencer.forward(x))
    shared.zero_grad_parameters()
    shared.backward(x, y)
    for mine, theirs in zip(sequencer.parameters()[1], shared.parameters()[1]):
        assert mine is theirs and mine.any()


def test_clear_state_forgets_and_leaves_a_working_module():
    sequencer = nn.Sequencer(simple()).remember("both")
    x = noise(3, 3, dtype=np.float32)
    y = sequencer.forward(x).copy()
    sequencer.clear_state()
    assert sequencer.output is None and sequencer.module.outputs is None
    with pytest.raises(RuntimeError, match="call forward before backward"):
        sequencer.module.backward(x[2], y[2])
    np.testing.assert_array_equal(sequencer.forward(x), y)
    sequencer.backward(x, y)


def test_float32_stays_float32():
    for build in CHECKED.values():
        sequencer = nn.Sequencer(build())
        x = noise(3, 2, 3, dtype=np.float32)
        y = sequencer.forward(x)
        assert y.dtype == sequencer.backward(x, y).dtype == np.float32


def test_parameters_are_reached_once():
    module = simple()
    assert list(weights(module)) == [
        "start_module.bias",
        "input_module.weight",
        "input_module.bias",
        "feedback_module.weight",
        "feedback_module.bias",
    ]
    for build in (simple, stack):
        sequencer = nn.Sequencer(build())
        sequencer.forward(noise(3, 3, dtype=np.float32))
        modules = sequencer.list_modules()
        assert len({id(m) for m in modules}) == len(modules)
        flat, flat_grad = sequencer.get_parameters()
        assert flat.size == sum(weight.size for weight in sequencer.parameters()[0])
        flat_grad.fill(7)
        sequencer.zero_grad_parameters()
        assert not flat_grad.any()
        sequencer.evaluate()
        assert not any(m.train for m in modules)
        sequencer.double()
        assert {m.dtype for m in sequencer.list_modules()} == {np.dtype(np.float64)}


def test_repr():
    assert repr(nn.Sequencer(nn.LSTM(3, 4))) == "nn.Sequencer @ nn.LSTM(3 -> 4)"
    assert repr(nn.Sequencer(nn.Linear(3, 4))) == "nn.Sequencer @ nn.Recursor @ nn.Linear(3 -> 4)"
