"""Initial weights of convolutions and linear layers by their fan-in and fan-out.

    init.initialise(encoder, "xavier")

Each rule gives a standard deviation σ; weights are drawn from U(-√3 σ, √3 σ) by `reset(σ)`, and biases
set to zero. For a convolution fan_in = n_in · kh · kw and fan_out = n_out · kh · kw.
Source: the weight-init.lua that is published with viorik/ConvLSTM.
"""

import math

from .layers import Linear, SpatialConvolution, SpatialFullConvolution
from .module import Module
from .typing import Number


def heuristic(fan_in: Number, fan_out: Number) -> float:
    """Return σ = √(1 / (3 fan_in)). Source: LeCun, Bottou, Orr & Müller 1998, section 4.6."""
    return math.sqrt(1.0 / (3.0 * fan_in))


def xavier(fan_in: Number, fan_out: Number) -> float:
    """Return σ = √(2 / (fan_in + fan_out)). Source: Glorot & Bengio 2010, eq. 12."""
    return math.sqrt(2.0 / (fan_in + fan_out))


def xavier_caffe(fan_in: Number, fan_out: Number) -> float:
    """Return σ = √(1 / fan_in). Source: Caffe's "xavier" filler."""
    return math.sqrt(1.0 / fan_in)


def kaiming(fan_in: Number, fan_out: Number) -> float:
    """Return σ = √(4 / (fan_in + fan_out)). Source: He, Zhang, Ren & Sun 2015, with the mean of both fans."""
    return math.sqrt(4.0 / (fan_in + fan_out))


RULES = {rule.__name__: rule for rule in (heuristic, xavier, xavier_caffe, kaiming)}


def initialise(module: Module, rule: str) -> Module:
    """Draw the weights of every convolution and linear layer in `module` by `rule`; return the module.

    rule: "heuristic", "xavier", "xavier_caffe" or "kaiming". The walk reaches layers at any depth, also
    the gates of a recurrent module, whose biases it sets to zero too: set those afterwards.
    ValueError for an unknown rule.

        >>> from nnlite import init
        >>> net = init.initialise(nn.SpatialConvolution(1, 16, 7, 7), "xavier")
        >>> bound = np.sqrt(3) * init.xavier(1 * 49, 16 * 49)
        >>> bool(abs(net.weight).max() <= bound), bool(net.bias.any())
        (True, False)
    """
    if rule not in RULES:
        raise ValueError(f"init.initialise: rule must be one of {', '.join(RULES)}, got {rule!r}")
    for layer in module.list_modules():
        if isinstance(layer, Linear | SpatialConvolution | SpatialFullConvolution):
            area = 1 if isinstance(layer, Linear) else layer.kh * layer.kw
            layer.reset(RULES[rule](layer.n_in * area, layer.n_out * area))
            if layer.bias is not None:
                layer.bias.fill(0)
    return module
