"""The contract of every module of the packages: its arrays, its places, its parameters, its state."""

import importlib

import numpy as np
import pytest

import nnlite as nn
from nnlite import backend, table
from nnlite.gradcheck import check_criterion, check_module
from nnlite.gradcheck_cases import inputs
from nnlite.random import default_generator


def collected():
    """Return {label: (package of cases, function that checks)} of the gradcheck cases of all packages."""
    found = {}
    for package in ("nnlite", "nnlite.models"):
        cases = importlib.import_module(f"{package}.gradcheck_cases")
        found |= {label: (cases, check) for label, check in cases.cases()}
    return found


CASES = collected()


def built(label, monkeypatch):
    """Return the float64 module of a case and its input, or skip a criterion."""
    cases, check = CASES[label]
    seen = []
    for place in (cases, inputs):
        monkeypatch.setattr(
            place, "check_module", lambda module, x, **_: seen.append((module, x)), raising=False
        )
        monkeypatch.setattr(place, "check_criterion", lambda *_, **__: seen.append(None), raising=False)
    check()
    if seen[0] is None:
        pytest.skip("a criterion")
    module, x = seen[0]
    return module.double(), x


@pytest.mark.parametrize("label", CASES)
def test_a_call_leaves_the_arrays_of_the_one_before_alone(label, monkeypatch):
    module, x = built(label, monkeypatch)
    other = table.map(lambda a: np.flip(a).reshape(a.shape).copy() if a.dtype.kind == "f" else a, x)
    for train in {module.train, False}:
        module.training() if train else module.evaluate()
        handed_out = table.leaves(module.forward(x))
        if module.train and not isinstance(module, nn.AbstractRecurrent):
            grad_output = table.map(np.ones_like, module.output)
            handed_out += table.leaves(module.backward(x, grad_output))
        before = [array.copy() for array in handed_out]
        again = table.leaves(module.forward(other))
        if module.train:
            again += table.leaves(module.backward(other, table.map(np.ones_like, module.output)))
        for array, kept, new in zip(handed_out, before, again):
            np.testing.assert_array_equal(array, kept)
            assert array is not new or not array.size


def test_frames_streamed_through_a_memory_are_all_kept():
    memory = nn.SeqConvLSTM(1, 2, 3).double().remember("both")
    frames = np.random.default_rng(0).standard_normal((4, 1, 1, 5, 5))
    streamed = [memory.forward(frame[None]) for frame in frames]
    np.testing.assert_allclose(np.concatenate(streamed), memory.forget().forward(frames), rtol=1e-12)


def snapshot(module):
    """Return copies of all that a module holds, and the arrays themselves."""
    arrays = {}
    for path, below in module.named_modules():
        for name, value in vars(below).items():
            if name != "modules" and not isinstance(value, nn.Module):
                arrays[path, name] = value
    copies = {
        key: table.map(lambda a: a.copy() if backend.is_array(a) else a, value)
        for key, value in arrays.items()
        if not isinstance(value, dict)
    }
    return arrays, copies


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(
    "build, shape",
    [
        (lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNormalization(4), nn.Dropout(0.5)), (6, 3)),
        (lambda: nn.SeqLSTM(3, 4).remember("both"), (5, 2, 3)),
        (lambda: nn.Sequencer(nn.LSTM(3, 4)).remember("both"), (5, 2, 3)),
    ],
)
def test_a_check_leaves_everything_as_it_was(build, shape, dtype, train):
    module = build().type(dtype)
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    parameters, gradients = module.get_parameters()
    module.training() if train else module.evaluate()
    y = module.forward(x)
    if train:
        module.backward(x, np.ones_like(y))
    arrays, copies = snapshot(module)
    kept, state = x.copy(), default_generator.get_state()
    if train or not isinstance(module, nn.Sequencer):
        check_module(module, x, max_entries=3)
    else:
        with pytest.raises(RuntimeError, match="backward needs training mode"):
            check_module(module, x, max_entries=3)
    after, _ = snapshot(module)
    assert after.keys() == arrays.keys()
    for key, value in after.items():
        assert value is arrays[key], key
        if key in copies:
            for a, b in zip(table.leaves(value), table.leaves(copies[key])):
                assert not backend.is_array(a) or np.array_equal(a, b), key
    np.testing.assert_array_equal(x, kept)
    np.testing.assert_array_equal(default_generator.get_state()["key"], state["key"])
    assert default_generator.get_state()["pos"] == state["pos"]
    assert module.get_parameters()[0] is parameters and module.get_parameters()[1] is gradients


def test_a_check_leaves_a_criterion_as_it_was():
    criterion, x = nn.MSECriterion(), np.array([1.0, 2.0])
    criterion.forward(x, np.zeros(2))
    grad = criterion.backward(x, np.zeros(2))
    check_criterion(criterion, np.ones(3), np.zeros(3))
    assert criterion.output == 2.5 and criterion.grad_input is grad
    np.testing.assert_array_equal(grad, x)


def shared_layer():
    layer = nn.Tanh()
    return nn.Sequential(
        nn.Linear(3, 3), layer, nn.Linear(3, 3), layer
    ), r"the same nn\.Tanh is at 1 and at 3: "


def shared_deep_inside():
    layer = nn.Linear(3, 3)
    return nn.Sequential(nn.Sequential(layer), nn.Sequential(nn.ReLU(), layer)), r"at 0\.0 and at 1\.1: "


def shared_by_branches():
    layer = nn.Linear(3, 3)
    return nn.Sequential(nn.ConcatTable(layer, layer), nn.CAddTable()), r"at 0\.0 and at 0\.1: "


@pytest.mark.parametrize("build", [shared_layer, shared_deep_inside, shared_by_branches])
def test_one_module_in_two_places_is_an_error(build):
    net, message = build()
    x = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"nn\.Sequential: .*" + message + r".*clone\(\).*shared_clone\(\)"):
        net.forward(x)
    net.evaluate()  # without a backward pass nothing goes wrong
    y = net.forward(x)
    with pytest.raises(ValueError, match="gradients would be wrong"):
        net.backward(x, y)


def test_a_shared_clone_in_the_second_place_is_right():
    nn.manual_seed(0)
    layer = nn.Linear(3, 3)
    net = nn.Sequential(layer, nn.Tanh(), layer.shared_clone(), nn.Tanh())
    checks = check_module(net, np.random.default_rng(0).standard_normal((4, 3)))
    assert max(check.error for check in checks) < 1e-6


class Undeclared(nn.Module):
    def __init__(self):
        super().__init__()
        self.add_parameter("gain", (3,))
        self.gain.fill(2)

    def update_output(self, input):
        self.output = self.gain * input
        return self.output

    def update_grad_input(self, input, grad_output):
        self.grad_input = self.gain * grad_output
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        self.grad_gain += 2 * scale * (grad_output * input).sum(axis=0)  # wrong


class GainedLSTM(nn.LSTM):
    def __init__(self):
        super().__init__(3, 3)
        self.add_parameter("gain", (1,))


@pytest.mark.parametrize("build, paths", [(Undeclared, ["gain"]), (nn.Tanh, []), (nn.Add, ["bias"])])
def test_a_parameter_is_declared_by_being_added(build, paths):
    module = build(3) if build is nn.Add else build()
    assert [path for path, _, _ in module.named_parameters()] == paths
    assert [path for path, _, _ in module.clone().named_parameters()] == paths
    assert module.get_parameters()[0].size == 3 * len(paths)
    assert [path for path, _, _ in nn.Sequential(module).named_parameters()] == ["0." + p for p in paths]


def test_an_added_parameter_is_checked_and_converted():
    checks = check_module(Undeclared(), np.ones((2, 3)))
    assert [check.what for check in checks if check.error > 0.1] == ["gain"]
    assert Undeclared().double().gain.dtype == np.float64
    assert Undeclared.parameter_names == ("weight", "bias")  # of the class as it was


def test_a_recurrent_module_may_have_a_parameter_of_its_own():
    lstm = GainedLSTM()
    names = [path for path, _, _ in lstm.named_parameters()]
    assert names[0] == "gain" and "input_gate.input2gate.weight" in names
    assert lstm.get_parameters()[0].size == sum(weight.size for weight in lstm.parameters()[0])
