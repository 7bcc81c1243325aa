"""gModule: graphs of modules."""

import numpy as np
import pytest

import nnlite as nn
from tests import golden_cases as golden

RNG = np.random.default_rng(4)


def noise(*shape):
    return RNG.standard_normal(shape)


def residual():
    """Return y = W₂ tanh(W₁ x) + x, whose x is read twice, and its two layers."""
    first, second = nn.Linear(3, 4).double(), nn.Linear(4, 3).double()
    x = nn.Node()
    inner = nn.Node(second, nn.Node(nn.Tanh().double(), nn.Node(first, x)))
    return nn.gModule([x], [nn.Node(nn.CAddTable().double(), inner, x)]).double(), first, second


def test_residual_block_by_hand():
    net, first, second = residual()
    x, g = noise(2, 3), noise(2, 3)
    hidden = np.tanh(x @ first.weight.T + first.bias)
    golden.assert_close(net.forward(x), hidden @ second.weight.T + second.bias + x)
    net.zero_grad_parameters()
    through = ((g @ second.weight) * (1 - hidden**2)) @ first.weight
    golden.assert_close(net.backward(x, g), through + g)
    golden.assert_close(second.grad_weight, g.T @ hidden)
    net.acc_grad_parameters(x, g, 0.5)
    golden.assert_close(second.grad_bias, 1.5 * g.sum(0))
    assert [path for path, _, _ in net.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_several_inputs_and_outputs_and_the_entries_of_a_table():
    a, b = nn.Node(), nn.Node()
    left, _, right = nn.Node(nn.SplitTable(1), a).split(3)
    net = nn.gModule([a, b], [nn.Node(nn.CMulTable(), right, b), left, b]).double()
    x, y = noise(2, 3), noise(2)
    out = net.forward([x, y])
    golden.assert_close(out, [x[:, 2] * y, x[:, 0], y], 0)
    g = [noise(2), noise(2), noise(2)]
    grads = net.backward([x, y], g)
    golden.assert_close(grads[0], np.stack([g[1], np.zeros(2), g[0] * y], 1), 0)
    golden.assert_close(grads[1], g[0] * x[:, 2] + g[2], 0)


def test_input_that_is_a_table_and_one_that_nothing_reads():
    pair, unused = nn.Node(), nn.Node()
    net = nn.gModule([pair, unused], [pair.split(2)[1]]).double()
    x = [[noise(2), noise(3)], noise(4)]
    assert net.forward(x) is x[0][1]
    golden.assert_close(net.update_grad_input(x, np.ones(3)), [[np.zeros(2), np.ones(3)], np.zeros(4)], 0)


def test_copies_and_modes():
    net, first, _ = residual()
    x = noise(2, 3)
    twin, shared = net.clone(), net.shared_clone()
    golden.assert_close(twin.forward(x), net.forward(x), 0)
    first.weight[0, 0] += 1
    golden.assert_close(shared.forward(x), net.forward(x), 0)
    assert np.abs(twin.forward(x) - net.output).max() > 0
    net.clear_state().evaluate()
    assert not first.train and net.output is None and net.float().dtype == np.float32
    nn.manual_seed(1)
    net.reset()
    assert np.abs(first.weight).max() < 1


def test_repr_shows_the_wiring():
    assert repr(residual()[0]) == (
        "nn.gModule {\n"
        "  (1): input 1 -> nn.Linear(3 -> 4)\n"
        "  (2): (1) -> nn.Tanh\n"
        "  (3): (2) -> nn.Linear(4 -> 3)\n"
        "  (4): (3), input 1 -> nn.CAddTable\n"
        "  output: (4)\n"
        "}"
    )


def test_long_chain_needs_no_recursion():
    x = node = nn.Node()
    for _ in range(3000):
        node = nn.Node(nn.MulConstant(1), node)
    net = nn.gModule([x], [node]).clone().double()
    assert (net.backward(noise(2), net.forward(np.ones(2))) == 1).all()


def test_graphs_that_cannot_be():
    x, tanh = nn.Node(), nn.Tanh()
    with pytest.raises(TypeError, match=r"nn\.Node takes a module first, got Node"):
        nn.Node(x)
    with pytest.raises(ValueError, match=r"nn\.Tanh reads nothing; nn\.Node\(\) is an input"):
        nn.Node(tanh)
    with pytest.raises(ValueError, match=r"outputs must be a list of at least one nn\.Node, got \[\]"):
        nn.gModule([x], [])
    with pytest.raises(ValueError, match=r"inputs must be a list of at least one nn\.Node"):
        nn.gModule([tanh], [x])
    with pytest.raises(ValueError, match="an input reads another node"):
        nn.gModule([nn.Node(tanh, x)], [x])
    with pytest.raises(ValueError, match="that is not among the inputs"):
        nn.gModule([nn.Node()], [nn.Node(tanh, x)])
    with pytest.raises(ValueError, match=r"nn\.Tanh is at two nodes.*clone\(\).*shared_clone\(\)"):
        nn.gModule([x], [nn.Node(tanh, nn.Node(tanh, x))])


def test_calls_that_do_not_fit():
    a, b = nn.Node(), nn.Node()
    net = nn.gModule([a, b], [a, b]).double()
    with pytest.raises(TypeError, match=r"nn\.gModule: input must be a list or tuple, got ndarray"):
        net.forward(noise(2))
    with pytest.raises(RuntimeError, match="call forward before backward"):
        net.backward([noise(2), noise(2)], [noise(2), noise(2)])
    net.forward([noise(2), noise(2)])
    with pytest.raises(ValueError, match="grad_output must have 2 entries, got 1"):
        net.backward([noise(2), noise(2)], [noise(2)])
    with pytest.raises(TypeError, match="a table that is split must be a list or tuple, got ndarray"):
        nn.gModule([a], a.split(2)).double().forward(noise(2))
