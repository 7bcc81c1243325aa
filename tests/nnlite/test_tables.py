"""Table modules: recorded vectors, NumPy's own functions, gradients, bad input."""

import functools

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_module, worst
from tests import golden_cases as golden


def zero_based(cls):
    """Return a function that builds `cls` from Torch7's arguments, the first of which is 1-based."""
    return lambda first, *rest: cls(first if first < 0 else first - 1, *rest)


BUILD = {
    "JoinTable_1": zero_based(nn.JoinTable),
    "JoinTable_1_nInputDims3_batch": zero_based(nn.JoinTable),
    "JoinTable_2": zero_based(nn.JoinTable),
    "SplitTable_-1": zero_based(nn.SplitTable),
    "SplitTable_1": zero_based(nn.SplitTable),
    "SplitTable_1_nInputDims2_batch": zero_based(nn.SplitTable),
    "SplitTable_2": zero_based(nn.SplitTable),
    "SelectTable_-1": zero_based(nn.SelectTable),
    "SelectTable_2": zero_based(nn.SelectTable),
    "NarrowTable_1_2": zero_based(nn.NarrowTable),
    "NarrowTable_2": zero_based(nn.NarrowTable),
    "FlattenTable": nn.FlattenTable,
    "CAddTable": nn.CAddTable,
    "CSubTable": nn.CSubTable,
    "CMulTable": nn.CMulTable,
    "CMulTable_with_zero": nn.CMulTable,
    "CMulTable_3_with_zero": nn.CMulTable,
    "CDivTable": nn.CDivTable,
}
GOLDEN = list(BUILD)


@pytest.mark.parametrize("case", GOLDEN)
def test_matches_torch7(case):
    module = golden.check_layer("a_nn_layers", case, BUILD[case], rtol=1e-12)
    recorded = golden.load("a_nn_layers", case)["attrs"]["tostring"]
    assert repr(module) == recorded.replace("SelectTable(2)", "SelectTable(1)")  # positions are 0-based here


def noise(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


A, B, C = (noise(2, 3, 4, seed=i) for i in range(3))
NESTED = [[noise(2), noise(3)], [[noise(2, 2)]], noise(1)]

GRADIENTS = {
    "JoinTable": (lambda: nn.JoinTable(1), [A, noise(2, 1, 4), B]),
    "JoinTable, batches": (lambda: nn.JoinTable(0, 2), [A, noise(2, 2, 4)]),
    "SplitTable": (lambda: nn.SplitTable(-2), A),
    "SelectTable": (lambda: nn.SelectTable(-2), [A, noise(3), C]),
    "SelectTable, nested": (lambda: nn.SelectTable(0), NESTED),
    "NarrowTable": (lambda: nn.NarrowTable(1, 2), [A, noise(3), *NESTED]),
    "FlattenTable": (nn.FlattenTable, NESTED),
    "CAddTable": (nn.CAddTable, [A, B, C]),
    "CSubTable": (nn.CSubTable, [A, B]),
    "CMulTable": (nn.CMulTable, [A, B, C]),
    "CMulTable, one entry": (nn.CMulTable, [A]),
    "CDivTable": (nn.CDivTable, [A, 1 + B * B]),
}


@pytest.mark.parametrize("case", GRADIENTS)
def test_gradients(case):
    build, x = GRADIENTS[case]
    bad = worst(check_module(build(), x))
    assert bad.error < 1e-6, bad


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "module, inputs, expected",
    [
        (nn.JoinTable(1), [A, B], np.concatenate([A, B], 1)),
        (nn.JoinTable(-1), [A, B], np.concatenate([A, B], -1)),
        (nn.CAddTable(), [A, B, C], A + B + C),
        (nn.CSubTable(), [A, B], A - B),
        (nn.CMulTable(), [A, B, C], A * B * C),
        (nn.CDivTable(), [A, B], A / B),
    ],
    ids=["join", "join from the end", "add", "sub", "mul", "div"],
)
def test_numpys_own(module, inputs, expected, dtype):
    inputs = [x.astype(dtype) for x in inputs]
    y = module.type(dtype).forward(inputs)
    np.testing.assert_allclose(y, expected, rtol=1e-4 if dtype == np.float32 else 1e-14)
    grads = module.backward(inputs, y)
    assert y.dtype == dtype and all(g.dtype == dtype for g in grads)


@pytest.mark.parametrize("dimension", [0, 1, -1])
def test_split_is_the_inverse_of_stack(dimension):
    parts = [noise(3, 4, seed=i, dtype=np.float32) for i in range(5)]
    split = nn.SplitTable(dimension)
    x = np.stack(parts, dimension)
    golden.assert_close(split.forward(x), parts, 0)
    grad = split.backward(x, parts)
    np.testing.assert_array_equal(grad, x)
    assert grad.dtype == np.float32


@pytest.mark.parametrize("dimension, axis", [(0, 1), (1, 2), (-1, 2), (-3, 0)])
def test_n_input_dims_moves_only_dimensions_counted_from_the_front(dimension, axis):
    batch = noise(2, 3, 4)
    parts = nn.SplitTable(dimension, 2).double().forward(batch)
    golden.assert_close(parts, list(np.moveaxis(batch, axis, 0)), 0)
    joined = nn.JoinTable(dimension, 2).double().forward([batch, batch])
    np.testing.assert_array_equal(joined, np.concatenate([batch, batch], axis))


def test_n_input_dims_leaves_single_inputs_alone():
    np.testing.assert_array_equal(nn.JoinTable(0, 3).double().forward([A, B]), np.concatenate([A, B], 0))
    assert len(nn.SplitTable(0, 3).double().forward(A)) == 2


def test_join_and_split_are_inverse():
    net = nn.Sequential(
        nn.SplitTable(1), nn.ParallelTable(*[nn.Reshape(2, 1, 4, batch_mode=False) for _ in range(3)])
    )
    net.add(nn.JoinTable(1))
    np.testing.assert_array_equal(net.double().forward(A), A)


def test_multiplication_gradient_has_no_division():
    x = [np.zeros(2), np.array([0.0, 3.0]), np.array([5.0, 7.0])]
    grads = nn.CMulTable().double()
    grads.forward(x)
    golden.assert_close(grads.backward(x, np.ones(2)), [[0.0, 21.0], [0.0, 0.0], [0.0, 0.0]], 0)


def test_selection_passes_any_entry():
    table = [np.arange(3), [noise(2), noise(3)], noise(4)]
    assert nn.SelectTable(1).forward(table) is table[1]
    assert nn.SelectTable(-3).forward(table) is table[0]
    narrow = nn.NarrowTable(1)
    assert narrow.forward(table) == [table[1]]
    grad = narrow.backward(table, [[noise(2), noise(3)]])
    np.testing.assert_array_equal(grad[0], np.zeros(3))
    np.testing.assert_array_equal(grad[2], np.zeros(4))


def test_flatten_keeps_order_and_structure():
    flatten = nn.FlattenTable()
    flat = flatten.forward(NESTED)
    assert [x.shape for x in flat] == [(2,), (3,), (2, 2), (1,)]
    golden.assert_close(flatten.backward(NESTED, flat), NESTED, 0)


def float64(cls, *args):
    return functools.partial(lambda: cls(*args).double())


@pytest.mark.parametrize(
    "build, x, error, message",
    [
        (float64(nn.JoinTable, 0), A, TypeError, r"nn\.JoinTable: input must be a list or tuple"),
        (float64(nn.JoinTable, 0), [], ValueError, "must not be an empty table"),
        (float64(nn.JoinTable, 0), [A, noise(2, 3)], ValueError, r"input\[1\] must have 3 dimensions"),
        (float64(nn.JoinTable, 0), [A, noise(2, 3, 5)], ValueError, r"must have shape \(2, 3, 4\)"),
        (float64(nn.JoinTable, 3), [A, B], ValueError, r"no dimension 3 in an input of shape \(2, 3, 4\)"),
        (float64(nn.JoinTable, 0), [A, A.astype(np.float32)], TypeError, r"must be float64, got float32"),
        (float64(nn.SplitTable, -4), A, ValueError, "no dimension -4"),
        (float64(nn.SplitTable, 0), [A], TypeError, r"nn\.SplitTable: input must be an array, got list"),
        (float64(nn.SelectTable, 2), [A, B], ValueError, r"nn\.SelectTable: no entry 2 in a table of 2"),
        (float64(nn.SelectTable, -3), [A, B], ValueError, "no entry -3"),
        (float64(nn.NarrowTable, 1, 2), [A, B], ValueError, r"no entries 1\.\.2 in a table of 2"),
        (float64(nn.FlattenTable), A, TypeError, "must be a list or tuple"),
        (float64(nn.CAddTable), [A, noise(2, 3)], ValueError, r"nn\.CAddTable: input\[1\] must have shape"),
        (float64(nn.CAddTable), [], ValueError, "must not be an empty table"),
        (float64(nn.CSubTable), [A, B, C], ValueError, "must have 2 entries, got 3"),
        (float64(nn.CDivTable), [A], ValueError, "must have 2 entries, got 1"),
        (float64(nn.CMulTable), [A, 2.0], TypeError, r"input\[1\] must be an array, got float"),
    ],
)
def test_bad_input(build, x, error, message):
    with pytest.raises(error, match=message):
        build().forward(x)


@pytest.mark.parametrize(
    "module, x, g, message",
    [
        (nn.JoinTable(0), [A, B], A, r"grad_output must have shape \(4, 3, 4\)"),
        (nn.SplitTable(0), A, [B[0]], "grad_output must have 2 entries, got 1"),
        (nn.SplitTable(0), A, [B[0], B[0, 0]], r"grad_output\[1\] must have shape \(3, 4\)"),
        (nn.NarrowTable(0, 2), [A, B], [A], "grad_output must have 2 entries"),
        (nn.FlattenTable(), [A, [B]], [A], "grad_output must have 2 entries"),
        (nn.CMulTable(), [A, B], A[0], r"grad_output must have shape \(2, 3, 4\)"),
    ],
)
def test_bad_grad_output(module, x, g, message):
    module.double().forward(x)
    with pytest.raises(ValueError, match=message):
        module.backward(x, g)


@pytest.mark.parametrize("offset, length", [(-1, 1), (0, 0)])
def test_bad_narrow(offset, length):
    with pytest.raises(ValueError, match=r"nn\.NarrowTable: needs offset >= 0 and length >= 1"):
        nn.NarrowTable(offset, length)


def test_backward_before_forward():
    with pytest.raises(RuntimeError, match="call forward before backward"):
        nn.CAddTable().double().backward([A, B], A)
