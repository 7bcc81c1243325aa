"""Converts nnlite modules to the `nn` objects that .t7 files hold; `kinds.py` says which and how."""

import numpy as np

import nnlite as nn

from .. import backend
from .kind import ARRAYS
from .kinds import KINDS
from .types import Torch7Error, TorchObject

#: Classes here that Torch7 knows as a network of another class.
WRITTEN_AS = {nn.Gate: "Sequential"}


def from_module(module: nn.Module) -> TorchObject:
    """Return `module` as an nn object that `save` writes and Torch7 can load.

    Its arrays are those of the module, not copies (on the GPU: copies). Torch7Error for a class
    that .t7 files do not have, or that is only read from them.

        >>> import os, tempfile
        >>> from nnlite import torch7
        >>> net = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "model.t7")
        ...     torch7.save(path, torch7.from_module(net))
        ...     same = torch7.to_module(torch7.load(path))
        >>> bool((same[0].weight == net[0].weight).all())
        True
    """
    try:
        return _object(module, {})[1]
    except RecursionError:
        raise Torch7Error("torch7.from_module: modules are nested too deeply") from None


def _object(module, known):
    """Return (module, its TorchObject); `known` holds these for the modules seen before, by identity."""
    if id(module) in known:
        return known[id(module)]
    name = WRITTEN_AS.get(type(module), type(module).__name__)
    kind = KINDS.get(name)
    if kind is None or kind.extra is None:
        can = "cannot be written to" if kind else "has no counterpart in"
        raise Torch7Error(f"torch7.from_module: {module.name} {can} a .t7 file")
    element = "Double" if module.dtype == np.float64 else "Float"
    fields = {"_type": f"torch.{element}Tensor", "train": module.train}
    fields |= {"output": np.empty(0, module.dtype), "gradInput": np.empty(0, module.dtype)}
    # The module is kept with it: one made on the way would otherwise leave its identity to the next.
    known[id(module)] = module, TorchObject(f"nn.{name}", fields, kind.version)
    if isinstance(module, nn.Container):
        fields["modules"] = dict(enumerate(module.modules, 1))
    fields |= kind.fixed | kind.extra(module)
    for argument in kind.arguments:
        value = argument.write(module) if argument.write else None
        if value is not None:
            fields[argument.field] = value
    for attribute, field in ARRAYS.items():
        if getattr(module, attribute, None) is not None:
            fields[field] = backend.as_numpy(getattr(module, attribute))
    for field, value in fields.items():
        fields[field] = _with_objects(value, known)
    kind.link(fields)
    return known[id(module)]


def _with_objects(value, known):
    """Return a field's value with objects in place of modules."""
    if isinstance(value, dict):
        return {key: _with_objects(entry, known) for key, entry in value.items()}
    return _object(value, known)[1] if isinstance(value, nn.Module) else value
