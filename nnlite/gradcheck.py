"""Central differences in float64 against every hand-written gradient.

    python -m nnlite.gradcheck                    every module of the package, as a table
    python -m nnlite.gradcheck --match LSTM       those whose label contains "LSTM"
    python -m nnlite.gradcheck --package models   another package that has a `gradcheck_cases` module

Modules are found by walking the package, so that a new one without a case fails. For outputs y and
fixed random R the loss is L = Σ R ⊙ y (plus the value of every penalty inside); each entry z of an input
or a parameter is moved by ±h and

    dL/dz ≈ Σ R ⊙ (y(z + h) - y(z - h)) / 2h

is compared with what the module's backward methods say. The error of an entry is |analytic - numeric|
over the larger of the two, but at least over 1% of the array's largest derivative, so that entries that
are all but zero are judged by what matters.
"""

import argparse
import importlib
import inspect
import pkgutil
import sys
from dataclasses import dataclass

import numpy as np

from .criterion import Criterion
from .module import Module
from .random import default_generator

TOLERANCE = 1e-6
STEP = 1e-5


@dataclass
class Check:
    """The comparison of one input or parameter: where it disagrees most, and by how much."""

    what: str
    error: float
    index: tuple
    analytic: float
    numeric: float

    def __str__(self):
        return (
            f"{self.what}: relative error {self.error:.1e} at {list(self.index)} "
            f"(analytic {self.analytic:.9g}, numeric {self.numeric:.9g})"
        )


def check_module(module, input, seed=0, step=STEP, max_entries=200):
    """Compare a module's `update_grad_input` and `acc_grad_parameters` with central differences.

    module: any Module; it is switched to float64. input: an array or table of float64 arrays (integer
    arrays are passed on and not checked). At most `max_entries` entries of each array are moved, chosen
    by `seed`; 0 means all. Also checked: gradients accumulate with `scale`, and neither pass writes to
    the input or to grad_output. Returns a list of `Check`.
    """
    module.double()
    rng = np.random.default_rng([seed, 1])
    leaves = [x for x in _leaves(input) if x.dtype.kind == "f"]
    untouched = [x.copy() for x in _leaves(input)]

    def output_leaves():
        return [y.copy() for y in _leaves(_forward(module, input, seed))]

    weights = [rng.standard_normal(y.shape) for y in output_leaves()]

    def difference(z, index):
        kept, values = z[index], []
        for moved in (kept + step, kept - step):
            z[index] = moved
            values.append((output_leaves(), _penalty(module)))
        z[index] = kept
        (above, penalty_above), (below, penalty_below) = values
        change = sum(float(np.sum(r * (a - b))) for r, a, b in zip(weights, above, below))
        return (change + penalty_above - penalty_below) / (2 * step)

    grad_output = _unflatten(_forward(module, input, seed), iter(weights))
    untouched += [g.copy() for g in _leaves(grad_output)]
    module.zero_grad_parameters()
    grad_input = module.backward(input, grad_output)
    grads = [g.copy() for g in _leaves(grad_input)][: len(leaves)]
    names = [path for path, _, _ in module.named_parameters()]
    after_one = [grad.copy() for grad in module.parameters()[1]]

    checks = [_untouched(untouched, [*_leaves(input), *_leaves(grad_output)])]
    for i, (x, grad) in enumerate(zip(leaves, grads, strict=True)):
        what = "input" if len(leaves) == 1 else f"input {i}"
        checks.append(_compare(what, x, grad, difference, rng, max_entries))
    for name, weight, grad in zip(names, module.parameters()[0], after_one):
        checks.append(_compare(name, weight, grad, difference, rng, max_entries))

    _forward(module, input, seed)
    module.backward(input, grad_output, 0.5)
    for name, grad, once in zip(names, module.parameters()[1], after_one):
        checks.append(_agreement(f"{name} (accumulated, scale 0.5)", grad, 1.5 * once))
    return checks


def check_criterion(criterion, input, target, seed=0, step=STEP, max_entries=200):
    """Compare a criterion's `update_grad_input` with central differences; returns a list of `Check`."""
    rng = np.random.default_rng(seed)
    leaves = _leaves(input)

    def difference(z, index):
        kept = z[index]
        z[index] = kept + step
        above = float(criterion.forward(input, target))
        z[index] = kept - step
        below = float(criterion.forward(input, target))
        z[index] = kept
        return (above - below) / (2 * step)

    criterion.forward(input, target)
    grads = [g.copy() for g in _leaves(criterion.backward(input, target))]
    return [
        _compare("input" if len(leaves) == 1 else f"input {i}", x, grad, difference, rng, max_entries)
        for i, (x, grad) in enumerate(zip(leaves, grads, strict=True))
    ]


def worst(checks):
    """Return the check with the largest error; NaN counts as the largest."""
    return max(checks, key=lambda check: np.inf if np.isnan(check.error) else check.error)


#: Packages inside `nnlite` that are walked on their own, if at all.
APART = tuple(f"nnlite.{name}" for name in ("models", "data", "train", "benchmarks"))


def public_classes(package="nnlite"):
    """Return {name: class} of the Module and Criterion classes that `package` defines, by walking its files.

    Left out are those that compute nothing (they have no `update_output`) and those named with an underscore.
    """
    root = importlib.import_module(package)
    found = {}
    for info in pkgutil.walk_packages(root.__path__[:1], package + "."):
        if info.name.endswith("__main__") or (package == "nnlite" and info.name.startswith(APART)):
            continue
        for name, cls in inspect.getmembers(importlib.import_module(info.name), inspect.isclass):
            if cls.__module__ == info.name and issubclass(cls, Module | Criterion):
                computes = cls.update_output not in (Module.update_output, Criterion.update_output)
                if computes and not name.startswith("_"):
                    found[name] = cls
    return found


def run_cases(package="nnlite", match=""):
    """Yield (label, checks) for every case of `package`; a class without one yields (label, None)."""
    cases = importlib.import_module(package + ".gradcheck_cases").cases()
    covered = set()
    for label, build in cases:
        covered.add(label.split()[0])
        if match in label:
            yield label, build()
    for name in sorted(set(public_classes(package)) - covered):
        if match in name:
            yield name, None


def main(argv=None):
    """Print the table of all checks; return 1 when one fails or a module has no case."""
    parser = argparse.ArgumentParser(prog="python -m nnlite.gradcheck", description=__doc__.split("\n")[0])
    parser.add_argument("--match", default="", help="only cases whose label contains this text")
    parser.add_argument("--package", default="nnlite", help="package to walk (default: nnlite)")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="largest relative error allowed")
    options = parser.parse_args(argv)

    print(f"{'module':44} {'checked':>7} {'max rel. error':>14}  worst")
    failures = count = 0
    for label, checks in run_cases(options.package, options.match):
        count += 1
        if checks is None:
            failures += 1
            print(f"{label:44} {'':>7} {'':>14}  FAIL: no case in {options.package}/gradcheck_cases")
            continue
        bad = worst(checks)
        failed = not bad.error <= options.tolerance
        failures += failed
        place = f"{'FAIL ' if failed else ''}{bad.what} {list(bad.index)}"
        print(f"{label:44} {len(checks):7d} {bad.error:14.1e}  {place}", flush=True)
    print(f"{count} cases, {failures} failed (tolerance {options.tolerance:g})")
    return 1 if failures or not count else 0


def _forward(module, input, seed):
    """Run a forward pass that depends on nothing but input and parameters."""
    default_generator.manual_seed(seed)
    for below in module.list_modules():
        if hasattr(below, "forget"):
            below.forget()
    return module.forward(input)


def _penalty(module):
    """Return what the penalty modules inside add to the loss."""
    return sum(float(m.value) for m in module.list_modules() if hasattr(m, "penalises"))


def _leaves(x):
    """Return the arrays of a table, in order."""
    return [leaf for entry in x for leaf in _leaves(entry)] if isinstance(x, list | tuple) else [x]


def _unflatten(like, leaves):
    """Return a table of the structure of `like` filled from the iterator `leaves`."""
    if isinstance(like, list | tuple):
        return [_unflatten(entry, leaves) for entry in like]
    return next(leaves)


def _compare(what, x, grad, difference, rng, max_entries):
    """Check the analytic derivative `grad` of `x` entry by entry."""
    if grad.shape != x.shape:
        return Check(f"{what} (gradient shape {grad.shape}, expected {x.shape})", np.inf, (), 0.0, 0.0)
    entries = np.arange(x.size)
    if max_entries and x.size > max_entries:
        entries = np.sort(rng.choice(x.size, max_entries, replace=False))
    indices = [tuple(int(i) for i in np.unravel_index(e, x.shape)) for e in entries]
    numeric = np.array([difference(x, index) for index in indices])
    analytic = np.array([grad[index] for index in indices])
    return _agreement(what, analytic, numeric, indices)


def _agreement(what, analytic, numeric, indices=None):
    """Return the Check of two arrays of derivatives."""
    if analytic.size == 0:
        return Check(what, 0.0, (), 0.0, 0.0)
    larger = np.maximum(np.abs(analytic), np.abs(numeric))
    floor = np.fmax(1e-2 * larger, 1e-12).max()  # not NaN where a derivative is: it would hide the place
    with np.errstate(invalid="ignore"):  # ∞ / ∞ is NaN, which counts as wrong
        errors = np.abs(analytic - numeric) / np.maximum(larger, floor)
    place = int(np.argmax(np.where(np.isnan(errors), np.inf, errors)))
    index = indices[place] if indices else tuple(int(i) for i in np.unravel_index(place, errors.shape))
    return Check(what, float(errors.flat[place]), index, analytic.flat[place], numeric.flat[place])


def _untouched(before, after):
    """Check that neither pass wrote to the input or to grad_output."""
    changed = [i for i, (a, b) in enumerate(zip(before, after)) if not np.array_equal(a, b, equal_nan=True)]
    return Check("input and grad_output unchanged", np.inf if changed else 0.0, tuple(changed), 0.0, 0.0)


if __name__ == "__main__":
    sys.exit(main())
