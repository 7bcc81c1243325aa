"""A record of every forward and backward call of a model's modules.

    with nn.trace(model) as t:
        model.forward(x)
        model.backward(x, g)
    print(t)

While a trace is open, the methods of the model's classes are replaced by ones that record each call and make
it; when it is closed, also by an error, they are put back. Modules of other models are not recorded, and
without an open trace there is no overhead.
"""

import functools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import backend
from .module import Module
from .recurrent import AbstractRecurrent, Recurrent

#: The methods that are recorded; `backward` only where a class, a container, does both passes in one.
METHODS = ("update_output", "update_grad_input", "acc_grad_parameters", "backward")

#: The largest number of time steps that the printed account shows side by side.
COLUMNS = 10


@dataclass
class Signal:
    """An array or a table as a call received or returned it.

    shape: a tuple; of a table the list of its entries' shapes. norm: the Euclidean norm of all entries
    together, computed in float64. array: a copy with the structure of the original, None unless requested.
    entries: the Signals of a table's entries, () for an array.
    """

    shape: tuple[int, ...] | list[Any]
    norm: float
    array: Any = None
    entries: tuple["Signal", ...] = ()


@dataclass
class Call:
    """One call of one module.

    index: its place in `Trace.calls`. method: one of METHODS. path: the module's; "" is the model itself.
    kind: the name of its class. step: the time step (0 the first), None outside of recurrent modules and
    where a module takes a whole sequence. depth: the number of calls it is nested in. input, output,
    grad_output, grad_input: Signals, None where the method has none, or where it raised an error. scale: of
    the methods that accumulate. gradients: {path: Signal} of what this call (not the calls inside it) added
    to the gradient of each parameter, scale included.
    """

    index: int
    method: str
    path: str
    kind: str
    step: int | None
    depth: int
    input: Signal | None = None
    output: Signal | None = None
    grad_output: Signal | None = None
    grad_input: Signal | None = None
    scale: float | None = None
    gradients: dict[str, Signal] = field(default_factory=dict)


class Trace:
    """The record that `trace` makes.

    model: the traced module. modules: {path: module} of all that is in it, parents first. Paths are those of
    `named_parameters` without the parameter's name: the gate "2.input_gate", not its place in an assembled
    container. calls: the list of `Call`s, in the order in which they began.
    """

    def __init__(self, model: Module, arrays: bool | Callable[[Call], bool] = False) -> None:
        if not isinstance(model, Module):
            raise TypeError(f"nn.trace takes a module, got {type(model).__name__}")
        self.model = model
        self.modules: dict[str, Module] = {}
        self.calls: list[Call] = []
        self._wants_arrays = arrays if callable(arrays) else lambda call: bool(arrays)
        self._known: dict[int, Any] = {}
        self._frames: list[Any] = []
        self._replaced: list[Any] = []
        self._gradients: dict[int, Any] = {}

    def select(
        self, path: str | None = None, method: str | None = None, step: int | None = None
    ) -> list[Call]:
        """Return the calls that agree with everything given, in order."""
        criteria = {"path": path, "method": method, "step": step}
        criteria = {name: value for name, value in criteria.items() if value is not None}
        return [c for c in self.calls if all(getattr(c, name) == value for name, value in criteria.items())]

    def __enter__(self) -> "Trace":
        if self._replaced:
            raise RuntimeError("this trace is open already; make another one with nn.trace(model)")
        self.modules = {path: module for path, module in _named(self.model, "", set())}
        self._known = {id(module): (module, path) for path, module in self.modules.items()}
        classes = dict.fromkeys(type(module) for module in self.modules.values())
        # All are looked up before the first is replaced: one class may inherit from another.
        methods = [
            (cls, name, getattr(cls, name))
            for cls in classes
            for name in METHODS
            if name != "backward" or cls.backward is not Module.backward
        ]
        for cls, name, function in methods:
            self._replaced.append((cls, name, vars(cls).get(name)))
            setattr(cls, name, self._recorded(name, function))
        return self

    def __exit__(self, *error: object) -> None:
        for cls, name, own in reversed(self._replaced):
            if own is None:  # it was inherited
                delattr(cls, name)
            else:
                setattr(cls, name, own)
        self._replaced, self._gradients = [], {}

    # ---- recording ----------------------------------------------------------------------------------------

    def _recorded(self, method, function):
        """Return `function`, the `method` of some class, recorded before and after."""

        @functools.wraps(function)
        def recorded(module, input, *rest, **named):
            frame = self._begin(module, method, input, *rest, **named)
            if frame is None:
                return function(module, input, *rest, **named)
            self._frames.append(frame)
            try:
                result = function(module, input, *rest, **named)
            finally:
                self._frames.pop()
            self._end(frame, result)
            return result

        return recorded

    def _begin(self, module, method, input, grad_output=None, scale=1.0):
        """Record the arguments of a call; None for a module of another model, and for super().method()."""
        outer = self._frames[-1] if self._frames else None
        path = self._path(module, outer)
        if path is None or (outer and outer.module is module and outer.call.method == method):
            return None
        step = self._step(module, method, outer)
        call = Call(len(self.calls), method, path, type(module).__name__, step, len(self._frames))
        self.calls.append(call)
        copy = self._wants_arrays(call)
        call.input = _signal(input, copy)
        if method != "update_output":
            call.grad_output = _signal(grad_output, copy)
        if method in ("acc_grad_parameters", "backward"):
            call.scale = scale
            if all(frame.call.scale is None for frame in self._frames):
                self._gradients = {id(grad): grad.copy() for grad in self.model.parameters()[1]}
            for frame in self._frames:
                frame.accumulates_alone = False
        return SimpleNamespace(module=module, call=call, copy=copy, accumulates_alone=True)

    def _end(self, frame, result):
        """Record the result of a call and what it added to the gradients."""
        module, call = frame.module, frame.call
        if call.method == "update_output":
            call.output = _signal(result, frame.copy)
        elif call.method != "acc_grad_parameters":
            call.grad_input = _signal(result, frame.copy)
        if call.scale is not None:
            # A module may also accumulate for the layers inside it, without calling them.
            own = module.named_parameters() if frame.accumulates_alone else module.own_parameters()
            for name, _, grad in own:
                before = self._gradients[id(grad)]
                call.gradients[_join(call.path, name)] = _signal(grad - before, frame.copy)
                before[...] = grad

    def _step(self, module, method, outer):
        """Return the time step of a call: a recurrent module's own count, else that of the call around it."""
        if not isinstance(module, AbstractRecurrent):
            return outer.call.step if outer else None
        if method == "update_output":
            return 0 if module.outputs is None else module.step  # None after clear_state: it will forget
        if method == "update_grad_input":
            return module.update_grad_input_step - 1
        return module.acc_grad_parameters_step - 1

    def _path(self, module, outer):
        """Return the path of a module, None if it does not belong to this model."""
        if id(module) not in self._known and outer and isinstance(outer.module, AbstractRecurrent):
            self._adopt(module, outer)
        return self._known.get(id(module), (None, None))[1]

    def _adopt(self, copy, outer):
        """Name a time step's own copy of a module, and all inside it, after their originals."""
        recurrent = outer.module
        originals = recurrent.recurrent_module.list_modules()
        if isinstance(recurrent, Recurrent) and outer.call.step == 0:  # a chain of its own
            self._known[id(copy)] = copy, _join(outer.call.path, "initial_module")
            parts = recurrent.input_module, recurrent.start_module, recurrent.transfer_module
            originals = [copy, *(below for part in parts for below in part.list_modules())]
        copies = copy.list_modules()
        if list(map(type, originals)) == list(map(type, copies)):
            for original, twin in zip(originals, copies):
                # The copy is kept with its name, so that no other module can come to have its id.
                self._known.setdefault(id(twin), (twin, self._known[id(original)][1]))

    # ---- the account ----------------------------------------------------------------------------------

    def __str__(self) -> str:
        counts = Counter(call.method for call in self.calls)
        counted = ", ".join(f"{counts[method]} {method}" for method in METHODS if counts[method])
        lines = [f"trace of {self.model.name}: {counted or 'no calls'}"]

        outputs = [(c.path, c.kind, c.step, c.output) for c in self.calls if c.output]
        lines += _table("forward: norm of each output", outputs)

        backward = [c for c in self.calls if c.grad_input]
        entered = ", ".join(f"{c.grad_output.norm:.3g}" for c in backward if c.depth == 0 and c.grad_output)
        title = f"backward: norm of each grad_input, from a grad_output of {entered}"
        lines += _table(title, [(c.path, c.kind, c.step, c.grad_input) for c in backward])

        gradients = [(path, "", c.step, s) for c in self.calls for path, s in c.gradients.items()]
        lines += _table("parameters: norm of what was added to each gradient", gradients)
        return "\n".join(lines)


def trace(model: Module, arrays: bool | Callable[[Call], bool] = False) -> Trace:
    """Return a context that records every call of `model` and of the modules inside it, as a `Trace`.

    arrays: True copies all arrays that the calls receive and return (later calls may reuse them); a function
    of a `Call`, called before the call is made, selects the calls whose arrays are copied. By default shapes
    and norms are kept, and no arrays.
    The model's modules are those that it has when the context is entered. Copies that recurrent modules make
    for their time steps are named after their originals. Traces may be nested.
    Errors: TypeError unless `model` is a module; RuntimeError when an open trace is entered again.

        >>> net = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
        >>> x = np.ones((1, 3), np.float32)
        >>> with nn.trace(net) as t:
        ...     y = net.forward(x)
        >>> [(call.path, call.kind, call.output.shape) for call in t.calls]
        [('', 'Sequential', (1, 2)), ('0', 'Linear', (1, 2)), ('1', 'Tanh', (1, 2))]
    """
    return Trace(model, arrays)


def _named(module, path, seen):
    """Yield (path, module) of a module and all below; parts with a name of their own come under that name."""
    seen.add(id(module))
    yield path, module
    parts = [(name, getattr(module, name)) for name in getattr(module, "part_names", ())]
    for name, below in [*parts, *module.children()]:
        if below is not None and id(below) not in seen:
            yield from _named(below, _join(path, name), seen)


def _join(path, name):
    return f"{path}.{name}" if path else name


def _signal(x, copy):
    """Return the Signal of an array or a table, with a copy of it when `copy` is true."""
    if isinstance(x, list | tuple):
        entries = tuple(_signal(entry, copy) for entry in x)
        arrays = [entry.array for entry in entries] if copy else None
        return Signal([e.shape for e in entries], math.hypot(*(e.norm for e in entries)), arrays, entries)
    if not backend.is_array(x):
        return Signal((), math.nan)
    wide = x.reshape(-1).astype(np.float64)
    return Signal(x.shape, math.sqrt(float(wide @ wide)), x.copy() if copy else None)


def _table(title, entries):
    """Return lines: a row for each path, in the order of the (path, kind, step, signal), a column a step."""
    if not entries:
        return []
    steps = list(dict.fromkeys(step for _, _, step, _ in entries))
    calls = max(Counter((path, step) for path, _, step, _ in entries).values())
    norms = {(path, step): f"{signal.norm:.3g}" for path, _, step, signal in entries}
    rows = dict.fromkeys((path, kind, _form(signal.shape)) for path, kind, _, signal in entries)
    rows = {path: (path or ".", kind, form) for path, kind, form in rows}
    shown = [step for step in steps if step is None] + [step for step in steps if step is not None]
    if len(shown) > COLUMNS:
        shown = [*shown[: COLUMNS // 2], ..., *shown[1 - COLUMNS // 2 :]]

    head = [("whole" if step is None else "..." if step is ... else f"t={step}") for step in shown]
    cells = [(*row, *(norms.get((path, step), "") for step in shown)) for path, row in rows.items()]
    cells = [("", "", "shape", *head), *cells]
    widths = [max(map(len, column)) for column in zip(*cells)]
    texts = [
        "  ".join(
            cell.ljust(w) if i < 3 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths)) if w
        )
        for row in cells
    ]
    note = f" (the last of {calls} calls)" if calls > 1 else ""
    return ["", title + note, *(text.rstrip() for text in texts)]


def _form(shape):
    """Return a shape, or the shapes of a table, as text: "2x16x32x32"."""
    if isinstance(shape, list):
        return "[" + ", ".join(map(_form, shape)) + "]"
    return "x".join(map(str, shape)) or "-"
