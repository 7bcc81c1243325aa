"""The contract that every module keeps: sharing, copies, modes, the tree of modules, types."""

import numpy as np
import pytest

import nnlite as nn
from tests.toy_networks import equal, input, network, tied, values

# ---- sharing and copies ------------------------------------------------------------------------------


def test_share_is_recursive():
    net, other = network(), network()
    assert net.share(other, "weight", "grad_weight") is net
    assert net[2][1][0].weight is other[2][1][0].weight
    assert net[2][1][0].bias is not other[2][1][0].bias
    other[0].weight[...] = 4
    assert (net[0].weight == 4).all()


@pytest.mark.parametrize(
    "mine, theirs, message",
    [
        (nn.Linear(2, 3), nn.Linear(3, 2), r"Linear\.share: bias is .* \(3,\) on cpu here, .* \(2,\)"),
        (nn.Linear(2, 3), nn.Linear(2, 3).no_bias(), "here, absent in the other"),
        (nn.Linear(2, 3), nn.Linear(2, 3).double(), r"float32 \(3,\) on cpu here, float64 \(3,\)"),
    ],
)
def test_share_refuses_what_does_not_fit(mine, theirs, message):
    with pytest.raises(ValueError, match=message):
        mine.share(theirs, "bias")


def test_clone_is_independent():
    net = network()
    net.forward(input(2, 4))
    twin = net.clone()
    assert equal(values(twin), values(net)) and repr(twin) == repr(net)
    twin[0].weight[...] = 0
    twin[0].grad_weight[...] = 1
    assert net[0].weight.any() and not net[0].grad_weight.any()


@pytest.mark.parametrize("flattened", [False, True])
def test_clone_keeps_sharing_inside(flattened):
    net = tied()
    if flattened:
        net.get_parameters()
    twin = net.clone()
    twin[0].weight[...] = 5
    twin[0].grad_bias[...] = 6
    assert (twin[1].weight == 5).all() and (twin[1].grad_bias == 6).all()
    assert not (net[0].weight == 5).any()


@pytest.mark.parametrize("flattened", [False, True])
def test_shared_clone_shares_parameters_and_buffers_but_not_state(flattened):
    net = nn.Sequential(nn.SpatialConvolution(1, 2, 3, 3), nn.SpatialBatchNormalization(2))
    if flattened:
        net.get_parameters()
    x = input(2, 1, 5, 5)
    y = net.forward(x).copy()
    twin = net.shared_clone()
    assert twin.output is None and net.output is not None
    for mine, theirs in zip(net.named_parameters(), twin.named_parameters(), strict=True):
        assert mine[1] is theirs[1] and mine[2] is theirs[2]
    buffers = list(net.named_buffers())
    assert [path for path, _ in buffers] == ["1.running_mean", "1.running_var"]
    assert all(a is b for (_, a), (_, b) in zip(buffers, twin.named_buffers(), strict=True))
    twin.forward(2 * x)
    np.testing.assert_array_equal(net.output, y)


def test_clear_state_drops_what_calls_left():
    net = network()
    x = input(2, 4)
    net.backward(x, net.forward(x))
    grads = [grad.copy() for grad in net.parameters()[1]]
    assert net.clear_state() is net
    assert all(module.output is None and module.grad_input is None for module in net.list_modules())
    assert equal(net.parameters()[1], grads)
    net.backward(x, net.forward(x))


# ---- modes, tree, types ------------------------------------------------------------------------------


def test_training_and_evaluate_reach_every_module():
    net = network()
    assert all(module.train for module in net.list_modules())
    net.evaluate()
    assert not any(module.train for module in net.list_modules())
    x = input(2, 4)
    np.testing.assert_array_equal(net.forward(x).copy(), net.forward(x))
    net.training()
    assert all(module.train for module in net.list_modules())


def test_tree():
    net = network()
    classes = "Sequential Linear Tanh ConcatTable Linear Sequential Linear Dropout CAddTable"
    assert [type(module).__name__ for module in net.list_modules()] == classes.split()
    assert net.find_modules("Linear") == [net[0], net[2][0], net[2][1][0]]
    assert net.find_modules("Sequential") == [net, net[2][1]]
    assert net.find_modules("Sigmoid") == []
    named = dict(net.named_modules())
    assert named[""] is net and named["2.1.0"] is net[2][1][0] and len(named) == 9
    seen = []
    assert net.apply(seen.append) is net
    assert seen == net.list_modules()


def test_type():
    net = network()
    x = input(2, 4)
    net.evaluate()
    single = net.forward(x).copy()
    assert net.type() == np.float32
    assert net.double() is net and net.type() == np.float64
    assert all(module.dtype == np.float64 for module in net.list_modules())
    assert all(array.dtype == np.float64 for pair in net.parameters() for array in pair)
    assert net.output is None
    np.testing.assert_allclose(net.forward(x.astype(np.float64)), single, rtol=1e-5, atol=1e-6)
    net.float()
    np.testing.assert_array_equal(net.forward(x), single)


@pytest.mark.parametrize("flattened", [False, True])
def test_type_keeps_sharing(flattened):
    net = tied()
    if flattened:
        net.get_parameters()
    net.double()
    net[0].weight[...], net[0].grad_bias[...] = 5, 6
    assert (net[1].weight == 5).all() and (net[1].grad_bias == 6).all()
    assert net.get_parameters()[0].size == 12


def test_type_without_change_keeps_flat_parameters():
    net = network()
    flat, _ = net.get_parameters()
    net.float().cpu()
    flat[...] = 2
    assert (net[0].weight == 2).all()


def test_buffers_change_type():
    assert nn.SpatialBatchNormalization(2).double().running_mean.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.int64, np.float16])
def test_type_takes_floats_only(dtype):
    with pytest.raises(TypeError, match=r"nn\.Linear: dtype must be float32 or float64"):
        nn.Linear(1, 1).type(dtype)


def test_unknown_device():
    with pytest.raises(ValueError, match="device must be 'cpu' or 'cuda', got 'tpu'"):
        nn.Linear(1, 1).type(device="tpu")
