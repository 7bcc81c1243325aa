"""The rows of the page's tables: the signals of every module at every time step, and all parameters."""

import numpy as np

from nnlite.train.inspect.summaries import as_maps, energy

#: The time step of arrays without one, such as the frames of AE-Conv, which are channels.
WHOLE = "all"


def module_rows(trace, n_frames, summaries):
    """Return a dict for every module that was called, parents first.

    {"path", "type", "description", "depth", "signals": {name: {time step: index of its summary}},
    "gradients": {path of a parameter: {time step: index of its summary}}}. Signals are "input", "output",
    "grad_output" and "grad_input", for a table "input[0]" and so on. Time steps are strings, or `WHOLE`.
    """
    rows = []
    for path, module in trace.modules.items():
        calls = trace.select(path=path)
        if not calls:
            continue
        depth = sum(path.startswith(row["path"] + ".") or not row["path"] for row in rows)
        row = {"path": path, "type": type(module).__name__, "description": module.describe(), "depth": depth}
        row["signals"] = _signals(calls, n_frames, summaries)
        row["gradients"] = _gradients(calls, summaries)
        rows.append(row)
    return rows


def parameter_rows(model, summaries):
    """Return a dict for every parameter: path, shape, and the summaries of it and of its whole gradient."""
    return [
        {
            "path": path,
            "shape": weight.shape,
            "weight": summaries.add(weight),
            "gradient": summaries.add(grad),
        }
        for path, weight, grad in model.named_parameters()
    ]


def _signals(calls, n_frames, summaries):
    """Return {name: {step: index of a summary}} of the inputs, outputs and their gradients of a module."""
    arrays = {}
    for names, relevant in (
        (("input", "output"), [c for c in calls if c.output]),
        (("grad_output", "grad_input"), [c for c in calls if c.grad_input]),
    ):
        for name in names:
            for label, per_call in _entries(name, [getattr(c, name) for c in relevant]).items():
                reverse = name.startswith("grad")
                arrays[label] = _by_step(per_call, [c.step for c in relevant], n_frames, reverse)
    signals = {}
    for value, gradient in (("input", "grad_input"), ("output", "grad_output")):
        for label in [name for name in arrays if name.split("[")[0] == value]:
            grad_label = label.replace(value, gradient)
            importance = _importance(arrays.get(grad_label) or arrays[label], summaries.frame_sizes)
            for name in (label, grad_label):
                indices = {s: summaries.add(a, importance) for s, a in arrays.get(name, {}).items()}
                signals[name] = {s: index for s, index in indices.items() if index is not None}
    return {name: by_step for name, by_step in signals.items() if by_step}


def _entries(name, signals):
    """Return {name: [Signal of each call]}, the entries of tables under names of their own."""
    if not signals or not signals[0].entries:
        return {name: signals} if signals else {}
    entries = {}
    for i in range(len(signals[0].entries)):
        entries |= _entries(f"{name}[{i}]", [signal.entries[i] for signal in signals])
    return entries


def _by_step(signals, steps, n_frames, reverse):
    """Return {step: array}. A whole sequence in one array is taken apart; calls without step are counted.

    steps: of the calls, None where they have none. reverse: whether the calls run backwards in time.
    """
    if len(signals) > 1 and all(step is None for step in steps):
        # As in the warping of labels, which begins at the second frame.
        last = list(range(n_frames - len(signals), n_frames))
        if last[0] < 0:
            return {WHOLE: signals[-1].array}
        steps = last[::-1] if reverse else last
    if len(signals) > 1 or steps[0] is not None:
        keys = [WHOLE if step is None else str(step) for step in steps]
        return {key: signal.array for key, signal in zip(keys, signals)}
    array = signals[0].array
    lengths = n_frames, max(n_frames - 1, 2)
    if not isinstance(array, np.ndarray) or array.ndim < 2 or len(array) not in lengths:
        return {WHOLE: array}
    return {str(t + n_frames - len(array)): entry for t, entry in enumerate(array)}


def _gradients(calls, summaries):
    """Return {path of a parameter: {step: index of a summary}}: what a module's calls added to gradients."""
    sums = {}
    for call in calls:
        for path, signal in call.gradients.items():
            by_step = sums.setdefault(path, {})
            step = WHOLE if call.step is None else str(call.step)
            by_step[step] = by_step[step] + signal.array if step in by_step else signal.array
    return {
        path: {step: summaries.add(array) for step, array in by_step.items()}
        for path, by_step in sums.items()
    }


def _importance(by_step, sizes):
    """Return the energy of each map over all steps, None if the number of maps changes between them."""
    energies = [energy(as_maps(a, sizes)) for a in by_step.values() if isinstance(a, np.ndarray)]
    return sum(energies) if len({len(e) for e in energies}) == 1 else None
