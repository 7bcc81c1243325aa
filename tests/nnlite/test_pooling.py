"""Pooling, unpooling and upsampling: recorded vectors, gradients, plain definitions, types and bad input."""

import numpy as np
import pytest
import scipy.ndimage

import nnlite as nn
from tests import golden_cases as golden

MAX = [
    "SpatialMaxPooling_2x2",
    "SpatialMaxPooling_2x2_defaultstride",
    "SpatialMaxPooling_3x3_s1_p1_overlap",
    "SpatialMaxPooling_3x3_s2_p1",
    "SpatialMaxPooling_3x3_s2_p1_ceil",
    "SpatialMaxPooling_nan",
    "SpatialMaxPooling_odd_ceil",
    "SpatialMaxPooling_odd_floor",
    "SpatialMaxPooling_ties",
]
UNPOOLING = [
    "SpatialMaxUnpooling_batch",
    "SpatialMaxUnpooling_even",
    "SpatialMaxUnpooling_odd_ceil",
    "SpatialMaxUnpooling_odd_floor",
]
REST = [
    "SpatialAveragePooling_2x2",
    "SpatialUpSamplingNearest_2",
    "SpatialUpSamplingNearest_2_batch",
    "SpatialUpSamplingNearest_3",
]
GOLDEN = [*MAX, *UNPOOLING, *REST]

SMALL = np.zeros((2, 3, 5, 4), np.float32)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("case", MAX)
def test_max_pooling_matches_torch7(case):
    recorded = golden.load("a_nn_layers", case)

    def build(*args):
        return nn.SpatialMaxPooling(*args).ceil() if "ceil" in case else nn.SpatialMaxPooling(*args)

    pooling = golden.check_layer("a_nn_layers", case, build, rtol=1e-12)
    np.testing.assert_array_equal(pooling.output, recorded["output"])
    np.testing.assert_array_equal(pooling.indices, recorded["indices"] - 1)
    assert repr(pooling) == recorded["attrs"]["tostring"]


@pytest.mark.parametrize("case", UNPOOLING)
def test_unpooling_matches_torch7(case):
    recorded = golden.load("a_nn_layers", case)
    pooling = nn.SpatialMaxPooling(2, 2, 2, 2).double()
    if "ceil" in case:
        pooling.ceil()
    golden.assert_close(pooling.forward(recorded["pool_input"]), recorded["pool_output"], 1e-12)
    np.testing.assert_array_equal(pooling.indices, recorded["indices"] - 1)
    unpooling = golden.check_layer("a_nn_layers", case, lambda: nn.SpatialMaxUnpooling(pooling), rtol=1e-12)
    assert repr(unpooling) == recorded["attrs"]["tostring"]


@pytest.mark.parametrize("case", REST)
def test_matches_torch7(case):
    layer = nn.SpatialAveragePooling if "Average" in case else nn.SpatialUpSamplingNearest
    golden.check_layer("a_nn_layers", case, layer, rtol=1e-12)


# kw, kh, dw, dh, padw, padh, ceil
GEOMETRIES = [
    (2, 2, 2, 2, 0, 0, False),
    (2, 3, 2, 3, 0, 0, True),
    (3, 4, 1, 2, 1, 2, False),
    (3, 3, 2, 2, 1, 0, True),
    (1, 1, 4, 4, 0, 0, True),  # last windows outside, which padding on either axis takes away on both
    (1, 1, 4, 4, 0, 0, False),
    (1, 2, 4, 3, 0, 1, True),
    (2, 2, 3, 3, 0, 1, True),
    (12, 11, 1, 1, 6, 5, False),
]


def windows(geometry, height, width):
    """Return {(p, q): (flat indices inside, number with padding)} by Torch7's loops, one window at a time."""
    kw, kh, dw, dh, padw, padh, ceil = geometry
    counts = []
    for size, k, d, pad in ((height, kh, dh, padh), (width, kw, dw, padw)):
        steps = (size + 2 * pad - k) / d
        count = int(np.ceil(steps) if ceil else np.floor(steps)) + 1
        if (padw or padh) and (count - 1) * d >= size + pad:
            count -= 1
        counts.append(count)
    found = {}
    for p in range(counts[0]):
        for q in range(counts[1]):
            top, left = p * dh - padh, q * dw - padw
            bottom, right = min(top + kh, height + padh), min(left + kw, width + padw)
            rows = range(max(top, 0), min(bottom, height))
            columns = range(max(left, 0), min(right, width))
            inside = [r * width + s for r in rows for s in columns]
            found[p, q] = inside, (bottom - top) * (right - left)
    return found


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_max_pooling_equals_its_definition(geometry):
    *args, ceil = geometry
    pooling = nn.SpatialMaxPooling(*args).double()
    pooling = pooling.ceil() if ceil else pooling.floor()
    x = np.random.default_rng(0).integers(-2, 3, (2, 2, 8, 7)).astype(float)  # many ties
    x[0, 0, 2:5, 1:4] = np.nan
    x[1, 1] = -np.inf
    y = pooling.forward(x)
    g = noise(*y.shape)
    grad = np.zeros((2, 2, 56))
    for (p, q), (inside, _) in windows(geometry, 8, 7).items():
        for n in range(2):
            for c in range(2):
                best, winner = -np.finfo(float).max, -1
                for i in inside:
                    if x[n, c].flat[i] > best:
                        best, winner = x[n, c].flat[i], i
                assert (y[n, c, p, q], pooling.indices[n, c, p, q]) == (best, winner)
                if winner >= 0:
                    grad[n, c, winner] += g[n, c, p, q]
    assert y.shape[2:] == (p + 1, q + 1)
    np.testing.assert_allclose(pooling.backward(x, g), grad.reshape(x.shape), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("count_padding", [True, False])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_average_pooling_equals_its_definition(geometry, count_padding):
    *args, ceil = geometry
    pooling = nn.SpatialAveragePooling(*args).double()
    pooling = pooling.ceil() if ceil else pooling.floor()
    pooling = pooling.set_count_include_pad() if count_padding else pooling.set_count_exclude_pad()
    x = noise(2, 2, 8, 7)
    y = pooling.forward(x)
    for (p, q), (inside, size) in windows(geometry, 8, 7).items():
        total = x.reshape(2, 2, -1)[:, :, inside].sum(axis=2)
        count = max(size if count_padding else len(inside), 1)
        np.testing.assert_allclose(y[:, :, p, q], total / count, rtol=1e-12, atol=1e-14)
    assert y.shape[2:] == (p + 1, q + 1)
    g = noise(*y.shape, seed=1)
    along = noise(*x.shape, seed=2)  # the layer is linear: ⟨g, f(v)⟩ = ⟨fᵀ(g), v⟩
    np.testing.assert_allclose(
        np.sum(pooling.backward(x, g) * along), np.sum(g * pooling.forward(along)), rtol=1e-12
    )


def test_max_pooling_equals_scipy_maximum_filter():
    x = noise(5, 6)
    want = scipy.ndimage.maximum_filter(x, 3, mode="constant", cval=-np.inf)
    np.testing.assert_array_equal(nn.SpatialMaxPooling(3, 3, 1, 1, 1, 1).double().forward(x[None])[0], want)


def test_upsampling_equals_kron():
    x = noise(4, 3)
    y = nn.SpatialUpSamplingNearest(3).double().forward(x[None])
    np.testing.assert_array_equal(y[0], np.kron(x, np.ones((3, 3))))


def test_window_of_nan_has_no_winner_and_gets_no_gradient():
    """As surprise 27 of the recorded vectors: index -1, the lowest number; unpooling puts nothing there."""
    x = np.ones((2, 2, 4, 4), np.float32)
    x[0, 1, :2, :2] = np.nan
    pooling = nn.SpatialMaxPooling(2, 2)
    y, g = pooling.forward(x), np.full((2, 2, 2, 2), 3, np.float32)
    assert y[0, 1, 0, 0] == np.finfo(np.float32).min and pooling.indices[0, 1, 0, 0] == -1
    assert np.sum(pooling.indices == -1) == 1
    assert pooling.backward(x, g).sum() == 3 * 15
    unpooling = nn.SpatialMaxUnpooling(pooling)
    assert unpooling.forward(g).sum() == 3 * 15
    back = unpooling.backward(g, np.ones_like(x))
    assert back[0, 1, 0, 0] == 0 and back.sum() == 15


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.SpatialMaxPooling(2, 2),
        lambda: nn.SpatialMaxPooling(3, 3, 2, 2, 1, 1),
        lambda: nn.SpatialAveragePooling(3, 2, 2, 1, 1, 1),
        lambda: nn.SpatialUpSamplingNearest(2),
    ],
    ids=["max 2x2", "max 3x3", "average", "upsampling"],
)
def test_batch_is_its_images_in_float32(build):
    layer = build()
    x = noise(2, 3, 6, 8).astype(np.float32)
    y = layer.forward(x).copy()
    g = noise(*y.shape, seed=1).astype(np.float32)
    grad_input = layer.backward(x, g).copy()
    assert y.dtype == grad_input.dtype == np.float32
    for i in range(2):
        np.testing.assert_array_equal(layer.forward(x[i]), y[i])
        np.testing.assert_array_equal(layer.backward(x[i], g[i]), grad_input[i])
    layer.double()
    np.testing.assert_allclose(layer.forward(x.astype(float)), y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        layer.backward(x.astype(float), g.astype(float)), grad_input, rtol=1e-5, atol=1e-6
    )


def test_unpooling_follows_the_last_forward_of_its_pooling():
    pooling = nn.SpatialMaxPooling(2, 2)
    net = nn.Sequential(pooling, nn.SpatialMaxUnpooling(pooling)).clone()
    for seed, size in ((0, 4), (1, 6)):
        x = noise(1, 2, size, size, seed=seed).astype(np.float32)
        y = net.forward(x)
        kept = y != 0
        assert kept.sum() == x.size / 4
        np.testing.assert_array_equal(y[kept], x[kept])
    net.clear_state()
    assert net[0].indices is None
    with pytest.raises(RuntimeError, match=r"call forward of nn\.SpatialMaxPooling\(2x2, 2,2\) first"):
        net[1].forward(np.zeros((1, 2, 3, 3), np.float32))


@pytest.mark.parametrize(
    "build, x, error, message",
    [
        (lambda: nn.SpatialMaxPooling(2, 2), SMALL[0, 0], ValueError, "3 or 4 dimensions"),
        (lambda: nn.SpatialMaxPooling(2, 2), SMALL.astype(float), TypeError, "must be float32"),
        (
            lambda: nn.SpatialMaxPooling(2, 6),
            SMALL,
            ValueError,
            r"nn\.SpatialMaxPooling: a window of 6 rows and 2 columns .* gives no output \(0x2\)",
        ),
        (lambda: nn.SpatialAveragePooling(5, 1), SMALL, ValueError, r"nn\.SpatialAveragePooling: .* \(5x0\)"),
        (
            lambda: nn.SpatialMaxPooling(3, 3, 1, 1, 2, 0),
            SMALL,
            ValueError,
            "at most half the window, got padding 2,0",
        ),
        (lambda: nn.SpatialMaxPooling(0, 3), SMALL, ValueError, "kw must be an integer >= 1"),
        (
            lambda: nn.SpatialUpSamplingNearest(1.5),
            SMALL,
            ValueError,
            "scale must be an integer >= 1, got 1.5",
        ),
        (lambda: nn.SpatialUpSamplingNearest(0), SMALL, ValueError, "scale must be an integer >= 1, got 0"),
        (lambda: nn.SpatialUpSamplingNearest(2), SMALL[0, 0], ValueError, "3 or 4 dimensions"),
        (
            lambda: nn.SpatialMaxUnpooling(nn.Linear(2, 2)),
            SMALL,
            TypeError,
            r"takes an nn\.SpatialMaxPooling, got Linear",
        ),
        (
            lambda: nn.SpatialMaxUnpooling(nn.SpatialMaxPooling(3, 3, 2, 2)),
            SMALL,
            ValueError,
            r"the window of nn\.SpatialMaxPooling\(3x3, 2,2\) must be as large as its steps",
        ),
    ],
)
def test_bad_input(build, x, error, message):
    with pytest.raises(error, match=message):
        build().forward(x)


def test_unpooling_input_must_have_the_pooled_shape():
    pooling = nn.SpatialMaxPooling(2, 2)
    pooling.forward(SMALL)
    with pytest.raises(ValueError, match=r"input must have shape \(2, 3, 2, 2\), got \(2, 3, 5, 4\)"):
        nn.SpatialMaxUnpooling(pooling).forward(SMALL)


@pytest.mark.parametrize("layer", [nn.SpatialMaxPooling(2, 2), nn.SpatialAveragePooling(2, 2)], ids=repr)
def test_bad_grad_output(layer):
    with pytest.raises(RuntimeError, match="call forward before backward"):
        layer.backward(SMALL, SMALL)
    layer.forward(SMALL)
    with pytest.raises(ValueError, match="grad_output must have shape"):
        layer.backward(SMALL, SMALL)
