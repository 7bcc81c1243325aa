"""The same as `kinds.py` for functions of one element, and layers that hand their input on."""

import nnlite as nn

from .kind import Kind, empty, index, same


def _in_place(module):
    """Return the field of layers that may write to their input in Torch7."""
    return {"inplace": False}


def _shrinking(module):
    return {"tanh": nn.Tanh().type(module.dtype)}


def _concatenated(module):
    """Return the fields of CReLU, the network that it is in Torch7 among them."""
    both = nn.ConcatTable(nn.Identity(), nn.MulConstant(-1))
    network = {1: both, 2: nn.JoinTable(1), 3: nn.ReLU()}
    for part in network.values():
        part.type(module.dtype)
    return {"modules": network, "inplace": False}


_SHRINKAGE = Kind((same("lambda", "lambda_", 0.5),))

POINTWISE_KINDS = {
    "Threshold": Kind((same("threshold"), same("val")), extra=_in_place),
    "ReLU6": Kind(extra=_in_place),
    "LeakyReLU": Kind((same("negval"),), extra=_in_place),
    "PReLU": Kind((same("nOutputPlane", "n_output_plane"),)),
    "RReLU": Kind(
        (same("lower"), same("upper")), extra=lambda module: {"inplace": False, "noise": empty(module)}
    ),
    "ELU": Kind((same("alpha", default=1),), extra=_in_place),
    "CReLU": Kind((same("nInputDims", "n_input_dims"),), extra=_concatenated, parts=lambda fields: {}),
    "HardShrink": _SHRINKAGE,
    "SoftShrink": _SHRINKAGE,
    "TanhShrink": Kind(extra=_shrinking),
    "Exp": Kind(),
    "Log": Kind(),
    "Power": Kind((same("pow"),)),
    "SoftPlus": Kind((same("beta"),), fixed={"threshold": 20}),
    "SoftSign": Kind(),
    "SoftMin": Kind(extra=lambda module: {"mininput": empty(module)}),
    "SpatialSoftMax": Kind(),
    "GatedLinearUnit": Kind((index("dim", default=-1),)),
    "GradientReversal": Kind((same("lambda", "lambda_", 1),)),
    "ZeroGrad": Kind(),
    "L1Penalty": Kind(
        (
            same("l1weight"),
            same("sizeAverage", "size_average", False),
            same("provideOutput", "provide_output", True),
        )
    ),
    "WhiteNoise": Kind((same("mean"), same("std")), extra=lambda module: {"noise": empty(module)}),
    "Copy": Kind(),
    "Contiguous": Kind(),
}
