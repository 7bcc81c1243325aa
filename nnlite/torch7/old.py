"""What Torch7 does, when it reads or runs them, to objects from before some of their fields existed.

Each function takes the fields (a copy, to be changed), the version of the class and the library, and returns
the fields that today's class has.
"""

import numpy as np

from .kind import longs


def convolution(fields, version, library):
    """SpatialConvolution(MM): a single `padding` stood for both."""
    if "padding" in fields:
        fields["padW"] = fields["padH"] = fields["padding"]
    return {"dW": 1, "dH": 1, "padW": 0, "padH": 0} | fields


def max_pooling(fields, version, library):
    """SpatialMaxPooling: windows side by side, without padding."""
    steps = {"dW": fields.get("kW"), "dH": fields.get("kH")}
    return steps | {"padW": 0, "padH": 0, "ceil_mode": False} | fields


def average_pooling(fields, version, library):
    """SpatialAveragePooling: before it had `ceil_mode` it had no padding, before `divide` it summed.

    (That of cudnn has no `divide` and takes the mean.)
    """
    if "ceil_mode" not in fields:
        fields |= {"padW": 0, "padH": 0, "ceil_mode": False, "count_include_pad": True}
    default = {"dW": 1, "dH": 1, "padW": 0, "padH": 0, "count_include_pad": True}
    return default | {"divide": library == "cudnn"} | fields


def batch_normalization(fields, version, library):
    """BatchNormalization: version 1 kept 1 / √(variance + ε), and no `affine` where it was not."""
    fields = {"eps": 1e-5, "momentum": 0.1, "affine": "weight" in fields} | fields
    if version < 2 and isinstance(fields.get("running_std"), np.ndarray):
        with np.errstate(divide="ignore"):
            fields["running_var"] = fields["running_std"] ** -2.0 - fields["eps"]
    return fields


def cmul(fields, version, library):
    """CMul: `size` is the shape of the weight."""
    weight = fields.get("weight")
    return ({"size": longs(weight.shape)} if isinstance(weight, np.ndarray) else {}) | fields


def divisive_normalization(fields, version, library):
    """SpatialDivisiveNormalization: what replaces small deviations is by default the threshold."""
    fields.setdefault("threshold", 1e-4)
    fields.setdefault("thresval", fields["threshold"])
    return fields
