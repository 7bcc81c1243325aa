"""Derivatives of a whole model beside finite differences, entry by entry, in float64."""

import time

import numpy as np

import nnlite as nn
from nnlite.finite_differences import has_kink, moved, slopes
from nnlite.recurrent.sequence_module import SequenceModule

#: Steps h. A smooth function has the same slope with both. Smaller than for single modules: a weight of the
#: flow regressor moves thousands of positions at which the sampler reads, some over the centre of a pixel.
STEPS = 2.0**-20, 2.0**-22
#: Modules whose output follows from input and parameters alone and is costly: computed only when needed.
COSTLY = nn.SpatialConvolution, nn.Linear, nn.Sequencer, SequenceModule


def compare(problem, entries=3, seconds=30.0, steps=STEPS, seed=0, progress=lambda done, total: None):
    """Compare the analytic derivatives of a float64 `Problem` with central differences.

    Of the input and of every parameter the entry with the largest derivative is checked, and up to `entries`
    with others that `seed` draws. When `seconds` are over, no more is begun after the first of each.

    Returns a list of dicts, an entry each: "what", "index", "analytic", "numeric" with the first and "finer"
    with the last of `steps`, "left" and "right", the one-sided slopes with the last, "error", relative, and
    "kink", whether these slopes disagree: there the function has no derivative within the step, and the
    analytic one is a choice. Errors are relative to the larger of both, but at least to 1% of the array's
    largest derivative, as in `nnlite.gradcheck`.
    """
    began, rng = time.monotonic(), np.random.default_rng(seed)
    base = problem.loss()
    grad_input = problem.backward().copy()
    arrays = [("input", problem.input, grad_input)]
    arrays += [(path, weight, grad.copy()) for path, weight, grad in problem.model.named_parameters()]
    places = [_places(grad, entries, rng) for _, _, grad in arrays]
    total, found = sum(map(len, places)), []
    with _Remembering(problem.model) as remembering:
        problem.loss()
        for k in range(entries):
            for number, ((what, values, grad), chosen) in enumerate(zip(arrays, places)):
                if k >= len(chosen) or (k and time.monotonic() - began > seconds):
                    continue
                remembering.but_for(what)
                found.append((number, _entry(problem, what, values, grad, chosen[k], base, steps)))
                progress(len(found), total)
    return [entry for _, entry in sorted(found, key=lambda pair: pair[0])]


def _places(grad, count, rng):
    """Return flat places in an array: that of the largest derivative first, then others."""
    largest = int(np.abs(grad).argmax())
    others = rng.choice(grad.size, min(count, grad.size), replace=False)
    return [largest, *(int(place) for place in others if place != largest)][:count]


def _entry(problem, what, values, grad, place, base, steps):
    """Compare one entry."""
    index = np.unravel_index(place, values.shape)
    at = moved(problem.loss, values, index)
    found = [slopes(at, step, base) for step in steps]
    coarse, fine = found[0], found[-1]
    numeric, analytic, largest = coarse.central, float(grad[index]), float(np.abs(grad).max())
    scale = max(abs(analytic), abs(numeric), 1e-2 * largest) or 1.0
    rounding = 16 * np.finfo(np.float64).eps * abs(base) / fine.step
    return {
        "what": what,
        "index": [int(i) for i in index],
        "analytic": analytic,
        "numeric": float(numeric),
        "finer": float(fine.central),
        "left": float(fine.left),
        "right": float(fine.right),
        "error": abs(analytic - numeric) / scale,
        "kink": has_kink(coarse, fine, scale, rounding),
    }


class _Remembering:
    """Within this context costly modules give again what they gave, unless input or parameters have changed:
    to move a weight of the decoder costs no pass through the memory."""

    def __init__(self, model):
        costly = [(path, m) for path, m in model.named_modules() if path and isinstance(m, COSTLY)]
        # What is inside of one is left alone: recurrent modules make copies of it for their steps.
        self.costly = [
            (path, m) for path, m in costly if not any(path.startswith(f"{outer}.") for outer, _ in costly)
        ]
        self.exempt = None

    def but_for(self, what):
        """Name the parameter whose values change from now on."""
        self.exempt = what

    def __enter__(self):
        for path, module in self.costly:
            module.update_output = self._remembered(path, module, module.update_output)
        return self

    def __exit__(self, *_):
        for _, module in self.costly:
            del module.update_output

    def _remembered(self, path, module, compute):
        last = None

        def update_output(input):
            nonlocal last
            if self.exempt is None:
                last = np.array(input), np.array(compute(input))
            elif self.exempt.startswith(f"{path}.") or not np.array_equal(last[0], input):
                return compute(input)
            module.output = last[1]
            return module.output

        return update_output
