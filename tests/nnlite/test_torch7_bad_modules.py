"""Torch7 files: objects and modules that have no counterpart, and nets that contain or share themselves."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import torch7


def linear(**changes):
    fields = torch7.from_module(nn.Linear(2, 3)).contents | changes
    return torch7.TorchObject("nn.Linear", {key: value for key, value in fields.items() if value is not ...})


def convolution(**changes):
    fields = torch7.from_module(nn.SpatialConvolution(3, 4, 2, 2)).contents | changes
    return torch7.TorchObject(
        "nn.SpatialConvolution", {key: value for key, value in fields.items() if value is not ...}
    )


def sequential(*inside):
    return torch7.TorchObject("nn.Sequential", {"modules": dict(enumerate(inside, 1))})


@pytest.mark.parametrize(
    "obj, message",
    [
        ({"net": linear(), 1: 2}, "expected an nn object at top, got a table with the keys 'net', 1"),
        (np.ones((2, 3)), r"expected an nn object at top, got an array of shape \(2, 3\)"),
        (torch7.TorchObject("nn.Linear", None), "expected an nn object at top"),
        (
            sequential(linear(), sequential(torch7.TorchObject("nn.VolumetricConvolution", {}))),
            r"no module for the nn\.VolumetricConvolution at top.mod",
        ),
        (torch7.TorchObject("os.Tanh", {}), r"no module for the os\.Tanh at top"),
        (
            sequential(linear(weight=...)),
            r"Linear at top\.modules\[1\] cannot be built: the field weight is missing",
        ),
        (
            linear(bias=np.zeros(4)),
            r"bias of the nn\.Linear at top must be a tensor of shape \(3,\), got \(4,\)",
        ),
        (
            torch7.TorchObject("nn.Sqrt", {"eps": 0.1}),
            "eps = 0.1 has no counterpart, only 0 has",
        ),
        (torch7.TorchObject("nn.ReLU", {}), "the field threshold is missing"),
        (
            torch7.TorchObject("nn.CMul", {"size": torch7.Storage(np.array([2**40])), "weight": np.ones(2)}),
            r"weight must be a tensor of shape \(1099511627776,\), got \(2,\)",
        ),
        (
            torch7.TorchObject(
                "nn.BatchNormalization", {"running_std": np.broadcast_to(np.float32(1), (2**20, 2**20))}
            ),
            "running_std of shape .* repeats the same numbers",
        ),
        (torch7.TorchObject("nn.Dropout", {"p": 2, "v2": True}), r"nn\.Dropout at top cannot be built: "),
        (torch7.TorchObject("nn.Tanh", {"modules": {1: linear()}}), r"nn\.Tanh at top cannot be built"),
        (
            torch7.TorchObject("nn.Sequential", {"modules": 5}),
            "modules must be a table of nn objects 1..n, got 5",
        ),
        (
            torch7.TorchObject("nn.Sequential", {"modules": {1: linear(), 3: linear()}}),
            "must be a table of nn obj",
        ),
        (
            convolution(weight=np.zeros((3, 4, 2, 2))),
            r"must be a tensor of shape \(4, 3, 2, 2\), got \(3, 4, 2, 2\)",
        ),
        (convolution(weight=...), r"weight must be a tensor of shape \(4, 3, 2, 2\), got None"),
        (convolution(nInputPlane=2**40), r"weight must be a tensor of shape \(4, 1099511627776, 2, 2\)"),
        (convolution(kW="2"), "expected a number or a boolean, got '2'"),
        (
            linear(weight=np.broadcast_to(np.float32(1), (2**20, 2**20))),
            r"weight of shape \(1048576, 1048576\) repeats the same numbers",
        ),
        (
            torch7.TorchObject("nn.JoinTable", {"dimension": 0}),
            "a whole number that counts from 1 or from -1",
        ),
        (
            torch7.TorchObject("nn.SpatialMaxUnpooling", {"pooling": 3}),
            "expected an nn object, got 3",
        ),
    ],
)
def test_objects_that_cannot_be_modules(obj, message):
    with pytest.raises(ValueError, match=message):
        torch7.to_module(obj)


def test_net_that_contains_itself():
    net = sequential(linear())
    net.contents["modules"][2] = net
    with pytest.raises(ValueError, match=r"the nn\.Sequential at top\.modules\[2\] contains itself"):
        torch7.to_module(net)


def test_everything_that_cannot_be_converted_is_named_at_once():
    """Also what is inside a container of an unknown class, and a part that occurs at several places once."""
    maxout = torch7.TorchObject("nn.Maxout", {})
    wrapper = torch7.TorchObject(
        "my.Wrapper", {"modules": {1: torch7.TorchObject("nn.VolumetricConvolution", {}), 2: linear()}}
    )
    net = sequential(
        maxout, sequential(linear(weight=...), maxout, torch7.TorchObject("nn.Maxout", {})), wrapper
    )
    with pytest.raises(torch7.Torch7Error) as caught:
        torch7.to_module(net)
    assert str(caught.value) == (
        "torch7.to_module: 4 things cannot be converted:\n"
        "  there is no module for the nn.Maxout at top.modules[1], top.modules[2].modules[3]\n"
        "  there is no module for the my.Wrapper at top.modules[3]\n"
        "  there is no module for the nn.VolumetricConvolution at top.modules[3].modules[1]\n"
        "  the nn.Linear at top.modules[2].modules[1] cannot be built: the field weight is missing"
    )
    with pytest.raises(torch7.Torch7Error) as caught:
        torch7.to_module(sequential(linear(bias=np.zeros(4)), linear(bias=np.zeros(5))))
    assert "modules[1] must be" in str(caught.value) and "modules[2] must be" in str(caught.value)


@pytest.mark.parametrize("levels", [17, 100])
def test_net_whose_sharing_makes_it_too_large(levels):
    net = linear()
    for _ in range(levels):
        net = sequential(net, net)
    with pytest.raises(ValueError, match=r"nn\.Sequential at top.* shares its modules among more than 1000"):
        torch7.to_module(net)


def test_net_that_shares_a_module_at_many_places():
    net = linear()
    for _ in range(8):
        net = sequential(net, net)
    assert len(torch7.to_module(net).list_modules()) == 2**9 - 1


def test_module_without_counterpart():
    with pytest.raises(ValueError, match=r"nn\.Mine has no counterpart in a \.t7 file"):
        torch7.from_module(nn.Sequential(type("Mine", (nn.Tanh,), {})()))


def test_modules_nested_too_deeply():
    obj, module = linear(), nn.Linear(2, 3)
    for _ in range(5000):
        obj, module = sequential(obj), nn.Sequential(module)
    with pytest.raises(ValueError, match="modules are nested too deeply"):
        torch7.to_module(obj)
    with pytest.raises(ValueError, match="modules are nested too deeply"):
        torch7.from_module(module)
