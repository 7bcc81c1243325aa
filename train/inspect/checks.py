"""Derivatives of a whole model beside finite differences, entry by entry, in float64."""

import time

import numpy as np

import nnlite as nn
from nnlite.finite_differences import has_kink, moved, slopes
from nnlite.recurrent.sequence_module import SequenceModule

#: Step sizes h. A smooth function has the same slope with both. Smaller than for single modules: a weight of
#: the flow regressor moves thousands of positions at which the sampler reads, some across a pixel's centre.
STEP_SIZES = 2.0**-20, 2.0**-22
#: Modules whose output follows from input and parameters alone and is costly: computed only when needed.
COSTLY = nn.SpatialConvolution, nn.Linear, nn.Sequencer, SequenceModule


def compare(run, entries=3, seconds=30.0, step_sizes=STEP_SIZES, seed=0, progress=lambda done, total: None):
    """Compare the analytic derivatives of a float64 `ForwardBackward` with central differences.

    Of the input and of every parameter up to `entries` entries are checked: the one with the largest
    derivative, and others drawn at random (`seed`). After `seconds`, only the first of each is still checked.

    Returns a list of dicts, one for each entry: "what", "index", "analytic", "numeric" with the first and
    "finer" with the last of `step_sizes`, "left" and "right", the one-sided slopes with the last, "error",
    relative, and "kink", whether these slopes disagree: there the function has no derivative within the step,
    and the analytic one is a choice. Errors are relative to the larger of both, but at least to 1% of the
    array's largest derivative, as in `nnlite.gradcheck`.
    """
    began, rng = time.monotonic(), np.random.default_rng(seed)
    base = run.loss()
    grad_input = run.backward().copy()
    arrays = [("input", run.input, grad_input)]
    arrays += [(path, weight, grad.copy()) for path, weight, grad in run.model.named_parameters()]
    positions = [_positions(grad, entries, rng) for _, _, grad in arrays]
    total, results = sum(map(len, positions)), []
    with _CachedOutputs(run.model) as cache:
        run.loss()
        for k in range(entries):
            for number, ((what, values, grad), chosen) in enumerate(zip(arrays, positions)):
                if k >= len(chosen) or (k and time.monotonic() - began > seconds):
                    continue
                cache.changing = what
                results.append((number, _entry(run, what, values, grad, chosen[k], base, step_sizes)))
                progress(len(results), total)
    return [entry for _, entry in sorted(results, key=lambda pair: pair[0])]


def _positions(grad, count, rng):
    """Return flat indices into an array: that of the largest derivative first, then others."""
    largest = int(np.abs(grad).argmax())
    others = rng.choice(grad.size, min(count, grad.size), replace=False)
    return [largest, *(int(position) for position in others if position != largest)][:count]


def _entry(run, what, values, grad, position, base, step_sizes):
    """Compare one entry."""
    index = np.unravel_index(position, values.shape)
    at = moved(run.loss, values, index)
    by_step_size = [slopes(at, h, base) for h in step_sizes]
    coarse, fine = by_step_size[0], by_step_size[-1]
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


class _CachedOutputs:
    """Within this context costly modules return their last output unless input or parameters have changed:
    changing a weight of the decoder costs no pass through the memory.

    changing: the name of the array whose entries are being changed, None while outputs are recorded.
    """

    def __init__(self, model):
        costly = [(path, m) for path, m in model.named_modules() if path and isinstance(m, COSTLY)]
        # The modules inside one are left alone: recurrent modules make copies of them for their steps.
        self.costly = [
            (path, m) for path, m in costly if not any(path.startswith(f"{outer}.") for outer, _ in costly)
        ]
        self.changing = None

    def __enter__(self):
        for path, module in self.costly:
            module.update_output = self._cached(path, module, module.update_output)
        return self

    def __exit__(self, *_):
        for _, module in self.costly:
            del module.update_output

    def _cached(self, path, module, compute):
        last = None

        def update_output(input):
            nonlocal last
            if self.changing is None:
                last = np.array(input), np.array(compute(input))
            elif self.changing.startswith(f"{path}.") or not np.array_equal(last[0], input):
                return compute(input)
            module.output = last[1]
            return module.output

        return update_output
