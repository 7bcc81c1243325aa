"""Central differences in float64 against every hand-written gradient.

    python -m nnlite.gradcheck                    every module of the package, as a table
    python -m nnlite.gradcheck --match LSTM       those whose label contains "LSTM"
    python -m nnlite.gradcheck --package nnlite.models   another package with `gradcheck_cases`

Modules are found by walking the package, so that a new one without a case fails. For outputs y and
fixed random R the loss is L = Σ R ⊙ y (plus the value of every penalty inside); an entry z of an input
or a parameter is moved by ±h and

    dL/dz ≈ Σ R ⊙ (y(z + h) - y(z - h)) / 2h

is compared with the result of the module's backward methods. The error of an entry is |analytic - numeric|
over the larger of the two, but at least over 1% of the array's largest derivative, so that entries that
are all but zero are judged by what matters. An entry that disagrees is examined with other steps: it is at a
kink, in doubt (rounding hides the difference) or wrong (`nnlite.finite_differences.judge`).

Where an array has too many entries to move each, all of them are moved at once, along random directions v of
±1: Σ grad ⊙ v is compared with dL/dt of L(z + t v). One wrong entry changes the sum by its whole error,
whatever the signs; errors in several entries cancel in one direction, but hardly in all.
"""

import argparse
import copy
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import backend, table
from .comparison import TOLERANCE, Check, Checks, Comparison, agreement, worst
from .criterion import Criterion
from .finite_differences import STEP
from .module import Module
from .random import default_generator
from .typing import Value


def check_module(
    module: Module,
    input: Value,
    seed: int = 0,
    step: float = STEP,
    max_entries: int = 200,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Compare a module's `update_grad_input` and `acc_grad_parameters` with central differences.

    module: any Module; a float64 copy of it is checked on the CPU, and the module is left as it is. input: an
    array or table of float arrays, checked in float64 (integer arrays are passed on and not checked). At most
    `max_entries` entries of each array are moved, chosen by `seed`; 0 means all. Arrays with more are also
    checked as a whole, along random directions. Errors up to `tolerance` need no second look. Also checked:
    gradients accumulate with `scale`, a second backward pass gives the same grad_input, and neither pass
    writes to the input or to grad_output. Returns a list of `Check`.

        >>> from nnlite.gradcheck import check_module
        >>> checks = check_module(nn.Linear(3, 2), np.ones((4, 3)))
        >>> [check.what for check in checks][1:4]
        ['input', 'weight', 'bias']
        >>> max(check.error for check in checks) < 1e-6
        True
    """
    random_state = default_generator.get_state()
    try:
        copy = module.clone().cpu().double()
        return _check_copy(copy, input, np.random.default_rng([seed, 1]), seed, step, max_entries, tolerance)
    finally:
        default_generator.set_state(random_state)


def check_criterion(
    criterion: Criterion,
    input: Value,
    target: Any,
    seed: int = 0,
    step: float = STEP,
    max_entries: int = 200,
    tolerance: float = TOLERANCE,
) -> Checks:
    """Compare a criterion's `update_grad_input` with central differences; returns a list of `Check`.

    A copy is checked, modules in it as float64 on the CPU; criterion and random generator are left as they
    are.

        >>> from nnlite.gradcheck import check_criterion
        >>> checks = check_criterion(nn.MSECriterion(), np.ones((4, 3)), np.zeros((4, 3)))
        >>> max(check.error for check in checks) < 1e-6
        True
    """
    rng, criterion = np.random.default_rng(seed), copy.deepcopy(criterion)
    _convert_modules(criterion)
    names = _input_names(table.leaves(input))
    input, target = table.map(_float64, input), table.map(_float64, target)
    leaves = table.leaves(input)

    def loss():
        default_generator.manual_seed(seed)
        return float(criterion.forward(input, target))

    random_state = default_generator.get_state()
    try:
        resolution = np.finfo(np.float64).eps * abs(loss())
        grads = [g.copy() for g in table.leaves(criterion.backward(input, target))]
        compare = Comparison(loss, resolution, rng, step, max_entries, tolerance)
        arrays = zip(names, leaves, grads, strict=True)
        return Checks(check for what, x, grad in arrays for check in compare(what, x, grad))
    finally:
        default_generator.set_state(random_state)


def _check_copy(module, input, rng, seed, step, max_entries, tolerance):
    """Return the checks of `check_module`; `module` is float64 and may be changed."""
    input_names = _input_names([x for x in table.leaves(input) if x.dtype.kind == "f"])
    input = table.map(_float64, input)
    leaves = [x for x in table.leaves(input) if x.dtype.kind == "f"]
    untouched = [x.copy() for x in table.leaves(input)]
    base = [y.copy() for y in table.leaves(_forward(module, input, seed))]
    weights = [rng.standard_normal(y.shape) for y in base]
    base_penalty = float(module.sum_penalties())

    def loss():
        """Σ R ⊙ (y - what y was at first): the difference loses no digits to the sum."""
        change = zip(weights, table.leaves(_forward(module, input, seed)), base)
        return sum(float(np.sum(r * (y - y0))) for r, y, y0 in change) + (
            float(module.sum_penalties()) - base_penalty
        )

    grad_output = table.fill(_forward(module, input, seed), iter(weights))
    untouched += [g.copy() for g in table.leaves(grad_output)]
    module.zero_grad_parameters()
    grad_input = module.backward(input, grad_output)
    grads = [g.copy() for g in table.leaves(grad_input)][: len(leaves)]
    names = [path for path, _, _ in module.named_parameters()]
    after_one = [grad.copy() for grad in module.parameters()[1]]

    # As if all terms of L were rounded independently of each other.
    magnitudes = [*(float(np.linalg.norm(r * y)) for r, y in zip(weights, base)), abs(base_penalty)]
    resolution = np.finfo(np.float64).eps * float(np.linalg.norm(magnitudes))
    compare = Comparison(loss, resolution, rng, step, max_entries, tolerance)
    checks = Checks([_untouched(untouched, [*table.leaves(input), *table.leaves(grad_output)])])
    arrays = list(zip(input_names, leaves, grads, strict=True))
    arrays += zip(names, module.parameters()[0], after_one)
    for what, array, grad in arrays:
        checks += compare(what, array, grad)

    _forward(module, input, seed)
    again = table.leaves(module.backward(input, grad_output, 0.5))
    for what, grad, once in zip(input_names, again, grads):
        checks.append(agreement(f"{what} (again, scale 0.5)", grad, once))
    for name, grad, once in zip(names, module.parameters()[1], after_one):
        checks.append(agreement(f"{name} (accumulated, scale 0.5)", grad, 1.5 * once))
    return checks


#: Packages inside `nnlite` that are walked on their own, if at all.
APART = tuple(f"nnlite.{name}" for name in ("models", "data", "train", "benchmarks"))


def public_classes(package: str = "nnlite") -> dict[str, type]:
    """Return {name: class} of the Module and Criterion classes that `package` defines, by walking its files.

    Classes without an `update_output` of their own and those named with an underscore are skipped.
    """
    root = importlib.import_module(package)
    classes = {}
    for info in pkgutil.walk_packages(root.__path__[:1], package + "."):
        if info.name.endswith("__main__") or (package == "nnlite" and info.name.startswith(APART)):
            continue
        for name, cls in inspect.getmembers(importlib.import_module(info.name), inspect.isclass):
            if cls.__module__ == info.name and issubclass(cls, Module | Criterion):
                computes = cls.update_output not in (Module.update_output, Criterion.update_output)
                if computes and not name.startswith("_"):
                    classes[name] = cls
    return classes


def run_cases(package: str = "nnlite", match: str = "") -> Iterator[tuple[str, list[Check] | None]]:
    """Yield (label, checks) for every case of `package`; a class without one yields (label, None)."""
    for label, check in _cases(package):
        if match in label:
            yield label, check and check()


def _cases(package):
    """Return the (label, function) of every case of `package`; a class without a case has None."""
    cases = list(importlib.import_module(package + ".gradcheck_cases").cases())
    covered = {label.split()[0] for label, _ in cases}
    return cases + [(name, None) for name in sorted(set(public_classes(package)) - covered)]


def main(argv: list[str] | None = None) -> int:
    """Print the table of all checks; return 1 when one fails or a module has no case, 2 without any case."""
    parser = argparse.ArgumentParser(prog="python -m nnlite.gradcheck", description=__doc__.split("\n")[0])
    parser.add_argument("--match", default="", help="only cases whose label contains this text")
    parser.add_argument("--package", default="nnlite", help="package to walk (default: nnlite)")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="largest relative error allowed")
    options = parser.parse_args(argv)
    labels = [label for label, _ in _cases(options.package)]
    if not any(options.match in label for label in labels):
        known = ", ".join(dict.fromkeys(label.split()[0] for label in labels))
        print(f"error: no case matches {options.match!r}; there are cases of {known}", file=sys.stderr)
        return 2

    print(f"{'module':44} {'entries':>15} {'max rel. error':>14}  worst")
    failures = count = 0
    for label, checks in run_cases(options.package, options.match):
        count += 1
        if checks is None:
            failures += 1
            print(f"{label:44} {'':>15} {'':>14}  FAIL: no case in {options.package}/gradcheck_cases")
            continue
        bad = worst(checks)
        failed = not bad.error <= options.tolerance
        failures += failed
        print(
            f"{label:44} {_entries(checks):>15} {bad.error:14.1e}  {_place(bad, failed, checks)}", flush=True
        )
    print(f"{count} cases, {failures} failed (tolerance {options.tolerance:g})")
    return 1 if failures else 0


def _entries(checks):
    """Return how many entries were moved on their own, of how many, as text."""
    moved, size = (sum(getattr(c, name) for c in checks if not c.whole) for name in ("moved", "size"))
    return f"{moved:,}" if moved == size else f"{moved:,} of {size:,}"


def _place(bad, failed, checks):
    """Return the last column of a line: the worst place, and what could not be decided."""
    texts = [f"{'FAIL ' if failed else ''}{bad.what} {list(bad.index)}"]
    for name, text in (("kinks", "at a kink"), ("doubtful", "in doubt")):
        count = sum(getattr(check, name) for check in checks)
        texts += [f"{count:,} {text}"] if count else []
    return "; ".join(texts)


def _forward(module, input, seed):
    """Run a forward pass that depends on nothing but input and parameters."""
    default_generator.manual_seed(seed)
    for below in module.list_modules():
        if hasattr(below, "forget"):
            below.forget()
    return module.forward(input)


def _convert_modules(part):
    """Convert the modules in a criterion, and in criteria inside it, to float64 on the CPU."""
    if isinstance(part, Module):
        part.cpu().double()
    elif isinstance(part, Criterion | list | tuple):
        for below in vars(part).values() if isinstance(part, Criterion) else part:
            _convert_modules(below)


def _float64(x):
    """Return a copy of an array, floats as float64 in host memory."""
    x = backend.as_numpy(x)
    return x.astype(np.float64) if x.dtype.kind == "f" else x.copy()


def _input_names(leaves):
    """Return the names of the input's arrays in messages, which mention a dtype other than float64."""
    names = ["input"] if len(leaves) == 1 else [f"input {i}" for i in range(len(leaves))]
    return [
        name if x.dtype == np.float64 else f"{name} ({x.dtype}, checked as float64)"
        for name, x in zip(names, leaves)
    ]


def _untouched(before, after):
    """Check that neither pass wrote to the input or to grad_output."""
    changed = [i for i, (a, b) in enumerate(zip(before, after)) if not np.array_equal(a, b, equal_nan=True)]
    return Check("input and grad_output unchanged", np.inf if changed else 0.0, tuple(changed), 0.0, 0.0)


if __name__ == "__main__":
    sys.exit(main())
