"""nn.trace: every call under its module's name and time step, nothing changed and everything put back."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import models
from nnlite.trace import METHODS


def noise(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def run(model, x, arrays=False, scale=1.0):
    """Trace one forward and one backward pass of `model`, in float64."""
    model.double().zero_grad_parameters()
    with nn.trace(model, arrays) as t:
        y = model.forward(x)
        model.backward(x, y, scale)
    return t


def methods_of(*classes):
    """Return what the classes have of their own under the names that a trace replaces."""
    return {(cls, name): vars(cls).get(name) for cls in classes for name in METHODS}


def test_calls_come_in_the_order_in_which_they_were_made():
    t = run(nn.Sequential(nn.Linear(3, 4), nn.Tanh()), noise(2, 3))
    assert [(c.method, c.path, c.depth) for c in t.calls] == [
        ("update_output", "", 0),
        ("update_output", "0", 1),
        ("update_output", "1", 1),
        ("backward", "", 0),
        ("update_grad_input", "1", 1),
        ("acc_grad_parameters", "1", 1),
        ("update_grad_input", "0", 1),
        ("acc_grad_parameters", "0", 1),
    ]
    assert [c.index for c in t.calls] == list(range(8))
    assert [c.kind for c in t.calls[:3]] == ["Sequential", "Linear", "Tanh"]
    assert list(t.modules) == ["", "0", "1"] and t.modules["1"] is t.model[1]


def test_shapes_and_norms_are_those_of_the_arrays():
    net = nn.Sequential(nn.Linear(3, 4), nn.ConcatTable(nn.Tanh(), nn.Identity()), nn.CAddTable()).double()
    x, g = noise(2, 3), noise(2, 4, seed=1)
    with nn.trace(net) as t:
        net.forward(x)
        net.backward(x, g)
    (linear,) = t.select("0", "update_output")
    assert linear.input.shape == (2, 3) and linear.output.shape == (2, 4)
    np.testing.assert_allclose(linear.output.norm, np.linalg.norm(net[0].output), rtol=1e-14)
    (joined,) = t.select("2", "update_output")
    assert joined.input.shape == [(2, 4), (2, 4)] and joined.input.array is None
    halves = [e.norm for e in joined.input.entries]
    np.testing.assert_allclose(halves, [np.linalg.norm(y) for y in net[1].output], rtol=1e-14)
    np.testing.assert_allclose(joined.input.norm, np.hypot(*halves), rtol=1e-14)
    (back,) = t.select("", "backward")
    np.testing.assert_allclose(
        [back.grad_output.norm, back.grad_input.norm], [np.linalg.norm(g), np.linalg.norm(net.grad_input)]
    )
    assert t.select("0", "update_output")[0].grad_output is None


def test_gradients_are_what_each_call_added():
    layer = nn.Linear(3, 4).double()
    layer.grad_weight.fill(7)
    x, g = noise(2, 3), noise(2, 4, seed=1)
    with nn.trace(layer, arrays=True) as t:
        layer.forward(x)
        layer.backward(x, g, 0.5)
        layer.grad_bias += 1  # between the calls anything may happen
        layer.backward(x, g)
    first, second = t.select(method="acc_grad_parameters")
    assert (first.scale, second.scale) == (0.5, 1.0)
    np.testing.assert_allclose(first.gradients["weight"].array, 0.5 * g.T @ x, rtol=1e-12)
    np.testing.assert_allclose(second.gradients["weight"].array, g.T @ x, rtol=1e-12)
    np.testing.assert_allclose(second.gradients["bias"].array, g.sum(0), rtol=1e-12)
    np.testing.assert_allclose(second.gradients["bias"].norm, np.linalg.norm(g.sum(0)), rtol=1e-12)


def stack():
    return nn.Sequential(nn.Linear(3, 4), nn.LSTM(4, 4), nn.Linear(4, 2))


SEQUENCES = {
    "layer": (lambda: nn.Sequencer(nn.Linear(3, 4)), (3, 2, 3)),
    "stack with memory": (lambda: nn.Sequencer(stack()), (3, 2, 3)),
    "LSTM and FastLSTM": (
        lambda: nn.Sequential(nn.Sequencer(nn.LSTM(3, 4)), nn.Sequencer(nn.FastLSTM(4, 2))),
        (3, 2, 3),
    ),
    "Recurrent": (
        lambda: nn.Sequencer(
            nn.Recurrent(4, nn.Sequential(nn.Linear(3, 4), nn.Tanh()), nn.Linear(4, 4), nn.Tanh())
        ),
        (3, 2, 3),
    ),
    "ConvLSTM": (lambda: nn.Sequencer(nn.ConvLSTM(1, 2, 5, 3, 3)), (3, 2, 1, 4, 4)),
    "UntiedConvLSTM": (lambda: nn.Sequencer(nn.UntiedConvLSTM(1, 2, 5, 3, 3)), (3, 2, 1, 4, 4)),
    "SeqLSTM": (lambda: nn.SeqLSTM(3, 4), (3, 2, 3)),
    "SeqConvLSTM": (lambda: nn.Sequential(nn.SeqConvLSTM(1, 2, 3), nn.Tanh()), (3, 2, 1, 4, 4)),
    "AE-ConvLSTM": (
        lambda: models.build("ae_convlstm", height=8, width=8, n_features=2, n_memory=3, kernel=3),
        (3, 2, 1, 8, 8),
    ),
    "AE-ConvLSTM-flow": (
        lambda: models.build(
            "ae_convlstm_flow", height=8, width=8, n_features=2, n_memory=3, kernel=3, flow_kernel=3
        ),
        (3, 2, 1, 8, 8),
    ),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_gradients_of_all_calls_add_up_to_the_models(name):
    build, shape = SEQUENCES[name]
    model = build()
    t = run(model, noise(*shape), arrays=True, scale=0.5)
    total = {path: np.zeros_like(grad) for path, _, grad in model.named_parameters()}
    for call in t.calls:
        for path, signal in call.gradients.items():
            total[path] += signal.array
    for path, _, grad in model.named_parameters():
        np.testing.assert_allclose(total[path], grad, atol=1e-12, err_msg=path)
        assert any(path in call.gradients for call in t.calls), path


@pytest.mark.parametrize("name", SEQUENCES)
def test_every_call_of_the_whole_tree_has_a_name_and_the_same_numbers_as_without_a_trace(name):
    build, shape = SEQUENCES[name]
    model, x = build().double(), noise(*shape)
    twin = model.clone()
    traced, plain = run(model, x, scale=0.5), twin.forward(x)
    np.testing.assert_array_equal(model.output, plain)
    np.testing.assert_array_equal(twin.backward(x, plain, 0.5), model.grad_input)
    for mine, theirs in zip(model.parameters()[1], twin.parameters()[1]):
        np.testing.assert_array_equal(mine, theirs)
    for call in traced.calls:
        assert call.kind == type(traced.modules.get(call.path, nn.Sequential())).__name__, call.path


def test_steps_are_those_of_the_recurrent_module_and_backward_goes_back():
    t = run(nn.Sequencer(stack()), noise(3, 2, 3))
    gate = "module.module.1.input_gate.input2gate"
    assert [c.step for c in t.select(gate, "update_output")] == [0, 1, 2]
    assert [c.step for c in t.select(gate, "update_grad_input")] == [2, 1, 0]
    assert [c.step for c in t.select(gate, "acc_grad_parameters")] == [2, 1, 0]
    assert [c.step for c in t.select("", "update_output")] == [None]
    assert {c.step for c in t.select("module.module.1")} == {0, 1, 2}
    (call,) = t.select("module.module.2", "update_grad_input", 1)
    np.testing.assert_allclose(call.grad_output.norm, np.linalg.norm(t.model.output[1]), rtol=1e-12)


def test_a_whole_sequence_is_one_call():
    t = run(nn.Sequential(nn.SeqConvLSTM(1, 2, 3), nn.Tanh()), noise(3, 2, 1, 4, 4))
    (call,) = t.select("0", "update_output")
    assert call.step is None and call.input.shape == (3, 2, 1, 4, 4)
    (call,) = t.select("0", "acc_grad_parameters")
    assert list(call.gradients) == ["0.i2g.weight", "0.i2g.bias", "0.o2g.weight"]


def test_first_steps_of_their_own():
    t = run(SEQUENCES["UntiedConvLSTM"][0](), noise(3, 2, 1, 4, 4))
    assert [c.step for c in t.select("module.input_gate_untied.input2gate", "update_output")] == [0]
    assert [c.step for c in t.select("module.input_gate.input2gate", "update_output")] == [1, 2]
    t = run(SEQUENCES["Recurrent"][0](), noise(3, 2, 3))
    assert [c.step for c in t.select("module.start_module", "update_output")] == [0]
    assert [c.step for c in t.select("module.input_module.1", "update_output")] == [0, 1, 2]
    assert [c.step for c in t.select("module.feedback_module", "update_output")] == [1, 2]
    assert [c.kind for c in t.select("module.initial_module", step=0)] == ["Sequential"] * 3


def test_copies_from_before_the_trace_are_named():
    model, x = nn.Sequencer(nn.LSTM(3, 4)).double(), noise(3, 2, 3)
    model.forward(x)
    before = run(nn.Sequencer(nn.LSTM(3, 4)), x)
    with nn.trace(model) as t:
        model.backward(x, model.forward(x))
    assert [(c.path, c.method, c.step) for c in t.calls] == [(c.path, c.method, c.step) for c in before.calls]


def test_steps_count_on_in_a_remembered_sequence_and_while_evaluating():
    model, x = nn.Sequencer(nn.LSTM(3, 4)).remember("both").double(), noise(2, 2, 3)
    model.evaluate()
    with nn.trace(model) as t:
        model.forward(x)
        model.forward(x)
        model.clear_state()
        model.forward(x)
    assert [c.step for c in t.select("module", "update_output")] == [0, 1, 2, 3, 0, 1]
    assert [c.step for c in t.select("module.input_gate", "update_output")] == [0, 1, 2, 3, 0, 1]


def test_arrays_are_copies_and_only_where_asked_for():
    net, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh()), noise(2, 3)
    t = run(net, x, arrays=True)
    kept = t.select("1", "update_output")[0].output.array
    np.testing.assert_array_equal(kept, net[1].output)
    net[1].output.fill(9)
    assert not (kept == 9).any()
    assert t.select("", "backward")[0].grad_output.array.shape == (2, 4)

    t = run(net, x, arrays=lambda call: call.path == "0" and call.method == "update_output")
    assert [c.path for c in t.calls if c.input.array is not None] == ["0"]
    assert all(signal.array is None for c in t.calls for signal in c.gradients.values())

    t = run(nn.ConcatTable(nn.Tanh(), nn.Tanh()), x, arrays=lambda call: call.method == "update_output")
    table = t.select("", "update_output")[0].output.array
    assert isinstance(table, list) and [y.shape for y in table] == [(2, 3), (2, 3)]


def test_everything_is_put_back():
    model = nn.Sequencer(nn.Sequential(nn.Linear(3, 4), nn.LSTM(4, 4)))
    classes = {type(module) for module in model.list_modules()} | {nn.Module, nn.Container}
    before, attributes = methods_of(*classes), {id(m): set(vars(m)) for m in model.list_modules()}
    with nn.trace(model) as t:
        assert methods_of(*classes) != before
        model.forward(noise(3, 2, 3, dtype=np.float32))
    assert methods_of(*classes) == before
    assert {id(m): set(vars(m)) for m in model.list_modules()} == attributes
    count = len(t.calls)
    model.forward(noise(3, 2, 3, dtype=np.float32))
    assert len(t.calls) == count > 0


def test_everything_is_put_back_after_an_error():
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 2))
    before = methods_of(nn.Sequential, nn.Linear)
    with pytest.raises(ValueError, match="size 5"), nn.trace(net) as t:
        net.forward(noise(2, 3, dtype=np.float32))
    assert methods_of(nn.Sequential, nn.Linear) == before
    assert [(c.path, c.output is None) for c in t.calls] == [("", True), ("0", False), ("1", True)]
    assert "3 update_output" in str(t)
    with nn.trace(net) as t:
        with pytest.raises(ValueError, match="size 5"):
            net.forward(noise(2, 3, dtype=np.float32))
        net[0].forward(noise(2, 3, dtype=np.float32))
    assert [c.depth for c in t.calls] == [0, 1, 1, 0]


def test_traces_may_be_nested():
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))
    before = methods_of(nn.Sequential, nn.Linear, nn.Tanh)
    x = noise(2, 3, dtype=np.float32)
    with nn.trace(net) as outer:
        net.forward(x)
        with nn.trace(net[0]) as inner:
            net.forward(x)
        net.forward(x)
    assert methods_of(nn.Sequential, nn.Linear, nn.Tanh) == before
    assert len(outer.calls) == 12 and [(c.path, c.kind, c.depth) for c in inner.calls] == [("", "Linear", 0)]


def test_other_models_are_let_through():
    mine, other = nn.Linear(3, 4), nn.Linear(3, 4)
    x = noise(2, 3, dtype=np.float32)
    with nn.trace(mine) as t:
        other.backward(x, other.forward(x))
    assert t.calls == [] and str(t) == "trace of nn.Linear: no calls"
    np.testing.assert_allclose(other.grad_bias, other.output.sum(0), rtol=1e-5)


def test_keywords_are_passed_on():
    layer, x, g = nn.Linear(3, 4).double(), noise(2, 3), noise(2, 4)
    with nn.trace(layer) as t:
        layer.update_output(input=x)
        layer.update_grad_input(x, grad_output=g)
        layer.acc_grad_parameters(x, grad_output=g, scale=2.0)
    np.testing.assert_allclose(layer.grad_bias, 2 * g.sum(0))
    np.testing.assert_allclose([c.grad_output.norm for c in t.calls[1:]], [np.linalg.norm(g)] * 2)
    assert t.calls[-1].scale == 2.0


def test_a_module_in_two_places_has_one_name():
    shared = nn.Linear(3, 3)
    net = nn.Sequential(shared, nn.Tanh(), shared).double()
    net.evaluate()  # there is no backward pass through a module in two places
    with nn.trace(net) as t:
        net.forward(noise(2, 3))
    assert [c.path for c in t.select(method="update_output")] == ["", "0", "1", "0"]
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].share(net[0], "weight", "bias", "grad_weight", "grad_bias")
    t = run(net, noise(2, 3))
    paths = [path for c in t.calls for path in c.gradients]
    assert paths == ["1.weight", "1.bias", "0.weight", "0.bias"]


def test_super_is_not_a_call_of_its_own():
    model = models.build("ae_conv", height=8, width=8, n_frames=2, n_features=2, n_memory=2, kernel=3)
    t = run(model, noise(2, 1, 1, 8, 8))
    assert [c.path for c in t.select(method="update_output")].count("") == 1


def test_bad_use():
    with pytest.raises(TypeError, match=r"nn\.trace takes a module, got list"):
        nn.trace([nn.Linear(3, 4)])
    t = nn.trace(nn.Linear(3, 4))
    with t, pytest.raises(RuntimeError, match="open already"), t:
        pass
    assert methods_of(nn.Linear)[nn.Linear, "update_output"].__qualname__ == "Linear.update_output"
    assert not hasattr(nn.Linear.update_output, "__wrapped__")
