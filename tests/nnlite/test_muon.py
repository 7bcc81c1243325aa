"""Muon: singular values, the formula of a step, PyTorch's steps, which parameters take Adam's, bad input."""

from pathlib import Path

import h5py
import numpy as np
import pytest

import nnlite as nn
from nnlite import backend, models, optim, parameters
from nnlite.ops.cupy_ops import CupyOps
from nnlite.optim.orthogonal import orthogonalise, orthogonalise_all


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def gradients(*grads):
    """Return a feval that goes through flat gradients."""
    remaining = iter(grads)
    return lambda x: (0.0, next(remaining))


@pytest.mark.parametrize("shape", [(5, 5), (3, 40), (40, 3)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_orthogonalise_keeps_directions_and_evens_out_sizes(shape, dtype, size, rng):
    u, s, vt = np.linalg.svd(rng.standard_normal(shape), full_matrices=False)
    s = np.geomspace(1, 0.01, s.size)
    before = (size * (u * s) @ vt).astype(dtype)
    after = orthogonalise(before)
    assert after.dtype == dtype and after.shape == shape
    inside = u.T @ after @ vt.T
    assert 0.65 < np.diag(inside).min() and np.diag(inside).max() < 1.25
    tolerance = 1e-4 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(inside, np.diag(np.diag(inside)), atol=tolerance)
    np.testing.assert_allclose(after, u @ inside @ vt, atol=tolerance)


def test_orthogonalise_is_five_rounds_of_the_polynomial():
    s = np.array([1.0, 0.5, 0.02])
    x = s / np.linalg.norm(s)
    for _ in range(5):
        x = 3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5
    np.testing.assert_allclose(orthogonalise(np.diag(s)), np.diag(x), atol=1e-12)


def test_orthogonalise_leaves_zeros():
    assert not orthogonalise(np.zeros((3, 4), np.float32)).any()


@pytest.mark.usefixtures("library")
def test_many_at_once_on_a_gpu(rng):
    """Wide, tall and square ones, zeros, and one too large to share its products with the others."""
    small = CupyOps.stacked_rows
    shapes = [(5, 8), (small + 1, 2 * small), (9, 3), (3, 300), (4, 4), (small, 2 * small)]
    matrices = [*(rng.standard_normal(shape) for shape in shapes), np.zeros((2, 3))]
    for given in (matrices, matrices[:1], []):
        directions = orthogonalise_all([backend.asarray(x, device="cuda") for x in given])
        for there, here in zip(directions, map(orthogonalise, given), strict=True):
            assert backend.device_of(there) == "cuda"
            np.testing.assert_allclose(there.get(), here, rtol=0, atol=1e-12)


def test_two_steps(rng):
    """Nesterov momentum from zero, one length for all numbers, four axes read as a matrix."""
    shape, first, second = (4, 2, 3, 3), *rng.standard_normal((2, 72))
    x, config, state = (
        np.ones(72),
        {"shapes": [shape], "learning_rate": 0.1, "momentum": 0.5, "scale": 2.0},
        {},
    )
    feval = gradients(first, second)
    assert optim.muon(feval, x, config, state) == (x, [0.0])
    length = 0.1 * 2.0 * np.sqrt(18)
    expected = 1 - length * orthogonalise(0.75 * first.reshape(4, 18)).reshape(-1)
    np.testing.assert_allclose(x, expected, rtol=1e-12)
    optim.muon(feval, x, config, state)
    m = 0.25 * first + 0.5 * second
    expected -= length * orthogonalise((0.5 * m + 0.5 * second).reshape(4, 18)).reshape(-1)
    np.testing.assert_allclose(x, expected, rtol=1e-12)
    np.testing.assert_allclose(state["m"], m)
    assert state["t"] == 2 and "shapes" in config


def test_matches_pytorch():
    with h5py.File(Path(__file__).parents[1] / "pytorch" / "muon.h5") as recorded:
        shapes, points, grads = (recorded[name][()] for name in ("shapes", "x", "grad"))
    x, config = points[0].copy(), {"shapes": shapes, "learning_rate": 1e-2}
    feval = gradients(*grads)
    for after in points[1:]:
        optim.muon(feval, x, config)
        np.testing.assert_allclose(x, after, rtol=0, atol=1e-12)
    assert np.abs(points[-1] - points[0]).max() > 1e-2


@pytest.mark.parametrize("shapes", [[(6,)], [(1, 6)], [(6, 1, 1)], [(2,), (), (3, 1)]])
def test_what_is_no_matrix_takes_the_step_of_adam(shapes, rng):
    grads = rng.standard_normal((3, 6))
    ours, adams, state = np.ones(6), np.ones(6), {}
    for method, x, config in ((optim.muon, ours, {"shapes": shapes}), (optim.adam, adams, {})):
        feval, state = gradients(*grads), {}
        for _ in range(3):
            method(feval, x, config | {"learning_rate": 0.1, "beta2": 0.9}, state)
    np.testing.assert_array_equal(ours, adams)


def test_parameters_are_told_apart(rng):
    """Each gets what it would get alone."""
    shapes, grad = [(3, 4), (5,), (2, 2)], rng.standard_normal(21)
    together, alone = np.zeros(21), [np.zeros(12), np.zeros(5), np.zeros(4)]
    optim.muon(gradients(grad), together, {"shapes": shapes})
    for x, g, shape in zip(alone, np.split(grad, [12, 17]), shapes):
        optim.muon(gradients(g), x, {"shapes": [shape]})
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_step_is_about_as_large_as_that_of_adam(rng):
    x = np.zeros(64 * 640)
    optim.muon(gradients(rng.standard_normal(x.size)), x, {"shapes": [(64, 640)], "learning_rate": 1.0})
    assert np.sqrt(np.mean(x * x)) == pytest.approx(0.2, rel=0.3)


@pytest.mark.parametrize("name", models.names())
def test_shapes_of_models(name):
    model = models.build(name)
    flat, _ = model.get_parameters()
    start = 0
    for shape in parameters.shapes(model):
        size = int(np.prod(shape))
        assert any(
            w.shape == shape and np.shares_memory(w, flat[start : start + size])
            for w in model.parameters()[0]
        )
        start += size
    assert start == flat.size


def test_a_shared_parameter_has_one_shape():
    one = nn.Linear(3, 2)
    other = one.clone().share(one, "weight", "grad_weight")
    assert parameters.shapes(nn.Sequential(one, other)) == [(2, 3), (2,), (2,)]


def test_float32_follows_float64(rng):
    grads, ends = rng.standard_normal((4, 60)), []
    for dtype in (np.float32, np.float64):
        x, config = np.ones(60, dtype), {"shapes": [(5, 10), (10,)], "learning_rate": np.float64(0.01)}
        feval = gradients(*grads.astype(dtype))
        for _ in grads:
            optim.muon(feval, x, config)
        assert config["m"].dtype == x.dtype == dtype
        ends.append(x)
    np.testing.assert_allclose(*ends, atol=1e-5)


@pytest.mark.parametrize("shapes", [None, [], [(2, 2)], [(3,), (1,)], [3], 3, [("a",)], [(3.0,)]])
def test_shapes_that_do_not_make_up_x_are_refused(shapes):
    x = np.zeros(3)
    with pytest.raises(ValueError, match=r"optim\.muon: shapes must be those .* make up x, 3 numbers .*got"):
        optim.muon(lambda x: (0.0, np.ones(3)), x, {"shapes": shapes})
    assert not x.any()
