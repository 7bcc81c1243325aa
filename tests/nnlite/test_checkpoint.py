"""Checkpoints: exact round trips, atomic writing, the layout of a file."""

import errno
import json
import os
import resource
import subprocess
import sys

import h5py
import numpy as np
import pytest

import nnlite as nn
from nnlite import checkpoint, optim
from tests.toy_checkpoint import Running, assert_same, model, parameters


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_round_trip_to_the_bit(tmp_path, dtype):
    net, other = model(1).type(dtype), model(2).type(dtype)
    checkpoint.save(tmp_path / "a.h5", net)
    checkpoint.load_parameters(other, checkpoint.load(tmp_path / "a.h5"))
    assert_same(parameters(other), parameters(net))
    assert os.listdir(tmp_path) == ["a.h5"]


def test_parameters_are_written_into_the_flat_array(tmp_path):
    net, other = model(1), model(2)
    flat, _ = other.get_parameters()
    checkpoint.save(tmp_path / "a.h5", net)
    checkpoint.load_parameters(other, checkpoint.load(tmp_path / "a.h5"))
    np.testing.assert_array_equal(flat, net.get_parameters()[0])


def test_state_round_trips_with_its_types(tmp_path):
    numpy_rng = np.random.default_rng(3)
    numpy_rng.integers(5, dtype=np.int32)
    torch_rng = nn.random.Generator(7)
    torch_rng.normal(size=(3,))
    given = {
        "architecture": {"name": "AE", "options": {"kernel": (7, 5), "sizes": [1, [2.0, "x"]], "flow": True}},
        "optimiser": {"m": np.array([1e-45, -0.0, 3.4e38], np.float32), "t": 3, "learning_rate": 0.1},
        "random": {
            "numpy": numpy_rng.bit_generator.state,
            "legacy": np.random.MT19937(5).state,
            "modules": torch_rng.get_state(),
        },
        "position": {"epoch": 2, "step": 10**30, "best": None, "order": np.arange(5), "empty": {}},
        "metadata": {"text": "rö\n\0/", "numbers": [np.inf, -0.0, 1 / 3], "mask": np.array([True, False])},
    }
    checkpoint.save(tmp_path / "a.h5", model(), **given)
    saved = checkpoint.load(tmp_path / "a.h5")
    for section, want in given.items():
        assert_same(getattr(saved, section), want)

    np.testing.assert_array_equal(saved.position["order"], np.arange(5))
    again = np.random.default_rng(99)
    again.bit_generator.state = saved.random["numpy"]
    assert again.integers(1 << 60) == numpy_rng.integers(1 << 60)
    restored = nn.random.Generator()
    restored.set_state(saved.random["modules"])
    np.testing.assert_array_equal(restored.normal(size=(5,)), torch_rng.normal(size=(5,)))


def test_numpy_scalars_become_python_numbers(tmp_path):
    given = {"loss": np.float32(0.1), "step": np.int64(3), "done": np.bool_(False)}
    checkpoint.save(tmp_path / "a.h5", model(), metadata=given)
    want = {"loss": float(np.float32(0.1)), "step": 3, "done": False}
    assert_same(checkpoint.load(tmp_path / "a.h5").metadata, want)


def test_training_goes_on_to_the_bit(tmp_path):
    """Six steps in one go equal three, a file, and three more in a fresh model."""

    def steps(net, state, count):
        flat, flat_grad = net.get_parameters()

        def feval(_):
            x = nn.random.default_generator.normal(size=(2, 4)).astype(np.float32)
            net.zero_grad_parameters()
            y = net.forward(x)
            net.backward(x, y)
            return float((y * y).sum()), flat_grad

        for _ in range(count):
            optim.adam(feval, flat, {"learning_rate": 0.1}, state)
        return flat

    def linear(seed):
        nn.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))

    want = steps(linear(1), {}, 6)
    net, state = linear(1), {}
    steps(net, state, 3)
    generators = {"modules": nn.random.default_generator.get_state()}
    checkpoint.save(tmp_path / "a.h5", net, optimiser=state, random=generators)

    net, saved = linear(2), checkpoint.load(tmp_path / "a.h5")
    checkpoint.load_parameters(net, saved)
    nn.random.default_generator.set_state(saved.random["modules"])
    assert_same(steps(net, saved.optimiser, 3), want)


def test_parameters_only_file_is_small_float32(tmp_path):
    net, other = model(1).double(), model(2).double()
    net.modules[0].weight *= 1 + 1e-12
    large = nn.Linear(200, 200)
    large.weight[...] = 0.5
    checkpoint.save_parameters(tmp_path / "a.h5", net, architecture={"name": "tiny"}, metadata={"epoch": 3})
    checkpoint.save_parameters(tmp_path / "large.h5", large)
    saved = checkpoint.load(tmp_path / "a.h5")
    assert saved.architecture == {"name": "tiny"} and saved.metadata == {"epoch": 3} and saved.optimiser == {}
    assert {array.dtype for array in saved.parameters.values()} == {np.dtype(np.float32)}
    checkpoint.load_parameters(other, saved)
    assert other.modules[0].weight.dtype == np.float64
    np.testing.assert_allclose(other.modules[0].weight, net.modules[0].weight, rtol=1e-7)
    assert (tmp_path / "large.h5").stat().st_size < 20_000


def test_model_that_does_not_fit(tmp_path):
    checkpoint.save(tmp_path / "a.h5", model(), architecture={"name": "AE-Conv"})
    saved = checkpoint.load(tmp_path / "a.h5")
    other = nn.Sequential(nn.Linear(4, 5), nn.Sequential(Running()), nn.Sequential(nn.Linear(3, 2)))
    before = parameters(other)
    with pytest.raises(ValueError) as caught:
        checkpoint.load_parameters(other, saved)
    message = str(caught.value)
    assert "a.h5 (of AE-Conv) does not fit this nn.Sequential" in message
    assert "missing in the file: 2.0.weight, 2.0.bias" in message
    assert "not in the model: 2.bias, 2.weight" in message
    assert "0.weight (3, 4) (model: (5, 4))" in message
    assert_same(parameters(other), before)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failure_keeps_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "a.h5"
    checkpoint.save(path, model(1))
    old = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(OSError, match=r"a\.h5 could not be written \(No space.*untouched.*room for"):
        checkpoint.save(path, model(2))
    assert path.read_bytes() == old and os.listdir(tmp_path) == ["a.h5"]


def test_write_that_stops_half_way_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.h5"
    checkpoint.save(path, model(1))
    old = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"a\.h5 could not be written"):
            checkpoint.save(path, model(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == old and os.listdir(tmp_path) == ["a.h5"]


def test_leftover_of_a_killed_run_is_replaced(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as killed:
        killed.wait()
    (tmp_path / f".a.h5.{killed.pid}.part").write_bytes(b"half a file")
    checkpoint.save(tmp_path / "a.h5", model())
    assert os.listdir(tmp_path) == ["a.h5"]
    checkpoint.load(tmp_path / "a.h5")


def test_folder_that_does_not_exist(tmp_path):
    with pytest.raises(OSError, match=r"a\.h5 could not be written.*its folder must exist"):
        checkpoint.save(tmp_path / "nowhere" / "a.h5", model())


@pytest.mark.parametrize(
    "value, message",
    [
        ({"f": print}, "/metadata/f is a builtin_function_or_method"),
        ({"a": [1, {2, 3}]}, "/metadata/a/1 is a set"),
        ({"x": np.array(["text"])}, "/metadata/x is a ndarray"),
        ({1: 2}, "/metadata has the key 1"),
        ({"a/b": 2}, "has the key 'a/b'"),
    ],
)
def test_values_that_cannot_be_stored(tmp_path, value, message):
    with pytest.raises(TypeError, match=message):
        checkpoint.save(tmp_path / "a.h5", model(), metadata=value)
    assert os.listdir(tmp_path) == []


def test_layout_is_what_the_module_says(tmp_path):
    checkpoint.save(tmp_path / "a.h5", model(), optimiser={"m": np.ones(2)}, position={"epoch": 1})
    with h5py.File(tmp_path / "a.h5", "r") as file:
        assert sorted(file["parameters"]) == ["0.bias", "0.weight", "1.0.weight", "2.bias", "2.weight"]
        assert sorted(file["buffers"]) == ["1.0.running_mean"]
        np.testing.assert_array_equal(file["optimiser/m"], [1, 1])
        state = json.loads(file["state"].asstr()[()])
    assert state["optimiser"] == {"m": {"$array": "/optimiser/m"}} and state["position"] == {"epoch": 1}


def test_importing_nnlite_imports_no_h5py():
    code = "import sys, nnlite; sys.exit('h5py' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
