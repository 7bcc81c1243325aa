"""Containers: recorded vectors, gradients in one go and in two, repr, bad input."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import check_module, worst
from tests import golden_cases as golden


def convolution_and_tanh(dimension):
    return nn.Concat(dimension, nn.SpatialConvolution(2, 3, 3, 3, 1, 1, 1, 1), nn.Tanh())


def small_network():
    return nn.Sequential(
        nn.SpatialConvolution(1, 4, 3, 3, 1, 1, 1, 1),
        nn.Tanh(),
        nn.SpatialMaxPooling(2, 2),
        nn.SpatialConvolution(4, 2, 3, 3),
    )


BUILD = {
    "Concat_1": lambda: convolution_and_tanh(0),
    "Concat_2": lambda: convolution_and_tanh(1),
    "ConcatTable": lambda: nn.ConcatTable(nn.Tanh(), nn.Square(), nn.Identity()),
    "ConcatTable_linear": lambda: nn.ConcatTable(nn.Linear(4, 3), nn.Linear(4, 2)),
    "Identity": nn.Identity,
    "Identity_table": nn.Identity,
    "ParallelTable": lambda: nn.ParallelTable(nn.Linear(4, 3), nn.Tanh()),
    "Sequential": small_network,
}
GOLDEN = list(BUILD)


@pytest.mark.parametrize("case", GOLDEN)
def test_matches_torch7(case):
    golden.check_layer("a_nn_layers", case, BUILD[case])


@pytest.mark.parametrize("case", GOLDEN)
def test_repr_is_torch7s(case):
    recorded = golden.load("a_nn_layers", case)["attrs"]["tostring"]
    assert repr(BUILD[case]()).replace("\n", " ") == recorded


def test_repr_of_nested_branches():
    inner = nn.Sequential(nn.Linear(2, 2))
    lines = [
        "nn.ConcatTable {",
        "  input",
        "    |`-> (1): nn.Sequential {",
        "    |      [input -> (1) -> output]",
        "    |      (1): nn.Linear(2 -> 2)",
        "    |    }",
        "     `-> (2): nn.Sequential {",
        "           [input -> (1) -> output]",
        "           (1): nn.Linear(2 -> 2)",
        "         }",
        "     ... -> output",
        "}",
    ]
    assert repr(nn.ConcatTable(inner, inner)) == "\n".join(lines)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def pair():
    return nn.ParallelTable(nn.Linear(4, 3), nn.Linear(3, 2))


# Every container, with an input; some nested, so that grad_output passes through two of them.
CASES = {
    "Sequential": (lambda: nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)), noise(2, 4)),
    "Sequential, empty": (nn.Sequential, noise(2, 4)),
    "Concat": (lambda: nn.Concat(1, nn.Linear(4, 3), nn.Linear(4, 2)), noise(2, 4)),
    "Concat, single": (lambda: nn.Concat(-1, nn.Linear(4, 3), nn.Identity(), nn.Linear(4, 2)), noise(4)),
    "Concat of tables": (lambda: nn.Concat(0, nn.JoinTable(0), nn.CAddTable()), [noise(2, 3), noise(2, 3)]),
    "ConcatTable": (lambda: nn.ConcatTable(nn.Linear(4, 3), nn.Tanh()), noise(2, 4)),
    "ConcatTable of tables": (
        lambda: nn.ConcatTable(pair(), nn.SelectTable(1), nn.Identity()),
        [noise(2, 4), noise(3, seed=1)],
    ),
    "ParallelTable": (pair, [noise(2, 4), noise(2, 3, seed=1)]),
    "Bottle": (lambda: nn.Bottle(nn.Linear(4, 3)), noise(2, 3, 4)),
    "Bottle, two folded": (lambda: nn.Bottle(nn.Linear(4, 3)), noise(2, 3, 2, 4)),
    "Bottle, none folded": (lambda: nn.Bottle(nn.Linear(4, 3)), noise(4)),
    "Identity": (nn.Identity, noise(2, 3)),
    "nested": (
        lambda: nn.Sequential(nn.ConcatTable(nn.Linear(4, 3), nn.Tanh()), nn.Identity(), nn.SelectTable(0)),
        noise(2, 4),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_gradients(case):
    build, x = CASES[case]
    bad = worst(check_module(build(), x))
    assert bad.error < 1e-6, bad


@pytest.mark.parametrize("case", CASES)
def test_update_grad_input_then_acc_grad_parameters_is_backward(case):
    build, x = CASES[case]
    at_once = build().double()
    in_two = at_once.clone()
    out = at_once.forward(x)
    in_two.forward(x)
    g = like(out)
    at_once.zero_grad_parameters()
    in_two.zero_grad_parameters()
    expected = at_once.backward(x, g, 0.5)
    golden.assert_close(in_two.update_grad_input(x, g), expected, 0)
    golden.assert_close(in_two.grad_input, expected, 0)
    in_two.acc_grad_parameters(x, g, 0.5)
    golden.assert_close(in_two.parameters()[1], at_once.parameters()[1], 0)


def like(x):
    """Return other numbers in the form of `x`."""
    return [like(entry) for entry in x] if isinstance(x, list) else noise(*x.shape, seed=x.size)


class Recorder(nn.Module):
    """Doubles its input and writes down which of its methods ran."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def update_output(self, input):
        self.output = 2 * input
        return self.output

    def backward(self, input, grad_output, scale=1.0):
        self.calls.append(scale)
        self.grad_input = 2 * grad_output
        return self.grad_input


@pytest.mark.parametrize(
    "build, x",
    [
        (lambda m: nn.Sequential(m), noise(2)),
        (lambda m: nn.Concat(0, m), noise(2)),
        (lambda m: nn.ConcatTable(m), noise(2)),
        (lambda m: nn.ParallelTable(m), [noise(2)]),
        (lambda m: nn.Bottle(m, 1), noise(2, 2)),
    ],
    ids=["Sequential", "Concat", "ConcatTable", "ParallelTable", "Bottle"],
)
def test_backward_runs_the_childs_own_backward_once(build, x):
    child = Recorder()
    container = build(child).double()
    container.backward(x, container.forward(x), 0.25)
    assert child.calls == [0.25]


def test_outputs():
    x = noise(2, 4)
    a, b = nn.Linear(4, 3).double(), nn.Linear(4, 2).double()
    ya, yb = x @ a.weight.T + a.bias, x @ b.weight.T + b.bias
    np.testing.assert_allclose(nn.Concat(-1, a, b).forward(x), np.hstack([ya, yb]), rtol=1e-14)
    first, second = nn.ConcatTable(a, b).forward(x)
    np.testing.assert_allclose(first, ya, rtol=1e-14)
    np.testing.assert_allclose(second, yb, rtol=1e-14)
    folded = nn.Bottle(a).double().forward(np.stack([x, 2 * x]))
    np.testing.assert_allclose(folded, np.stack([ya, 2 * x @ a.weight.T + a.bias]), rtol=1e-14)


def test_bottle_may_drop_and_shrink_dimensions():
    x = noise(3, 2, 4, 5)
    pick = nn.Sequential(nn.SplitTable(-1), nn.SelectTable(1))
    np.testing.assert_array_equal(nn.Bottle(pick, 3, 2).double().forward(x), x[..., 1])


def test_float32_stays_float32():
    x = noise(2, 4).astype(np.float32)
    net = nn.Sequential(
        nn.ConcatTable(nn.Linear(4, 3), nn.Bottle(nn.Linear(4, 3))),
        nn.ParallelTable(nn.Tanh(), nn.Identity()),
        nn.CAddTable(),
        nn.Concat(1, nn.Identity(), nn.Linear(3, 2)),
    )
    y = net.forward(x)
    assert y.dtype == net.backward(x, y).dtype == np.float32
    gradients = net.clone()
    np.testing.assert_allclose(gradients.double().forward(x.astype(np.float64)), y, rtol=1e-4, atol=1e-6)


def test_list_behaviour():
    a, b, c = nn.Linear(1, 2), nn.Tanh(), nn.Linear(2, 3)
    net = nn.Sequential().add(a).add(c)
    assert net.insert(1, b) is net
    assert list(net) == [a, b, c] and len(net) == 3
    assert net[1] is b and net[-1] is net.get(2) is c
    assert net.remove() is c and net.remove(0) is a
    assert net.modules == [b]


@pytest.mark.parametrize(
    "act, error, message",
    [
        (lambda: nn.Sequential(3), TypeError, r"nn\.Sequential\.add takes a module, got int"),
        (lambda: nn.Sequential().insert(0, np.tanh), TypeError, r"insert takes a module, got ufunc"),
        (lambda: nn.ParallelTable(nn.Tanh()).forward([]), ValueError, "input must have 1 entries"),
        (lambda: nn.ParallelTable(nn.Tanh()).forward(noise(2)), TypeError, "must be a list or tuple"),
        (lambda: nn.ConcatTable().forward(noise(2)), ValueError, r"nn\.ConcatTable has no modules"),
        (lambda: nn.Concat(0).forward(noise(2)), ValueError, r"nn\.Concat has no modules"),
        (lambda: nn.Concat(0, nn.Identity()).backward(noise(2), noise(2)), RuntimeError, "call forward"),
        (lambda: nn.Bottle(nn.Identity()).backward(noise(2), noise(2)), RuntimeError, "call forward"),
    ],
)
def test_misuse(act, error, message):
    with pytest.raises(error, match=message):
        act()


def test_outputs_that_do_not_fit():
    net = nn.Concat(0, nn.Identity(), nn.Linear(4, 3).double())
    with pytest.raises(ValueError, match=r"shape \(2, 4\), \(2, 3\) cannot be joined along dimension 0"):
        net.forward(noise(2, 4))
    pick = nn.Sequential(nn.SplitTable(-1), nn.SelectTable(1))
    with pytest.raises(ValueError, match=r"nn\.Sequential must have 3 dimensions \(n_output_dims\)"):
        nn.Bottle(pick, 3).double().forward(noise(3, 2, 4, 5))


@pytest.mark.parametrize(
    "net, x, g, message",
    [
        (nn.Concat(0, nn.Identity()), noise(2), noise(3), r"nn\.Concat: grad_output must have shape \(2,\)"),
        (nn.Bottle(nn.Identity(), 1), noise(2, 2), noise(4), r"grad_output must have shape \(2, 2\)"),
        (nn.Concat(0, nn.Identity()), noise(2), [noise(2)], "got list"),
        (nn.ConcatTable(nn.Identity()), noise(2), [], "grad_output must have 1 entries, got 0"),
        (nn.ParallelTable(nn.Identity()), [noise(2)], [noise(2)] * 2, "must have 1 entries, got 2"),
    ],
)
def test_bad_grad_output(net, x, g, message):
    net.forward(x)
    with pytest.raises(ValueError, match=message):
        net.backward(x, g)
