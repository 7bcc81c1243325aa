"""Optimisers: recorded trajectories, the calling convention, clipping, bad input. `muon`: test_muon.py."""

import numpy as np
import pytest

from nnlite import optim
from nnlite.ops import threads
from tests import golden_cases as golden

GOLDEN = [
    "x0",
    "adadelta_default",
    "adagrad_default",
    "adagrad_lr1e-1",
    "adagrad_lr1e-1_wd0.1_lrd0.1",
    "adam_default",
    "adam_lr1e-2",
    "adam_lr1e-2_b0.8_0.9_eps1e-2",
    "adam_lr1e-2_wd0.1_lrd0.1",
    "adamax_default",
    "nag_lr1e-4_mom0.9",
    "rmsprop_default",
    "rmsprop_lr1e-2_alpha0.95_eps1e-2",
    "rmsprop_lr1e-2_initialMean1",
    "rmsprop_lr1e-2_wd0.1",
    "rmsprop_lr1e-4",
    "rmsprop_separate_state",
    "sgd_lr1e-4",
    "sgd_lr1e-4_learningRates",
    "sgd_lr1e-4_mom0.9",
    "sgd_lr1e-4_mom0.9_damp0",
    "sgd_lr1e-4_mom0.9_damp0.5",
    "sgd_lr1e-4_mom0.9_nesterov",
    "sgd_lr1e-4_mom0.9_wd0.1_lrd0.05",
    "sgd_lr1e-4_wd0.1",
    "sgd_lr1e-4_weightDecays",
]
TRAJECTORIES = GOLDEN[1:]

#: Torch7's scratch tensors and spellings of ours; what is left of a recorded state is compared.
SCRATCH = {"tmp", "denom", "max", "delta", "paramStd", "deltaParameters", "decayParameters"}
METHODS = [optim.rmsprop, optim.adam, optim.adamax, optim.adagrad, optim.adadelta, optim.sgd, optim.nag]


def rosenbrock(x):
    """Σ 100 (x[i+1] - x[i]²)² + (1 - x[i])² and its gradient."""
    a, b = x[:-1], x[1:]
    grad = np.zeros_like(x)
    grad[:-1] = -400 * a * (b - a * a) - 2 * (1 - a)
    grad[1:] += 200 * (b - a * a)
    return float(np.sum(100 * (b - a * a) ** 2 + (1 - a) ** 2)), grad


def recorded_options(case):
    """Return the recorded config of a case in snake_case."""
    options = {}
    for key, value in [*case["attrs"].items(), *case.items()]:
        if key.startswith("config_") and not isinstance(value, str):
            options[golden.snake(key.removeprefix("config_"))] = value
    return options


@pytest.mark.parametrize("name", TRAJECTORIES)
def test_matches_torch7(name):
    case = golden.load("e_optim", name)
    method = getattr(optim, case["attrs"]["method"].removeprefix("optim."))
    config = recorded_options(case)
    state = {} if name == "rmsprop_separate_state" else None
    x = case["x"][0].copy()
    grads = []

    def feval(x):
        f, grad = rosenbrock(x)
        grads.append(grad.copy())
        return f, grad

    for i, f in enumerate(case["f"]):
        returned, fs = method(feval, x, config, state)
        assert returned is x
        golden.assert_close(fs, [f], what=f"f of step {i}")
        golden.assert_close(grads[i], case["grad"][i], what=f"gradient of step {i}")
        golden.assert_close(x, case["x"][i + 1], what=f"x after step {i}")

    kept = config if state is None else state
    recorded = {golden.snake(k): v for k, v in case["final_state"].items() if k not in SCRATCH | {"attrs"}}
    assert set(kept) - {"nesterov"} == set(recorded)
    for key, value in recorded.items():
        golden.assert_close(kept[key], value.ravel() if np.ndim(value) else value, what=key)


@pytest.mark.parametrize("case", ["x0"])
def test_trajectories_start_at_the_recorded_point(case):
    x0 = golden.load("e_optim", case)
    assert all(np.array_equal(golden.load("e_optim", name)["x"][0], x0) for name in TRAJECTORIES)


def test_every_optimiser_is_compared():
    methods = {golden.load("e_optim", name)["attrs"]["method"] for name in TRAJECTORIES}
    assert methods == {f"optim.{method.__name__}" for method in METHODS}


@pytest.mark.parametrize("method", METHODS)
def test_blockwise_update_equals_whole_update(method, monkeypatch):
    """Block borders show nowhere, and float32 stays float32 even with NumPy numbers in config."""
    results = []
    for block in (7, 1000):
        monkeypatch.setattr(threads, "ELEMENTS", block)
        x = np.linspace(-1, 1, 100, dtype=np.float32)
        config = {"weight_decay": np.float64(0.1)} if method is not optim.adamax else {}
        if method in (optim.sgd, optim.nag):
            config |= {"momentum": np.float64(0.5), "learning_rates": np.linspace(0, 1, 100)}
        grad = np.zeros_like(x)
        for _ in range(3):
            np.sin(3 * x, out=grad)
            method(lambda x: (1.0, grad), x, config)  # noqa: B023
        assert all(v.dtype == np.float32 for k, v in config.items() if np.ndim(v) and k != "learning_rates")
        results.append(x.copy())
    assert results[0].dtype == np.float32
    np.testing.assert_array_equal(results[0], results[1])


@pytest.mark.parametrize("method", METHODS)
def test_float32_follows_float64(method):
    trajectories = []
    for dtype in (np.float32, np.float64):
        x, config = np.linspace(-1, 1, 10).astype(dtype), {}
        for _ in range(5):
            method(lambda x: (0.0, np.cos(x)), x, config)
        trajectories.append(x)
    np.testing.assert_allclose(trajectories[0], trajectories[1], rtol=1e-5, atol=1e-6)


def test_zero_is_a_value_and_none_is_missing():
    def moved(method, config):
        x = np.array([1.0, -2.0])
        for _ in range(2):
            method(lambda x: (0.0, 2 * x), x, config)
        return x

    np.testing.assert_array_equal(moved(optim.rmsprop, {"learning_rate": 0.0}), [1.0, -2.0])
    np.testing.assert_array_equal(moved(optim.adam, {"beta1": None}), moved(optim.adam, {}))
    assert not np.array_equal(moved(optim.adam, {"beta1": 0.0}), moved(optim.adam, {}))
    assert not np.array_equal(moved(optim.rmsprop, {"alpha": 0.0}), moved(optim.rmsprop, {}))
    undamped = moved(optim.sgd, {"momentum": 0.9, "dampening": 0.0})
    assert not np.array_equal(undamped, moved(optim.sgd, {"momentum": 0.9}))


def test_learning_rate_may_change_between_steps():
    x, config, state = np.array([1.0]), {"learning_rate": 1.0}, {}
    optim.sgd(lambda x: (0.0, np.array([0.25])), x, config, state)
    config["learning_rate"] = 0.5
    optim.sgd(lambda x: (0.0, np.array([0.25])), x, config, state)
    assert x[0] == 1.0 - 0.25 - 0.125 and state == {"eval_counter": 2}


def test_state_of_another_dtype_is_taken_over():
    """A state that went through a file goes on where it was."""
    kept = {"m": np.full(3, 4.0)}
    x = np.zeros(3, np.float32)
    optim.rmsprop(lambda x: (0.0, np.zeros(3, np.float32)), x, {}, kept)
    assert kept["m"].dtype == np.float32
    np.testing.assert_allclose(kept["m"], 0.99 * 4.0, rtol=1e-6)


def test_bad_use_is_refused():
    x, grad = np.zeros(3), np.ones(3)

    def feval(x):
        return 0.0, grad

    with pytest.raises(
        ValueError, match=r"optim\.rmsprop: unknown key 'learningRate' in config; it knows.*rate"
    ):
        optim.rmsprop(feval, x, {"learningRate": 0.1})
    with pytest.raises(ValueError, match=r"optim\.adam: unknown key 'dfdx' in state.*m, t, v"):
        optim.adam(feval, x, {}, {"dfdx": x})
    with pytest.raises(ValueError, match=r"state 'm' has shape \(4,\), x \(3,\)"):
        optim.rmsprop(feval, x, {}, {"m": np.zeros(4)})
    with pytest.raises(ValueError, match=r"learning_rate must be a number, got '1e-3'"):
        optim.rmsprop(feval, x, {"learning_rate": "1e-3"})
    with pytest.raises(ValueError, match=r"momentum must be a number, got shape \(3,\)"):
        optim.sgd(feval, x, {"momentum": x})
    with pytest.raises(ValueError, match=r"learning_rates must be an array of shape \(3,\), got"):
        optim.sgd(feval, x, {"learning_rates": np.ones(2)})
    with pytest.raises(ValueError, match="nesterov needs momentum > 0 and an explicit dampening = 0"):
        optim.sgd(feval, x, {"momentum": 0.9, "nesterov": True})
    with pytest.raises(ValueError, match="weight_decay or weight_decays, not both"):
        optim.sgd(feval, x, {"weight_decay": 0.1, "weight_decays": np.ones(3)})
    with pytest.raises(ValueError, match="momentum must be positive, got 0"):
        optim.nag(feval, x, {"momentum": 0.0})
    with pytest.raises(ValueError, match=r"gradient float64 of shape \(3,\) like x; got float32"):
        optim.sgd(lambda x: (0.0, grad.astype(np.float32)), x, {})
    with pytest.raises(TypeError, match=r"x must be a flat float32 or float64 array, got float64 of"):
        optim.sgd(feval, x[:, None], {})
    with pytest.raises(TypeError, match="config must be a dict, got list"):
        optim.sgd(feval, x, [])
    np.testing.assert_array_equal(x, np.zeros(3))


def test_clip_by_value():
    grad = np.array([-60.0, -50.0, 3.0, np.nan, np.inf], np.float32)
    optim.clip_by_value(grad, 50)
    np.testing.assert_array_equal(grad, np.array([-50, -50, 3, np.nan, 50], np.float32))
    with pytest.raises(ValueError, match="bound must not be negative, got -1"):
        optim.clip_by_value(grad, -1)


def test_clip_by_norm():
    grad = np.array([3.0, 4.0], np.float32)
    assert optim.clip_by_norm(grad, 10.0) == 5.0
    np.testing.assert_array_equal(grad, [3, 4])
    assert optim.clip_by_norm(grad, 1.0) == 5.0
    np.testing.assert_allclose(grad, [0.6, 0.8], rtol=1e-6)

    huge = np.full(4, 1e30, np.float32)  # its squares overflow float32
    assert optim.clip_by_norm(huge, 1.0) == pytest.approx(2e30)
    np.testing.assert_allclose(huge, 0.5, rtol=1e-6)

    broken = np.array([1.0, np.inf])
    assert optim.clip_by_norm(broken, 1.0) == np.inf
    np.testing.assert_array_equal(broken, [1.0, np.inf])
    with pytest.raises(ValueError, match="max_norm must not be negative, got nan"):
        optim.clip_by_norm(grad, float("nan"))


def test_clip_by_norm_of_many_blocks(monkeypatch):
    grad = np.random.default_rng(0).standard_normal(1000)
    monkeypatch.setattr(threads, "ELEMENTS", 64)
    assert optim.clip_by_norm(grad, 1.0) == pytest.approx(
        np.linalg.norm(np.random.default_rng(0).standard_normal(1000))
    )
    assert np.linalg.norm(grad) == pytest.approx(1.0)


def test_clip_by_value_of_what_is_not_contiguous():
    whole = np.array([[-3.0, 5.0, 0.5], [9.0, np.nan, -9.0]])
    optim.clip_by_value(whole[:, :2], 2)
    np.testing.assert_array_equal(whole, [[-2.0, 2.0, 0.5], [2.0, np.nan, -9.0]])


@pytest.mark.parametrize(
    "method, key, value, wanted",
    [
        ("adam", "beta1", 1.0, "from 0 to below 1"),
        ("adam", "beta2", 1, "from 0 to below 1"),
        ("adam", "epsilon", -1e-8, "finite and at least 0"),
        ("adagrad", "learning_rate_decay", -1, "finite and at least 0"),
        ("adamax", "beta1", -0.1, "from 0 to below 1"),
        ("muon", "beta2", np.nan, "from 0 to below 1"),
        ("rmsprop", "alpha", 1.5, "from 0 to 1"),
        ("adadelta", "rho", -1, "from 0 to 1"),
        ("sgd", "learning_rate", np.inf, "finite"),
        ("adagrad", "weight_decay", np.nan, "finite"),
    ],
)
def test_a_number_out_of_range_is_refused(method, key, value, wanted):
    config = {key: value} | ({"shapes": [(2,)]} if method == "muon" else {})
    with pytest.raises(ValueError, match=rf"optim\.{method}: {key} must be {wanted}, got"):
        getattr(optim, method)(lambda x: (0.0, x), np.zeros(2), config, {})
