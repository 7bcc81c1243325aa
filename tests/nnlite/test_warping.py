"""Grid generator and sampler: recorded vectors, gradients, borders and bad input."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

import nnlite as nn
from nnlite.gradcheck import check_module, worst
from nnlite.gradcheck_cases.warping import positions
from nnlite.ops import sampling
from nnlite.ops.cupy_ops import CupyOps
from nnlite.ops.sampling import base_grid
from tests import golden_cases as golden

SAMPLER = [
    "Sampler_borders",
    "Sampler_exact_integers_5",
    "Sampler_outside",
    "Sampler_random_3d",
    "Sampler_random_4d_batch",
    *(f"Sampler_identity_{size}" for size in (5, 8, 9, 16, 32)),
]
SAMPLER_FLOAT = [f"Sampler_identity_{size}_float" for size in (5, 8, 9, 16, 32)]
BASE_GRID = [f"baseGrid_{size}x{size}" for size in (8, 16, 32)]
GRID = "AffineGridGeneratorOpticalFlow2D_9x11"
GOLDEN = [*SAMPLER, *SAMPLER_FLOAT, *BASE_GRID, GRID]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def pretend_cupy(monkeypatch):
    """Let the sampler run CuPy's operations on NumPy arrays."""
    monkeypatch.setattr(sampling, "get_ops", lambda x: CupyOps(np))


# ---- grid generator -----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [GRID])
def test_grid_matches_torch7(case):
    module = golden.check_layer("d_parts", case, nn.AffineGridGeneratorOpticalFlow2D, 1e-12)
    golden.assert_close(module.base_grid, golden.load("d_parts", case)["baseGrid"], 0)


@pytest.mark.parametrize("case", BASE_GRID)
def test_base_grid_matches_torch7_to_the_bit(case):
    from_file = golden.load("d_parts", case)
    golden.assert_close(base_grid(*from_file.shape[1:]), from_file, 0)


@pytest.mark.parametrize("case", SAMPLER_FLOAT)
def test_base_grid_in_float32_matches_torch7_to_the_bit(case):
    recorded = golden.load("d_parts", case)["baseGrid_float"]
    module = nn.AffineGridGeneratorOpticalFlow2D(*recorded.shape[1:])
    golden.assert_close(module.forward(np.zeros_like(recorded)), recorded, 0)


def test_base_grid_is_exact_again_after_a_round_trip_through_float32():
    module = nn.AffineGridGeneratorOpticalFlow2D(16, 16)
    module.forward(np.zeros((2, 16, 16), np.float32))
    zero = np.zeros((2, 16, 16))
    np.testing.assert_array_equal(module.double().forward(zero), base_grid(16, 16))


def test_base_grid_of_a_single_row():
    np.testing.assert_array_equal(base_grid(1, 3), [[[-1, -1, -1]], [[-1, 0, 1]]])


@pytest.mark.parametrize("shape", [(2, 4, 5), (3, 2, 4, 5)])
def test_grid_gradients(shape):
    checks = check_module(nn.AffineGridGeneratorOpticalFlow2D(4, 5), noise(*shape))
    assert worst(checks).error < 1e-6, worst(checks)


def test_grid_batch_and_types():
    flow = noise(3, 2, 4, 5).astype(np.float32)
    module = nn.AffineGridGeneratorOpticalFlow2D(4, 5)
    output = module.forward(flow)
    assert output.dtype == np.float32
    for i in range(3):
        np.testing.assert_array_equal(module.forward(flow[i]), output[i])
    with pytest.raises(ValueError, match="must have size 5 in dimension -1"):
        module.forward(flow[..., :4])


# ---- sampler ------------------------------------------------------------------------------------------


def sampled(case):
    """Run a recorded sampler case in its own precision; return it, the output and grad_input."""
    recorded = golden.load("d_parts", case)
    sampler = nn.BilinearSamplerBHWD().type(recorded["input"][0].dtype)
    output = sampler.forward(recorded["input"])
    return recorded, output, sampler.backward(recorded["input"], recorded["gradOutput"])


@pytest.mark.parametrize("case", SAMPLER)
def test_sampler_matches_torch7(case):
    recorded, output, grad_input = sampled(case)
    golden.assert_close(output, recorded["output"], 1e-12, "output")
    golden.assert_close(grad_input, recorded["gradInput"], 1e-12, "gradInput")
    if "floor_index_0based" in recorded:
        size = len(output)
        floors = np.floor((recorded["input"][1] + 1) * (size - 1) / 2)
        np.testing.assert_array_equal(floors, recorded["floor_index_0based"])


@pytest.mark.parametrize("case", SAMPLER_FLOAT)
def test_sampler_matches_torch7_in_float32(case):
    recorded, output, grad_input = sampled(case)
    assert output.dtype == grad_input[0].dtype == grad_input[1].dtype == np.float32
    golden.assert_close(output, recorded["output"], 1e-6, "output")
    golden.assert_close(grad_input, recorded["gradInput"], 1e-6, "gradInput")


@pytest.mark.parametrize("batch", [(), (2,)], ids=["single", "batch"])
@pytest.mark.parametrize("outside", [0, 2])
def test_sampler_gradients(batch, outside):
    table = [noise(*batch, 5, 6, 3), positions(5, 6, *batch, 4, 5, outside=outside)]
    checks = check_module(nn.BilinearSamplerBHWD(), table)
    assert worst(checks).error < 1e-6, worst(checks)


def test_sampler_against_scipy():
    images = noise(2, 7, 9, 3)
    grids = np.random.default_rng(1).uniform(-1, 1, (2, 5, 4, 2))
    output = nn.BilinearSamplerBHWD().double().forward([images, grids])
    for b, d in np.ndindex(2, 3):
        coordinates = (grids[b, ..., 0] + 1) * 6 / 2, (grids[b, ..., 1] + 1) * 8 / 2
        want = map_coordinates(images[b, ..., d], coordinates, order=1)
        np.testing.assert_allclose(output[b, ..., d], want, rtol=1e-12, atol=1e-14)


def test_pixels_outside_count_as_zero():
    images = np.ones((1, 3, 5, 1))
    x = np.array([-4.0, -1.5, -1.25, -1.0, 1.0, 1.125, 1.5, 1e30, -np.inf])
    grids = np.stack(np.broadcast_arrays(np.zeros(9), x), -1)[None, None]
    output = nn.BilinearSamplerBHWD().double().forward([images, grids])
    np.testing.assert_array_equal(output[0, 0, :, 0], [0, 0, 0.5, 1, 1, 0.75, 0, 0, 0])


@pytest.mark.filterwarnings("ignore:invalid value")  # CuPy gives none where 0 meets infinity
@pytest.mark.parametrize("operations", ["numpy", "cupy"])
def test_a_pixel_that_is_not_read_does_not_matter(operations, monkeypatch):
    if operations == "cupy":
        pretend_cupy(monkeypatch)
    images = np.full((1, 3, 3, 1), 2.0, np.float32)
    images[0, :, 2] = np.inf
    table = [images, np.array([[[[0.0, -1.5], [0.0, 5.0], [5.0, 0.0]]]], np.float32)]
    sampler, grad = nn.BilinearSamplerBHWD(), np.float32([1, np.inf, np.inf]).reshape(1, 1, 3, 1)
    np.testing.assert_array_equal(sampler.forward(table).ravel(), [1, 0, 0])
    grad_images, grad_grids = sampler.backward(table, np.ones_like(grad))
    np.testing.assert_array_equal(grad_grids[0, 0], [[0, 2], [0, 0], [0, 0]])
    grad_images = sampler.backward(table, grad)[0]
    np.testing.assert_array_equal(grad_images[0, ..., 0], [[0, 0, 0], [0.5, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize("far", [1e3, 1e9, 1e20, np.inf])
@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_however_far_outside_it_is_zero(far, number):
    """Also where float32 has no room for the neighbouring pixel, and 64 bits none for its index."""
    images = 1 + np.arange(16, dtype=number).reshape(1, 4, 4, 1)
    grids = np.array([[0, far], [far, 0], [0, -far], [-far, far], [0, 0]], number).reshape(1, 1, 5, 2)
    sampler = nn.BilinearSamplerBHWD().type(np.dtype(number).name)
    y = sampler.forward([images, grids])
    np.testing.assert_array_equal(y.ravel(), [0, 0, 0, 0, 8.5])
    grad_images, grad_grids = sampler.backward([images, grids], np.ones_like(y))
    assert grad_images.sum() == 1 and not grad_grids[0, 0, :4].any() and np.isfinite(grad_grids).all()


def test_nan_position_gives_nan_there_only():
    images, grids = np.ones((1, 3, 3, 2), np.float32), np.zeros((1, 1, 2, 2), np.float32)
    grids[0, 0, 1, 0] = np.nan
    output = nn.BilinearSamplerBHWD().forward([images, grids])
    np.testing.assert_array_equal(np.isnan(output[0, 0]), [[False, False], [True, True]])


def test_zero_flow_through_generator_and_sampler_is_the_identity():
    flow, images = np.zeros((2, 2, 32, 32), np.float32), noise(2, 32, 32, 4).astype(np.float32)
    grids = nn.AffineGridGeneratorOpticalFlow2D(32, 32).forward(flow).transpose(0, 2, 3, 1)
    output = nn.BilinearSamplerBHWD().forward([images, grids])
    np.testing.assert_allclose(output, images, atol=1e-5)


def test_flow_moves_where_the_sampler_reads():
    """Flow (0, 2 / (W - 1)) reads one pixel further right, so the content moves one pixel left."""
    image, flow = noise(4, 5, 1), np.zeros((2, 4, 5))
    flow[1] = 2 / 4
    grid = nn.AffineGridGeneratorOpticalFlow2D(4, 5).double().forward(flow).transpose(1, 2, 0)
    output = nn.BilinearSamplerBHWD().double().forward([image, grid])
    np.testing.assert_allclose(output[:, :-1], image[:, 1:], atol=1e-14)
    np.testing.assert_allclose(output[:, -1], 0, atol=1e-14)


def test_sampler_takes_views():
    images, grids = noise(2, 3, 5, 6), positions(5, 6, 2, 4, 3)
    views = [images.transpose(0, 2, 3, 1), np.asfortranarray(grids)]
    copies = [np.ascontiguousarray(x) for x in views]
    sampler, grad_output = nn.BilinearSamplerBHWD().double(), noise(2, 3, 3, 4).transpose(0, 3, 2, 1)
    of_views = sampler.forward(views), *sampler.backward(views, grad_output)
    of_copies = sampler.forward(copies), *sampler.backward(copies, np.ascontiguousarray(grad_output))
    for a, b in zip(of_views, of_copies):
        np.testing.assert_array_equal(a, b)


def test_array_expressions_for_the_gpu_agree_with_the_sparse_products(monkeypatch):
    """CuPy's operations, which are run on NumPy arrays here."""
    images, grids, grad = noise(2, 5, 6, 3), positions(5, 6, 2, 4, 5, outside=2), noise(2, 4, 5, 3)

    def results():
        return (
            sampling.sample(images, grids),
            sampling.grad_images(images.shape, grids, grad),
            sampling.grad_grids(images, grids, grad),
        )

    sparse = results()
    pretend_cupy(monkeypatch)
    for a, b in zip(results(), sparse):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "images, grids, error, message",
    [
        ((3, 4, 1), (2, 2, 3), ValueError, r"nn\.BilinearSamplerBHWD: grids must have size 2"),
        ((3, 4, 1), (1, 2, 2, 2), ValueError, "grids must have 3 dimensions"),
        ((2, 3, 4, 1), (3, 2, 2, 2), ValueError, "2 images, but 3 grids"),
        ((3, 4), (2, 2), ValueError, "images must have 3 or 4 dimensions"),
    ],
)
def test_bad_sampler_input(images, grids, error, message):
    with pytest.raises(error, match=message):
        nn.BilinearSamplerBHWD().forward([np.zeros(images, np.float32), np.zeros(grids, np.float32)])


def test_bad_sampler_tables_and_gradients():
    sampler = nn.BilinearSamplerBHWD()
    with pytest.raises(TypeError, match="input must be a list or tuple"):
        sampler.forward(np.zeros((3, 4, 1), np.float32))
    table = [np.zeros((3, 4, 1), np.float32), np.zeros((2, 2, 2), np.float32)]
    sampler.forward(table)
    with pytest.raises(ValueError, match=r"grad_output must have shape \(2, 2, 1\)"):
        sampler.backward(table, np.zeros((2, 2, 3), np.float32))
    with pytest.raises(TypeError, match="grids must be float32, got float64"):
        sampler.forward([table[0], table[1].astype(np.float64)])


def test_import_does_not_bring_scipy_sparse():
    code = "import sys, nnlite; sys.exit('scipy.sparse' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
