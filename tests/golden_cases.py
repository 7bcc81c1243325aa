"""Reads the vectors recorded from the original Torch7 stack; `golden/README.md` tells their layout."""

import json
from pathlib import Path

import h5py
import numpy as np

FOLDER = Path(__file__).parent / "golden"


def load(file, case):
    """Return the group `case` of golden file `file` (such as "a_nn_layers") as nested dicts and lists.

    A Lua table becomes a list (its 1-based keys give the order), a scalar a float. Attributes are under
    the key "attrs", with `args` parsed where it is JSON.
    """
    with h5py.File(FOLDER / f"{file}.h5", "r") as store:
        return _read(store[case])


def names(file):
    """Return the names of all top-level cases in a golden file."""
    with h5py.File(FOLDER / f"{file}.h5", "r") as store:
        return sorted(store)


def assert_close(got, want, rtol=1e-10, what=""):
    """Compare arrays or tables: the largest difference over the largest magnitude, NaN equal to NaN."""
    if isinstance(want, list):
        assert len(got) == len(want), f"{what}: {len(got)} entries, recorded {len(want)}"
        for i, (g, w) in enumerate(zip(got, want)):
            assert_close(g, w, rtol, f"{what}[{i}]")
        return
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: shape {got.shape}, recorded {want.shape}"
    if not want.size:
        return
    assert np.array_equal(np.isnan(got), np.isnan(want)), f"{what}: NaN in different places"
    finite = np.isfinite(want)
    assert np.array_equal(got[~finite & ~np.isnan(want)], want[~finite & ~np.isnan(want)]), what
    if finite.any():
        error = np.max(np.abs(got[finite] - want[finite])) / max(np.max(np.abs(want[finite])), 1e-300)
        assert error <= rtol, f"{what}: relative error {error:.2e}, allowed {rtol:.0e}"


def check_layer(file, case, build, rtol=1e-10):
    """Run one recorded layer case: forward, backward, parameter gradients, all in float64.

    build: called with the recorded constructor arguments (null becomes None), or, when the case records
    no plain list of them, without arguments. Returns the module for further checks.
    """
    recorded = load(file, case)
    args = recorded["attrs"].get("args")
    module = (build(*args) if isinstance(args, list) else build()).double()
    set_parameters(module, recorded.get("params", {}))
    if recorded["attrs"].get("mode") == "evaluate":
        module.evaluate()
    assert_close(module.forward(recorded["input"]), recorded["output"], rtol, "output")
    if "gradOutput" in recorded:
        module.zero_grad_parameters()
        grad_input = module.backward(recorded["input"], recorded["gradOutput"])
        assert_close(grad_input, recorded["gradInput"], rtol, "gradInput")
        assert_grad_parameters(module, recorded.get("gradParams", {}), rtol, "gradParams")
    return module


def set_parameters(module, recorded):
    """Copy recorded parameters into `module`; paths are nested keys, "weight" and "bias" the leaves."""
    for name, value in recorded.items():
        if name == "attrs":
            continue
        if isinstance(value, dict):
            set_parameters(_child(module, name), value)
        else:
            assert getattr(module, name).shape == value.shape, f"{name}: {value.shape}"
            getattr(module, name)[...] = value


def assert_grad_parameters(module, recorded, rtol=1e-10, what=""):
    """Compare a module's parameter gradients with recorded ones (`gradWeight`, `gradBias`, nested)."""
    for name, value in recorded.items():
        if name == "attrs":
            continue
        if isinstance(value, dict):
            assert_grad_parameters(_child(module, name), value, rtol, f"{what}.{name}")
        else:
            mine = {"gradWeight": "grad_weight", "gradBias": "grad_bias"}[name]
            assert_close(getattr(module, mine), value, rtol, f"{what}.{name}")


def snake(name):
    """Return Torch7's camelCase `name` in snake_case."""
    return "".join("_" + c.lower() if c.isupper() else c for c in name)


def _child(module, name):
    """Return the submodule of a recorded path component: a 1-based position or a gate's name."""
    return module.modules[int(name) - 1] if name.isdigit() else getattr(module, snake(name))


def _read(node):
    if isinstance(node, h5py.Dataset):
        return node[()]
    values = {name: _read(child) for name, child in node.items()}
    if node.attrs.get("is_table"):
        return [values[str(i)] for i in range(1, len(values) + 1)]
    values["attrs"] = {key: _attribute(value) for key, value in node.attrs.items()}
    return values


def _attribute(value):
    if isinstance(value, str) and value[:1] in "[{":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
