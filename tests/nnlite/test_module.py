"""The contract that every module keeps: parameters, halves of backward, printing."""

import numpy as np
import pytest

import nnlite as nn
from tests.toy_networks import PATHS, equal, input, network, tied, values

# ---- parameters --------------------------------------------------------------------------------------


def test_named_parameters_and_parameters():
    net = network()
    named = list(net.named_parameters())
    assert [path for path, _, _ in named] == PATHS
    assert named[4][1] is net[2][1][0].weight and named[4][2] is net[2][1][0].grad_weight
    weights, grads = net.parameters()
    assert all(a is b for a, (_, b, _) in zip(weights, named, strict=True))
    assert all(a is b for a, (_, _, b) in zip(grads, named, strict=True))
    assert [path for path, _, _ in net.named_parameters("net.")] == ["net." + path for path in PATHS]


def test_parameters_that_are_none_are_left_out():
    assert [path for path, _, _ in nn.Linear(2, 2).no_bias().named_parameters()] == ["weight"]
    assert nn.Tanh().parameters() == ([], [])


def test_get_parameters_gives_flat_views():
    net = network()
    before, grads = values(net), net.parameters()[1]
    for i, grad in enumerate(grads):
        grad[...] = i
    flat, flat_grad = net.get_parameters()
    assert flat.ndim == flat_grad.ndim == 1 and flat.dtype == flat_grad.dtype == np.float32
    np.testing.assert_array_equal(flat, np.concatenate([w.ravel() for w in before]))
    np.testing.assert_array_equal(flat_grad, np.repeat(np.arange(6), [w.size for w in before]))
    flat[...], flat_grad[...] = 3, 5
    assert all((w == 3).all() for w in net.parameters()[0])
    assert all((g == 5).all() for g in net.parameters()[1])
    net.zero_grad_parameters()
    assert not flat_grad.any()
    x = input(2, 4)
    net.backward(x, net.forward(x))
    np.testing.assert_array_equal(flat_grad[:12], net[0].grad_weight.ravel())
    assert flat_grad.any()


def test_get_parameters_lists_shared_ones_once():
    net = tied()
    weight, bias = net[0].weight.copy(), net[0].bias.copy()
    flat, flat_grad = net.get_parameters()
    np.testing.assert_array_equal(flat, np.concatenate([weight.ravel(), bias]))
    flat[0] = 7
    assert net[0].weight[0, 0] == net[1].weight[0, 0] == 7
    net.zero_grad_parameters()
    x = input(2, 3)
    net.backward(x, net.forward(x))
    alone = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    for layer in alone:
        layer.weight[...], layer.bias[...] = net[0].weight, net[0].bias
    alone.backward(x, alone.forward(x))
    both = alone[0].grad_weight + alone[1].grad_weight
    np.testing.assert_allclose(flat_grad[:9], both.ravel(), rtol=1e-5)


def test_get_parameters_again_takes_over():
    net = network()
    part, _ = net[2].get_parameters()
    whole, _ = net.get_parameters()
    with pytest.raises(ValueError, match="read-only"):
        part[...] = 9
    whole[...] = 1
    assert (net[2][0].weight == 1).all()


@pytest.mark.parametrize("names", [("weight",), ("grad_bias",), ("weight", "bias")])
def test_get_parameters_refuses_half_shared_ones(names):
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    net = nn.Sequential(first, second.share(first, *names))
    with pytest.raises(ValueError, match=r"nn\.Sequential\.get_parameters: a parameter is shared without"):
        net.get_parameters()


def test_get_parameters_refuses_mixed_dtypes():
    net = nn.Sequential(nn.Linear(2, 2).double())
    with pytest.raises(TypeError, match="the module is float32, a parameter float64; convert the module"):
        net.get_parameters()


def test_get_parameters_of_a_module_without_any():
    flat, flat_grad = nn.Tanh().get_parameters()
    assert flat.shape == flat_grad.shape == (0,)


def test_zero_grad_and_update_parameters():
    net = network()
    for grad in net.parameters()[1]:
        grad[...] = 2
    before = values(net)
    net.update_parameters(0.25)
    for old, new in zip(before, net.parameters()[0]):
        np.testing.assert_allclose(new, old - 0.5, rtol=1e-6)
        assert new.dtype == np.float32
    net.zero_grad_parameters()
    assert not any(grad.any() for grad in net.parameters()[1])


def test_update_parameters_steps_once_per_sharer():
    net = tied()
    before = net[0].bias.copy()
    net[0].grad_bias[...] = 1
    net.update_parameters(0.5)
    np.testing.assert_allclose(net[0].bias, before - 1, rtol=1e-6)


@pytest.mark.parametrize("build", [network, lambda: nn.Linear(4, 3)])
def test_gradients_accumulate_with_scale(build):
    net = build().double()
    net.evaluate()  # the same drop-out, namely none, each time
    x = input(2, 4, dtype=np.float64)
    g = np.ones_like(net.forward(x))
    net.zero_grad_parameters()
    net.backward(x, g)
    once = [grad.copy() for grad in net.parameters()[1]]
    net.backward(x, g, -0.25)
    for grad, one in zip(net.parameters()[1], once):
        np.testing.assert_allclose(grad, 0.75 * one, rtol=1e-12)
    net.acc_grad_parameters(x, g, 2.0)
    for grad, one in zip(net.parameters()[1], once):
        np.testing.assert_allclose(grad, 2.75 * one, rtol=1e-12)


def test_reset_reaches_every_layer():
    net = network()
    nn.manual_seed(1)
    net.reset()
    first = values(net)
    nn.manual_seed(1)
    net.reset()
    assert equal(values(net), first)
    nn.manual_seed(1)
    net.reset(0.1)
    bound = 0.1 * np.sqrt(3)
    assert all(np.abs(w).max() <= bound for w in values(net)) and not equal(values(net), first)


# ---- the base classes themselves ---------------------------------------------------------------------


def test_a_module_must_say_what_it_does():
    module, criterion = nn.Module(), nn.Criterion()
    with pytest.raises(NotImplementedError, match=r"nn\.Module has no update_output"):
        module.forward(1)
    with pytest.raises(NotImplementedError, match=r"nn\.Module has no update_grad_input"):
        module.backward(1, 1)
    with pytest.raises(NotImplementedError, match=r"nn\.Criterion has no update_output"):
        criterion.forward(1, 1)
    with pytest.raises(NotImplementedError, match=r"nn\.Criterion has no update_grad_input"):
        criterion.backward(1, 1)


def test_backward_is_both_halves():
    layer = nn.Linear(4, 3).double()
    x = input(2, 4, dtype=np.float64)
    y = layer.forward(x)
    assert y is layer.output
    grad = layer.backward(x, y, 2.0)
    assert grad is layer.grad_input
    np.testing.assert_allclose(grad, y @ layer.weight, rtol=1e-14)
    np.testing.assert_allclose(layer.grad_weight, 2 * y.T @ x, rtol=1e-14)


def test_repr():
    assert repr(nn.Linear(4, 3)) == "nn.Linear(4 -> 3)"
    assert repr(network()) == "\n".join(
        [
            "nn.Sequential {",
            "  [input -> (1) -> (2) -> (3) -> (4) -> output]",
            "  (1): nn.Linear(4 -> 3)",
            "  (2): nn.Tanh",
            "  (3): nn.ConcatTable {",
            "    input",
            "      |`-> (1): nn.Linear(3 -> 2)",
            "       `-> (2): nn.Sequential {",
            "             [input -> (1) -> (2) -> output]",
            "             (1): nn.Linear(3 -> 2)",
            f"             (2): {nn.Dropout(0.5)!r}",
            "           }",
            "       ... -> output",
            "  }",
            "  (4): nn.CAddTable",
            "}",
        ]
    )
