"""Converts `nn` objects of .t7 files to nnlite modules and back; `kinds.py` says which and how."""

import numpy as np

import nnlite as nn

from .. import backend
from ..random import default_generator
from .kinds import KINDS, REQUIRED
from .types import DTYPES, TorchObject, as_list

#: Older and other names of classes that are one here.
ALIASES = {"SpatialConvolutionMM": "SpatialConvolution"}

#: The arrays of a module and Torch7's fields for them.
ARRAYS = {
    "weight": "weight",
    "bias": "bias",
    "grad_weight": "gradWeight",
    "grad_bias": "gradBias",
    "running_mean": "running_mean",
    "running_var": "running_var",
}


def to_module(obj):
    """Return the nnlite module of an nn (or cudnn) object that `load` read.

    It has the dtype, the mode and the parameters of the object; modules and parameters that are shared
    there are shared here. ValueError, saying where in the tree, for a class without a counterpart or with
    options that have none, and for missing or misshapen fields.
    """
    state = default_generator.get_state()
    builder = _Builder()
    try:
        module = builder.module(obj, "top")
    finally:
        default_generator.set_state(state)  # building drew initial weights that are about to be replaced
    module.type(_dtype(obj, builder))
    for part, fields, place in builder.parts:
        builder.fill(part, fields, place)
    return module


def from_module(module):
    """Return `module` as an nn object that `save` writes and Torch7 can load.

    Its arrays are those of the module, not copies (on the GPU: copies). ValueError for a class that
    `to_module` could not read back.
    """
    return _object(module, {})


class _Builder:
    """Builds modules: `modules` by identity of their object, `parts` in order, `arrays` by memory."""

    def __init__(self):
        self.modules, self.parts, self.arrays = {}, [], {}

    def module(self, obj, place):
        """Return the module of `obj`, which is found at `place` in the tree."""
        if not isinstance(obj, TorchObject) or not isinstance(obj.contents, dict):
            raise ValueError(f"torch7.to_module: expected an nn object at {place}, got {obj!r}")
        if id(obj) in self.modules:
            if self.modules[id(obj)] is None:
                raise ValueError(f"torch7.to_module: the {obj.class_name} at {place} contains itself")
            return self.modules[id(obj)]
        library, _, name = obj.class_name.rpartition(".")
        name = ALIASES.get(name, name)
        if library not in ("nn", "cudnn") or name not in KINDS:
            raise ValueError(f"torch7.to_module: there is no module for the {obj.class_name} at {place}")
        self.modules[id(obj)] = None
        fields = obj.contents
        children = fields.get("modules")
        inside = [
            self.module(child, f"{place}.modules[{i}]")
            for i, child in enumerate(as_list(children) if isinstance(children, dict) else [], 1)
        ]
        try:
            _check_fixed(KINDS[name], fields, library)
            arguments = [self.argument(argument, fields, place) for argument in KINDS[name].arguments]
            module = self.build(name, inside, arguments)
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            what = f"the {obj.class_name} at {place}"
            raise ValueError(f"torch7.to_module: {what} cannot be built: {error}") from error
        if fields.get("bias") is None and hasattr(module, "no_bias"):
            module.no_bias()
        module.train = fields.get("train") is not False
        self.modules[id(obj)] = module
        self.parts.append((module, fields, place))
        return module

    def argument(self, argument, fields, place):
        """Return one argument of a constructor."""
        value = fields.get(argument.field)
        if isinstance(value, TorchObject):
            return self.module(value, f"{place}.{argument.field}")
        if value is not None:
            return argument.read(value)
        if argument.default is REQUIRED:
            raise ValueError(f"the field {argument.field} is missing")
        return argument.default

    def build(self, name, inside, arguments):
        """Return a new module that holds the modules `inside`."""
        if KINDS[name].build:
            return KINDS[name].build(inside, *arguments)
        module = getattr(nn, name)(*arguments)
        for child in inside:
            module.add(child)
        return module

    def fill(self, module, fields, place):
        """Copy arrays into a module; share them instead where the object's were seen before."""
        for attribute, field in ARRAYS.items():
            mine, theirs = getattr(module, attribute, None), fields.get(field)
            if mine is None or (theirs is None and attribute.startswith("grad_")):
                continue
            if not isinstance(theirs, np.ndarray) or theirs.size != mine.size:
                raise ValueError(
                    f"torch7.to_module: {field} of the {module.name} at {place} must be a tensor of shape "
                    f"{mine.shape}, got {getattr(theirs, 'shape', theirs)!r}"
                )
            key = backend.pointer(theirs), theirs.strides, mine.shape
            if key in self.arrays:
                setattr(module, attribute, self.arrays[key])
            else:
                mine[...] = theirs.reshape(mine.shape)
                self.arrays[key] = mine


def _check_fixed(kind, fields, library):
    """Raise ValueError for an option that has no counterpart here (cudnn's classes lack some fields)."""
    for field, value in kind.fixed.items():
        found = fields.get(field, value if library == "cudnn" else None)
        if found != value:
            raise ValueError(f"{field} = {found!r} has no counterpart, only {value!r} has")
    if fields.get("groups", 1) != 1:
        raise ValueError(f"a convolution in {fields['groups']} groups has no counterpart")


def _dtype(obj, builder):
    """Return the dtype of a net: that of its `_type`, in files without that of its first weight."""
    element = str(obj.contents.get("_type", "")).removeprefix("torch.").removesuffix("Tensor")
    if element:
        element = element.removeprefix("Cuda") or "Float"
        return np.float64 if DTYPES.get(element) == np.float64 else np.float32
    weights = [fields["weight"] for _, fields, _ in builder.parts if fields.get("weight") is not None]
    return weights[0].dtype if weights and weights[0].dtype in backend.FLOAT_DTYPES else np.float32


def _object(module, known):
    """Return the TorchObject of a module; `known` holds those of the modules seen before, by identity."""
    if id(module) in known:
        return known[id(module)]
    name = type(module).__name__
    if name not in KINDS:
        raise ValueError(f"torch7.from_module: {module.name} has no counterpart in a .t7 file")
    kind = KINDS[name]
    element = "Double" if module.dtype == np.float64 else "Float"
    fields = {"_type": f"torch.{element}Tensor", "train": module.train}
    fields |= {"output": np.empty(0, module.dtype), "gradInput": np.empty(0, module.dtype)}
    fields |= kind.fixed | kind.extra(module)
    known[id(module)] = TorchObject(f"nn.{name}", fields)
    for argument in kind.arguments:
        value = argument.write(module) if argument.write else None
        if value is not None:
            fields[argument.field] = _object(value, known) if isinstance(value, nn.Module) else value
    if isinstance(module, nn.Container):
        fields["modules"] = {i: _object(child, known) for i, child in enumerate(module.modules, 1)}
    for attribute, field in ARRAYS.items():
        if getattr(module, attribute, None) is not None:
            fields[field] = backend.as_numpy(getattr(module, attribute))
    return known[id(module)]
