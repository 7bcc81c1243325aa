"""One sequence through a model, forward and backward under the trace: all numbers of the microscope."""

import hashlib
import math
from dataclasses import dataclass, field

import numpy as np
from nnlite.train.inspect.subject import criterion_of
from nnlite.train.runs.loop import loss_and_gradient

import nnlite as nn
from nnlite.ops import threads

#: Bins of a histogram, odd: zero is in the middle one.
BINS = 41
#: The time step of what has none, such as the frames of AE-Conv, which are channels.
WHOLE = "all"


class Problem:
    """One sequence through a copy of a model to the loss, and back."""

    def __init__(self, subject, sequence, loss_at, dtype=np.float32):
        self.model = subject.model.clone().clear_state().cpu().type(dtype)
        self.model.training()
        self.criterion = sequence.criterion or criterion_of(subject)
        self.segments, self.loss_at, self.offset = subject.segments, loss_at, subject.offset
        size = subject.options["height"], subject.options["width"]
        frames = (_middle(sequence.frames, size) - np.float32(self.offset)).astype(dtype)
        if self.segments:
            if sequence.labels is None:
                raise ValueError(f"{subject.name} learns from labels, and {sequence.description} have none")
            both = subject.name == "segnet_flow"
            self.target = [sequence.labels, frames] if both else sequence.labels
        else:
            self.target = frames[1:]
        # An array of its own: what is moved a little as input stays where it is as target.
        self.input = frames.copy() if self.segments else frames[:-1].copy()
        self.output = None

    @property
    def steps(self):
        """The number of frames that the model sees."""
        return len(self.input)

    def loss(self):
        """Run a forward pass; return the loss, with the value of every penalty in the model."""
        nn.manual_seed(0)
        with threads.single_blas_thread():
            self.output = self.model.forward(self.input)
            return float(self._criterion()[0]) + self.penalty

    def backward(self):
        """Run the backward pass; return the gradient by the input. The model has those by its parameters."""
        grad_output = self._criterion()[1]
        self.model.zero_grad_parameters()
        with threads.single_blas_thread():
            return self.model.backward(self.input, grad_output)

    @property
    def penalty(self):
        """What the penalties inside the model added to the loss."""
        return float(self.model.sum_penalties())

    def _criterion(self):
        """Return the loss of the last forward pass, and its gradient."""
        if self.segments:
            loss = self.criterion.forward(self.output, self.target)
            return loss, self.criterion.backward(self.output, self.target)
        return loss_and_gradient(self.criterion, self.output, self.target, self.loss_at)[:2]


def _middle(frames, size):
    """Return the middle of frames (..., H, W), for models that learn from crops of them."""
    top, left = ((whole - part) // 2 for whole, part in zip(frames.shape[-2:], size))
    return frames[..., top : top + size[0], left : left + size[1]] if min(top, left) >= 0 else frames


@dataclass
class Reading:
    """An array at one time step: its maps (C, H, W), and numbers of it in full precision.

    importance: one number a map; where not all can be shown, those with the largest are.
    """

    maps: np.ndarray
    numbers: dict
    importance: np.ndarray


@dataclass
class Readings:
    """All `Reading`s, each content once: what one module gives is what the next one takes."""

    sizes: set
    items: list = field(default_factory=list)
    _known: dict = field(default_factory=dict)

    def add(self, array, importance=None):
        """Return the number of the reading of an array, or None where it is no array of numbers."""
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or not array.size:
            return None
        maps = np.ascontiguousarray(as_maps(array, self.sizes))
        key = maps.shape, array.shape, hashlib.blake2b(maps).digest()
        if key not in self._known:
            self._known[key] = len(self.items)
            if importance is None or len(importance) != len(maps):
                importance = energy(maps)
            self.items.append(Reading(maps, numbers(array), importance))
        return self._known[key]


def inspect_run(problem):
    """Run forward and backward under the trace; return the trace, the loss and the gradient by the input."""
    with nn.trace(problem.model, arrays=True) as trace:
        loss = problem.loss()
        grad_input = problem.backward().copy()
    return trace, loss, grad_input


def module_rows(trace, steps, readings):
    """Return a dict for every module that was called, parents first.

    {"path", "kind", "about", "depth", "signals": {name: {time step: number of its reading}},
    "gradients": {path of a parameter: {time step: number of its reading}}}. Signals are "input", "output",
    "grad_output" and "grad_input", of a table "input[0]" and so on. Time steps are texts, or `WHOLE`.
    """
    rows = []
    for path, module in trace.modules.items():
        calls = trace.select(path=path)
        if not calls:
            continue
        above = sum(path.startswith(row["path"] + ".") or not row["path"] for row in rows)
        row = {"path": path, "kind": type(module).__name__, "about": module.describe(), "depth": above}
        row["signals"] = _signals(calls, steps, readings)
        row["gradients"] = _gradients(calls, readings)
        rows.append(row)
    return rows


def _signals(calls, steps, readings):
    """Return {name: {step: reading}} of what a module took and gave."""
    found = {}
    for names, through in (
        (("input", "output"), [c for c in calls if c.output]),
        (("grad_output", "grad_input"), [c for c in calls if c.grad_input]),
    ):
        for name in names:
            for label, per_call in _entries(name, [getattr(c, name) for c in through]).items():
                backwards = name.startswith("grad")
                found[label] = _by_step(per_call, [c.step for c in through], steps, backwards)
    signals = {}
    for value, gradient in (("input", "grad_input"), ("output", "grad_output")):
        for label in [name for name in found if name.split("[")[0] == value]:
            twin = label.replace(value, gradient)
            importance = _importance(found.get(twin) or found[label], readings.sizes)
            for name in (label, twin):
                added = {s: readings.add(a, importance) for s, a in found.get(name, {}).items()}
                signals[name] = {s: number for s, number in added.items() if number is not None}
    return {name: by_step for name, by_step in signals.items() if by_step}


def _entries(name, signals):
    """Return {name: [Signal of each call]}, the entries of tables under names of their own."""
    if not signals or not signals[0].entries:
        return {name: signals} if signals else {}
    found = {}
    for i in range(len(signals[0].entries)):
        found |= _entries(f"{name}[{i}]", [signal.entries[i] for signal in signals])
    return found


def _by_step(signals, called_at, steps, backwards):
    """Return {step: array}. A whole sequence in one array is taken apart; calls without step are counted."""
    if len(signals) > 1 and all(step is None for step in called_at):
        # As the warping of labels does it, which begins at the second frame.
        late = list(range(steps - len(signals), steps))
        if late[0] < 0:
            return {WHOLE: signals[-1].array}
        called_at = late[::-1] if backwards else late
    if len(signals) > 1 or called_at[0] is not None:
        named = [WHOLE if step is None else str(step) for step in called_at]
        return {step: signal.array for step, signal in zip(named, signals)}
    array = signals[0].array
    if not isinstance(array, np.ndarray) or array.ndim < 2 or len(array) not in (steps, max(steps - 1, 2)):
        return {WHOLE: array}
    return {str(t + steps - len(array)): entry for t, entry in enumerate(array)}


def _gradients(calls, readings):
    """Return {path of a parameter: {step: reading}} of what the calls of a module added to its gradients."""
    sums = {}
    for call in calls:
        for path, signal in call.gradients.items():
            by_step = sums.setdefault(path, {})
            step = WHOLE if call.step is None else str(call.step)
            by_step[step] = by_step[step] + signal.array if step in by_step else signal.array
    return {
        path: {step: readings.add(array) for step, array in by_step.items()} for path, by_step in sums.items()
    }


def parameter_rows(model, readings):
    """Return a dict for every parameter: path, shape, and the readings of it and of its whole gradient."""
    return [
        {"path": path, "shape": weight.shape, "weight": readings.add(weight), "gradient": readings.add(grad)}
        for path, weight, grad in model.named_parameters()
    ]


def frame_sizes(height, width):
    """Return the sizes of maps that a model makes of frames by halving them."""
    down = {(height >> k, width >> k) for k in range(6)}
    return down | {(-(-height >> k), -(-width >> k)) for k in range(6)}


def as_maps(array, sizes):
    """Return an array of one time step as maps (C, H, W).

    The sampler's (H, W, C) is told by its first two numbers being one of the `sizes` of maps. Vectors become
    one map, row by row; of parameters (n_out, n_in, kh, kw) each kernel is a map.
    """
    while array.ndim > 3 and len(array) == 1:
        array = array[0]
    if array.ndim == 3 and array.shape[1:] not in sizes and array.shape[:2] in sizes:
        return np.moveaxis(array, -1, 0)
    if array.ndim > 2:
        return array.reshape(-1, *array.shape[-2:])
    if array.ndim == 2 and len(array) > 1:
        return array[None]
    size = array.size
    rows = next((n for n in range(math.isqrt(size), 0, -1) if size % n == 0 and 8 * n * n >= size), 1)
    return array.reshape(1, rows, size // rows)


def energy(maps):
    """Return the sum of squares of each map."""
    return np.square(maps, dtype=np.float64).sum(axis=(1, 2))


def _importance(by_step, sizes):
    """Return the energy of each map over all steps, None where the maps are not the same ones throughout."""
    energies = [energy(as_maps(a, sizes)) for a in by_step.values() if isinstance(a, np.ndarray)]
    return sum(energies) if len({len(e) for e in energies}) == 1 else None


def numbers(array):
    """Return norm, mean, extremes, share of zeros and the histogram of an array, in float64."""
    x = array.reshape(-1).astype(np.float64)
    finite = x if np.isfinite(x).all() else x[np.isfinite(x)]
    most = float(np.abs(finite).max(initial=0.0))
    bins = np.minimum((finite / (most or 1.0) + 1.0) * (BINS / 2), BINS - 1).astype(np.int64)
    return {
        "shape": array.shape,
        "norm": math.sqrt(float(x @ x)),
        "mean": float(x.mean()),
        "min": float(x.min()),
        "max": float(x.max()),
        "zeros": float((x == 0).mean()),
        "histogram": np.bincount(bins, minlength=BINS).tolist(),
    }
