"""What the microscope shows of a memory: its gates and its cell, and the derivatives of both."""

import numpy as np

import nnlite as nn
from nnlite.models.change_gate import Previous
from nnlite.train.inspect.memory import memories


def run_memory(module, x, g):
    with nn.trace(module, arrays=True) as trace:
        module.forward(x)
        module.backward(x, g)
    ((_, values, derivatives),) = memories(trace)
    return values, derivatives


def test_gates_and_cell_of_both_spellings_of_the_memory_agree():
    whole, steps = nn.SeqConvLSTM(2, 3, 3).double(), nn.ConvLSTM(2, 3, 9, 3, 3)
    assembled = nn.Sequencer(steps).double()
    for k, name in enumerate(("input_gate", "cell_gate", "forget_gate", "output_gate")):
        gate, rows = getattr(steps, name), slice(3 * k, 3 * k + 3)
        gate.input2gate.weight[...] = whole.i2g.weight[rows]
        gate.input2gate.bias[...] = whole.i2g.bias[rows]
        gate.output2gate.weight[...] = whole.o2g.weight[rows]
    rng = np.random.default_rng(0)
    x, g = rng.standard_normal((4, 1, 2, 5, 6)), rng.standard_normal((4, 1, 3, 5, 6))
    one, other = run_memory(whole, x, g), run_memory(assembled, x, g)
    for kind in (0, 1):
        for symbol in "ifgoch":
            assert one[kind][symbol].shape == (4, 3, 5, 6)
            np.testing.assert_allclose(one[kind][symbol], other[kind][symbol], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(one[0]["h"], whole.output[:, 0], rtol=1e-9)


def test_an_untied_first_step_forgets_nothing():
    module = nn.Sequencer(nn.UntiedConvLSTM(2, 3, 9, 3, 3)).double()
    rng = np.random.default_rng(0)
    values, derivatives = run_memory(
        module, rng.standard_normal((3, 1, 2, 4, 4)), rng.standard_normal((3, 1, 3, 4, 4))
    )
    assert not values["f"][0].any() and values["f"][1:].all()
    np.testing.assert_allclose(values["c"][0], values["i"][0] * values["g"][0], rtol=1e-12)
    np.testing.assert_allclose(derivatives["i"][0], derivatives["c"][0] * values["g"][0], rtol=1e-9)


def test_what_remembers_without_gates_is_left_out():
    x = np.random.default_rng(0).standard_normal((3, 1, 2, 4, 4))
    for module in (Previous(2).double(), nn.Sequential(nn.View(3, 1, 32), nn.SeqGRU(32, 3)).double()):
        with nn.trace(module, arrays=True) as trace:
            module.backward(x, np.ones_like(module.forward(x)))
        assert memories(trace) == []
