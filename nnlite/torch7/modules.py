"""Converts `nn` objects of .t7 files to nnlite modules; `kinds.py` says which and how."""

import math
from operator import attrgetter
from typing import Any

import numpy as np

import nnlite as nn

from .. import backend
from ..random import default_generator
from .kind import ARRAYS, REQUIRED, described, is_object, plain, read_module
from .kinds import KINDS
from .types import ELEMENTS, Torch7Error, TorchObject, as_list

#: Older and other names of classes that are one here.
ALIASES = {"SpatialConvolutionMM": "SpatialConvolution"}
#: The most places in a net, a shared module counted at each of its own. A file of a hundred objects, each
#: holding the next one twice, would have 2¹⁰⁰.
MAX_PLACES = 100_000
_UNDER_WAY = object()


def to_module(obj: Any) -> Any:
    """Return the nnlite module of an nn (or cudnn) object that `load` read.

    It has the dtype, the mode and the parameters of the object; modules and parameters that are shared
    there are shared here. Fields that older versions of Torch7 lacked are taken as it takes them. Of a
    recurrent module parameters are read, not the state of a sequence under way.
    Torch7Error, with all that is wrong and its place in the tree, for classes without a counterpart or with
    options that have none, for missing or misshapen fields, and for a net whose sharing makes it larger than
    MAX_PLACES.
    """
    state = default_generator.get_state()
    builder = _Builder()
    try:
        module = builder.module(obj, "top")
    except RecursionError:
        raise Torch7Error("torch7.to_module: modules are nested too deeply") from None
    finally:
        default_generator.set_state(state)  # building drew initial weights that are about to be replaced
    builder.refuse()
    module.type(_dtype(obj, builder))
    for part, fields, place in builder.parts:
        builder.fill(part, fields, place)
    builder.refuse()
    return module


class _Builder:
    """Builds modules: `modules` by identity of their object, `parts` in order, `arrays` by memory.

    `places` counts a module and all below it, by its identity. `unknown` has the places of classes without a
    counterpart, `problems` all other reasons why there is no module.
    """

    def __init__(self):
        self.modules, self.parts, self.arrays, self.places = {}, [], {}, {}
        self.unknown, self.problems = {}, []

    def refuse(self):
        """Raise Torch7Error when anything was found that cannot be converted."""
        found = [f"there is no module for the {name} at {', '.join(at)}" for name, at in self.unknown.items()]
        found += self.problems
        if len(found) > 1:
            found = [f"{len(found)} things cannot be converted:", *found]
        if found:
            raise Torch7Error("torch7.to_module: " + "\n  ".join(found))

    def note(self, problem):
        """Note a problem; return None, which stands for the module that there is not."""
        self.problems.append(problem)

    def found(self):
        """Return how much there is so far that cannot be converted."""
        return len(self.problems) + sum(map(len, self.unknown.values()))

    def module(self, obj, place):
        """Return the module of `obj`, found at `place` in the tree; note why and return None if none."""
        if not is_object(obj):
            return self.note(f"expected an nn object at {place}, got {described(obj)}")
        if id(obj) in self.modules:
            if self.modules[id(obj)] is _UNDER_WAY:
                return self.note(f"the {obj.class_name} at {place} contains itself")
            return self.modules[id(obj)]
        library, name = _class(obj)
        self.modules[id(obj)] = _UNDER_WAY
        if library not in ("nn", "cudnn") or name not in KINDS:
            self.unknown.setdefault(obj.class_name, []).append(place)
            modules = obj.contents.get("modules")
            for i, child in enumerate(as_list(modules) if isinstance(modules, dict) else [], 1):
                self.module(child, f"{place}.modules[{i}]")  # what else is unknown is to be known at once
            module = None
        else:
            module = self.known(obj, library, name, place)
        self.modules[id(obj)] = module
        return module

    def known(self, obj, library, name, place):
        """Return the module of an object of a class that has a counterpart."""
        kind = KINDS[name]
        before = self.found()
        try:
            _check_memory(obj.contents)
            fields = kind.old(dict(obj.contents), obj.version, library)
            inside = self.inside(kind, fields, place)
            _check_fixed(kind, fields, library)
            arguments = [self.argument(argument, fields, place) for argument in kind.arguments]
            kind.check(fields)
            module = self.build(name, kind, inside, arguments, fields, place)
            if module is None or self.found() > before:
                return None
            layers = self.layers(kind, module, fields, place)
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, MemoryError) as error:
            return self.note(f"the {obj.class_name} at {place} cannot be built: {error}")
        if self.count(module) > MAX_PLACES:
            shared = f"shares its modules among more than {MAX_PLACES} places"
            return self.note(f"the {obj.class_name} at {place} {shared}")
        if fields.get("bias") is None and hasattr(module, "no_bias"):
            module.no_bias()
        known = {id(other) for other in self.modules.values()} if kind.parts else set()
        for new in module.list_modules() if kind.parts else [module]:
            if id(new) not in known:
                new.train = fields.get("train") is not False
        self.parts += [*layers, (module, fields, place)]
        return module

    def count(self, module):
        """Return the number of places of a module and all below it, without a visit to each of them."""
        if id(module) not in self.places:
            self.places[id(module)] = 1 + sum(self.count(below) for _, below in module.children())
        return self.places[id(module)]

    def inside(self, kind, fields, place):
        """Return the modules in the field `modules`."""
        children = fields.get("modules", {})
        if kind.parts or kind.assemble:
            return []
        if not isinstance(children, dict) or len(as_list(children)) != len(children):
            raise ValueError(f"modules must be a table of nn objects 1..n, got {described(children)}")
        return [self.module(child, f"{place}.modules[{i}]") for i, child in enumerate(as_list(children), 1)]

    def layers(self, kind, module, fields, place):
        """Return (layer of the module, its fields, place) of a class that is assembled from layers."""
        objects, found = kind.parts(fields) if kind.parts else {}, []
        for path, obj in objects.items():
            layer = attrgetter(path)(module)
            if _class(obj)[1] != type(layer).__name__:
                raise ValueError(
                    f"{path} is an {obj.class_name}, it can only be {getattr(layer, 'name', 'absent')}"
                )
            _check_memory(obj.contents)
            found.append((layer, obj.contents, f"{place}.{path}"))
        for name, _, _ in module.named_parameters() if objects else ():
            if name.rpartition(".")[0] not in objects:
                raise ValueError(f"{name.rpartition('.')[0]} is missing")
        return found

    def argument(self, argument, fields, place):
        """Return one argument of a constructor."""
        value = fields.get(argument.field)
        if value is None:
            if argument.default is REQUIRED:
                raise ValueError(f"the field {argument.field} is missing")
            return argument.default
        if isinstance(value, TorchObject) and argument.read is read_module:
            return self.module(value, f"{place}.{argument.field}")
        try:
            return argument.read(value)
        except ValueError as error:
            raise ValueError(f"field {argument.field}: {error}") from None

    def build(self, name, kind, inside, arguments, fields, place):
        """Return a new module that holds the modules `inside`; None when one of these is missing."""
        if kind.assemble:
            return kind.assemble(fields, lambda obj, path: self.module(obj, f"{place}.{path}"))
        if None in inside or any(
            value is None and isinstance(fields.get(argument.field), TorchObject)
            for argument, value in zip(kind.arguments, arguments)
        ):
            return None
        if kind.build:
            return kind.build(inside, *arguments)
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
            if not isinstance(theirs, np.ndarray) or not _fits(theirs.shape, mine.shape):
                got = getattr(theirs, "shape", theirs)
                what = f"{field} of the {module.name} at {place}"
                self.note(f"{what} must be a tensor of shape {mine.shape}, got {got!r}")
                continue
            key = backend.pointer(theirs), theirs.strides, mine.shape
            if key in self.arrays:
                setattr(module, attribute, self.arrays[key])
            else:
                mine[...] = theirs.reshape(mine.shape)
                self.arrays[key] = mine


def _class(obj):
    """Return library and class of an object, by the name that the class has here."""
    library, _, name = obj.class_name.rpartition(".")
    return library, ALIASES.get(name, name)


def _fits(theirs, mine):
    """Tell whether a tensor of a file has the shape of an array here, or the older one of a convolution."""
    older = (mine[0], math.prod(mine[1:])), (1, *mine)
    return theirs == mine or (len(mine) == 4 and theirs in older)


def _check_memory(fields):
    """Raise ValueError for a tensor that claims more numbers than there are behind it."""
    for field in (*ARRAYS.values(), "running_std", "kernel"):
        array = fields.get(field)
        if isinstance(array, np.ndarray) and array.size:
            reach = sum((n - 1) * stride for n, stride in zip(array.shape, array.strides))
            if array.size > 1 + reach // array.itemsize:
                raise ValueError(f"{field} of shape {array.shape} repeats the same numbers")


def _check_fixed(kind, fields, library):
    """Raise ValueError for an option that has no counterpart here (cudnn's classes lack some fields)."""
    for field, value in kind.fixed.items():
        found = fields.get(field, value if library == "cudnn" else None)
        if isinstance(found, np.ndarray) or found != value:
            raise ValueError(f"{field} = {described(found)} has no counterpart, only {value!r} has")
    if plain(fields.get("groups", 1)) != 1:
        raise ValueError(f"a convolution in {fields['groups']} groups has no counterpart")


def _dtype(obj, builder):
    """Return the dtype of a net: that of its `_type`, in files without that of its first weight."""
    element = str(obj.contents.get("_type", "")).removeprefix("torch.").removesuffix("Tensor")
    if element:
        return np.float64 if ELEMENTS.get(element) == np.float64 else np.float32
    weights = [fields["weight"] for _, fields, _ in builder.parts if fields.get("weight") is not None]
    return weights[0].dtype if weights and weights[0].dtype in backend.FLOAT_DTYPES else np.float32
