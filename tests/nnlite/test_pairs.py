"""Layers of two arrays, normalised vectors, and choices between the arrays of a table."""

import math

import numpy as np
import pytest

import nnlite as nn
from tests.layer_checks import assert_float32_agrees, assert_gradients, assert_inputs_left_alone, run

RNG = np.random.default_rng(4)
A, B, C = RNG.standard_normal((3, 3, 4))
M, V = RNG.standard_normal((2, 3, 5)), RNG.standard_normal((2, 5))


def matrix_product(a, b):
    return np.array(
        [[sum(a[i, k] * b[k, j] for k in range(len(b))) for j in range(b.shape[1])] for i in range(len(a))]
    )


CASES = {
    "MM": (nn.MM, [A, B.T.copy()], matrix_product(A, B.T)),
    "MM first transposed": (lambda: nn.MM(True), [A, B], matrix_product(A.T, B)),
    "MM second transposed": (lambda: nn.MM(False, True), [A, B], matrix_product(A, B.T)),
    "MM batch": (
        lambda: nn.MM(True, True),
        [M, M.swapaxes(1, 2).copy()[:, :4, :]],
        np.array([matrix_product(m.T, m.T[:4].T) for m in M]),
    ),
    "MV": (nn.MV, [A, C[0]], matrix_product(A, C[0][:, None])[:, 0]),
    "MV batch": (nn.MV, [M, V], np.array([matrix_product(m, v[:, None])[:, 0] for m, v in zip(M, V)])),
    "MV transposed": (lambda: nn.MV(True), [A, C[:, 0]], matrix_product(A.T, C[:, :1])[:, 0]),
    "DotProduct": (nn.DotProduct, [A, B], np.array([sum(a * b) for a, b in zip(A, B)])),
    "DotProduct single": (nn.DotProduct, [A[0], B[0]], np.array([sum(A[0] * B[0])])),
    "CosineDistance": (
        nn.CosineDistance,
        [A, B],
        np.array([sum(a * b) / math.sqrt(sum(a * a) * sum(b * b)) for a, b in zip(A, B)]),
    ),
    "CosineDistance single": (
        nn.CosineDistance,
        [A[0], B[0]],
        np.array([sum(A[0] * B[0]) / math.sqrt(sum(A[0] ** 2) * sum(B[0] ** 2))]),
    ),
    "CMaxTable": (
        nn.CMaxTable,
        [A, B, C],
        np.array([max(t) for t in zip(A.flat, B.flat, C.flat)]).reshape(3, 4),
    ),
    "CMinTable": (
        nn.CMinTable,
        [A, B, C],
        np.array([min(t) for t in zip(A.flat, B.flat, C.flat)]).reshape(3, 4),
    ),
    "MixtureTable": (
        nn.MixtureTable,
        [C[:, :2].copy(), [A, B]],
        np.array([w[0] * a + w[1] * b for w, a, b in zip(C, A, B)]),
    ),
    "MixtureTable single": (
        nn.MixtureTable,
        [C[0, :2].copy(), [A[0], B[0]]],
        C[0, 0] * A[0] + C[0, 1] * B[0],
    ),
    "MixtureTable of an array": (
        nn.MixtureTable,
        [C[:2, :3].copy(), M],
        np.array([w[0] * m[0] + w[1] * m[1] + w[2] * m[2] for w, m in zip(C, M)]),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_definition_gradients_and_dtypes(case):
    build, x, want = CASES[case]
    np.testing.assert_allclose(build().double().forward(x), want, rtol=1e-10, strict=True)
    assert_gradients(build(), [[e.copy() for e in p] if isinstance(p, list) else p.copy() for p in x])
    assert_float32_agrees(build(), x)
    assert_inputs_left_alone(build(), x)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3])
def test_pairwise_distance(p):
    want = [sum(abs(a - b) ** p) ** (1 / p) for a, b in zip(A, B)]
    g = np.array([1.0, 2, 3])
    y, (grad_a, grad_b) = run(nn.PairwiseDistance(p), [A, B], g)
    np.testing.assert_allclose(y, want)
    d = A - B
    slope = np.sign(d) * abs(d) ** (p - 1) / (np.array(want)[:, None] + (1e-6 if p > 1 else 0)) ** (p - 1)
    np.testing.assert_allclose(grad_a, g[:, None] * slope, rtol=1e-12)
    np.testing.assert_array_equal(grad_b, -grad_a)
    single, grads = run(nn.PairwiseDistance(p), [A[0], B[0]], g[:1])
    assert single.shape == (1,) and grads[0].shape == (4,) and single[0] == pytest.approx(want[0])
    np.testing.assert_allclose(grads[0], grad_a[0])


@pytest.mark.parametrize("p", [1.5, 2, 3])
def test_published_pairwise_distance_leaves_out_a_factor_below_two(p):
    """Torch7 multiplies by |d|^(p - 2) only where p > 2; at 2 it is 1."""
    g, d = np.array([1.0, 2, 3]), A - B
    y, (grad, _) = run(nn.PairwiseDistance(p, published=True), [A, B], g)
    factor = abs(d) ** (p - 2) if p > 2 else 1
    np.testing.assert_allclose(grad, g[:, None] * d * factor * (y[:, None] + 1e-6) ** (1 - p), rtol=1e-12)
    true = run(nn.PairwiseDistance(p), [A, B], g)[1][0]
    assert np.allclose(grad, true, rtol=1e-10) == (p >= 2)


def test_pairwise_distance_of_equal_numbers():
    x = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(run(nn.PairwiseDistance(), [x, x])[1], np.zeros((2, 1, 3)))
    nn.manual_seed(3)
    signs = run(nn.PairwiseDistance(1), [x, x], np.ones(1))[1][0]
    nn.manual_seed(3)
    np.testing.assert_array_equal(signs[0], 2 * nn.random.default_generator.integers(1, 2, 3) - 3)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 4, math.inf])
@pytest.mark.parametrize("x", [A, A[0]], ids=["batch", "single"])
def test_normalize(p, x):
    layer = nn.Normalize(p)
    y, _ = run(layer, x)
    norm = np.abs(y).max(-1) if p == math.inf else (np.abs(y) ** p).sum(-1) ** (1 / p)
    np.testing.assert_allclose(norm, np.ones(norm.shape), rtol=1e-9)
    np.testing.assert_allclose(y / x, np.broadcast_to((y / x)[..., :1], x.shape))
    assert_gradients(layer, x.copy())
    assert_float32_agrees(layer, x)


def test_normalize_of_zero_and_small():
    zero = np.zeros((1, 3))
    y, grad = run(nn.Normalize(2), zero, np.ones((1, 3)))
    np.testing.assert_array_equal(y, zero)
    np.testing.assert_allclose(grad, np.full((1, 3), 1e5))  # 1 / √ε, ε = 1e-10
    np.testing.assert_allclose(run(nn.Normalize(2, 3), np.array([1.0, 0]))[0], [0.5, 0])  # ε under the root
    np.testing.assert_allclose(run(nn.Normalize(math.inf, 3), np.array([1.0, 0]))[0], [0.25, 0])


def test_cosine_of_zero_is_zero():
    zero = np.zeros((1, 4))
    y, grads = run(nn.CosineDistance(), [zero, zero])
    assert y == 0 and not np.any(grads)


def test_first_of_equal_arrays_wins():
    x = np.array([1.0, 2.0])
    for layer in (nn.CMaxTable(), nn.CMinTable()):
        _, grads = run(layer, [x, x.copy(), x - [0, 0]], np.array([3.0, 4.0]))
        np.testing.assert_array_equal(grads, [[3, 4], [0, 0], [0, 0]])


def test_order_of_tables():
    a, b, c = A, B[0], C[:, 0]
    y, grad = nn.ReverseTable().forward([a, b, c]), nn.ReverseTable().update_grad_input([a, b, c], [c, b, a])
    assert [id(e) for e in y] == [id(c), id(b), id(a)]
    assert [id(e) for e in grad] == [id(a), id(b), id(c)]
    layer = nn.ZipTable()
    y = layer.forward([[a, b], [b, c], [c, a]])
    assert [[id(e) for e in row] for row in y] == [[id(a), id(b), id(c)], [id(b), id(c), id(a)]]
    back = layer.backward([[a, b], [b, c], [c, a]], y)
    assert [[id(e) for e in row] for row in back] == [[id(a), id(b)], [id(b), id(c)], [id(c), id(a)]]


@pytest.mark.parametrize(
    "layer, x, error, message",
    [
        (nn.MM(), [A, B], ValueError, r"nn\.MM: input must hold matrices that can be multiplied, got shapes"),
        (nn.MM(), [A], ValueError, r"nn\.MM: input must have 2 entries"),
        (nn.MM(), A, TypeError, r"nn\.MM: input must be a list or tuple"),
        (nn.MV(), [A, V], ValueError, r"nn\.MV: input\[1\] must have 1 dimensions"),
        (
            nn.MV(True),
            [A, C[0]],
            ValueError,
            r"nn\.MV: input must hold a matrix and a vector .* trans = True",
        ),
        (nn.DotProduct(), [A, B[:2]], ValueError, r"nn\.DotProduct: input\[1\] must have shape \(3, 4\)"),
        (nn.CosineDistance(), [M, M], ValueError, r"nn\.CosineDistance: input\[0\] must have 1 or 2"),
        (nn.Normalize(2), M, ValueError, r"nn\.Normalize: input must have 1 or 2 dimensions"),
        (nn.CMaxTable(), [], ValueError, "must not be an empty table"),
        (nn.CMinTable(), [A, B[0]], ValueError, r"input\[1\] must have shape \(3, 4\)"),
        (nn.MixtureTable(), [C, [A, B]], ValueError, "4 weights, but 2 experts"),
        (nn.MixtureTable(), [C[:2, :2], [A, B]], ValueError, "weights of 2 entries, experts of shape"),
        (nn.MixtureTable(7), [C, M], ValueError, "no dimension 7 in experts"),
        (nn.ReverseTable(), A, TypeError, "must be a list or tuple"),
        (nn.ZipTable(), [[A, B], [A]], ValueError, r"nn\.ZipTable: input\[1\] must have 2 entries, got 1"),
    ],
)
def test_bad_input(layer, x, error, message):
    with pytest.raises(error, match=message):
        layer.double().forward(x)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"p must be at least 1, got 0\.5"):
        nn.PairwiseDistance(0.5)
    with pytest.raises(ValueError, match="p must be above 0, got 0"):
        nn.Normalize(0)
    assert repr(nn.Normalize(2)) == "nn.Normalize(2)" and repr(nn.Normalize(1.5)) == "nn.Normalize(1.500000)"
