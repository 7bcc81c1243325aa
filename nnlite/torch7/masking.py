"""Memories whose step is masked: in Torch7 an nn.MaskZero around the network of a step."""

from .kind import Argument, is_object, plain

#: The last argument of a memory's `build`: over how many dimensions of its input a step is masked, or None.
MASK = Argument("maskedDims", plain, None, None)


def unwrapped(fields, version, library):
    """Take the nn.MaskZero off the network of a step, and note its dimensions for `MASK`."""
    network = fields.get("recurrentModule")
    if is_object(network, "nn.MaskZero"):
        inside = network.contents
        fields |= {"recurrentModule": inside.get("module"), "maskedDims": inside.get("nInputDim")}
    return fields


def masked(cls):
    """Return the `build` that makes a memory of this class and masks its steps where the file does."""

    def build(inside, *arguments):
        *arguments, n_input_dim = arguments
        memory = cls(*arguments)
        return memory if n_input_dim is None else memory.mask_zero(n_input_dim)

    return build
