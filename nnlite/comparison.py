"""Analytic derivatives of a loss beside finite differences, array by array."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from . import rich
from .finite_differences import judge, moved

TOLERANCE = 1e-6
#: Random directions for an array of which not every entry is moved on its own.
DIRECTIONS = 3


@dataclass
class Check:
    """The comparison of one input or parameter: where it disagrees most, and by how much.

    error: the largest relative error of the entries that are neither at a kink nor in doubt. moved, size: how
    many entries were compared, of how many. kinks: how many have no derivative within the step and agree with
    the slope of one side, or lie between both. doubtful: how many agree only as far as rounding lets us see.
    whole: whether all entries were moved at once, along directions; moved and size then count these.
    """

    what: str
    error: float
    index: tuple[int, ...]
    analytic: float
    numeric: float
    moved: int = 0
    size: int = 0
    kinks: int = 0
    doubtful: int = 0
    whole: bool = False

    def __str__(self) -> str:
        text = (
            f"{self.what}: relative error {self.error:.1e} at {list(self.index)} "
            f"(analytic {self.analytic:.9g}, numeric {self.numeric:.9g})"
        )
        return "; ".join([text, *self.notes()])

    def notes(self) -> list[str]:
        """Return texts on how much was compared and what could not be decided."""
        notes = [f"{self.moved:,} of {self.size:,} entries"] if self.moved < self.size else []
        notes += [f"{self.kinks:,} at a kink"] if self.kinks else []
        return notes + ([f"{self.doubtful:,} in doubt"] if self.doubtful else [])


class Checks(list[Check]):
    """The checks of a module or a criterion; in a notebook a table with the worst entry marked."""

    def _repr_html_(self) -> str:
        return rich.checks_html(self, TOLERANCE)


class Comparison:
    """Compares analytic derivatives of loss() with differences, array by array."""

    def __init__(self, loss, resolution, rng, step, max_entries, tolerance):
        self.loss, self.resolution, self.rng = _nan_outside(loss), resolution, rng
        self.step, self.max_entries, self.tolerance = step, max_entries, tolerance

    def __call__(self, what, x, grad):
        """Return the checks of the derivative `grad` with respect to the entries of `x`."""
        if grad.shape != x.shape:
            return [Check(f"{what} (gradient shape {grad.shape}, expected {x.shape})", np.inf, (), 0.0, 0.0)]
        checks = [self._entries(what, x, grad)]
        if checks[0].moved < x.size:
            checks.append(self._directions(what, x, grad))
        return checks

    def _entries(self, what, x, grad):
        """Return the check of single entries."""
        entries = np.arange(x.size)
        if self.max_entries and x.size > self.max_entries:
            entries = np.sort(self.rng.choice(x.size, self.max_entries, replace=False))
        indices = [tuple(int(i) for i in np.unravel_index(e, x.shape)) for e in entries]
        functions = [moved(self.loss, x, index) for index in indices]
        analytic = np.array([grad[index] for index in indices])
        with _steps_outside_the_domain():
            numeric = np.array([(at(self.step) - at(-self.step)) / (2 * self.step) for at in functions])
        return self._judged(
            Check(what, 0.0, (), 0.0, 0.0, size=x.size), functions, analytic, numeric, indices
        )

    def _directions(self, what, x, grad):
        """Return the check of all entries at once, along directions of ±1."""
        directions = self.rng.choice([-1.0, 1.0], (DIRECTIONS, *x.shape))
        largest, h = float(np.abs(grad).max()), self.step
        functions = [moved(self.loss, x, direction=v) for v in directions]
        analytic = np.array([float(np.sum(grad * v)) for v in directions])
        # The h² of truncation, which grows with the number of entries, cancels.
        with _steps_outside_the_domain():
            numeric = np.array(
                [(8 * (at(h / 2) - at(-h / 2)) - (at(h) - at(-h))) / (6 * h) for at in functions]
            )
        check = Check(f"{what} (all entries, along {DIRECTIONS} directions)", 0.0, (), 0.0, 0.0, whole=True)
        return self._judged(check, functions, analytic, numeric, [()] * DIRECTIONS, largest)

    def _judged(self, check, functions, analytic, numeric, indices, scale=None):
        """Fill in `check`, after a second look at every derivative that disagrees."""
        check.moved = len(indices)
        check.size = check.size or check.moved
        if not indices:
            return check
        errors, scales = _relative_errors(analytic, numeric, scale)
        for place in np.argsort(-np.where(np.isnan(errors), np.inf, errors)):
            if errors[place] <= self.tolerance:
                break
            verdict = judge(
                functions[place], analytic[place], scales[place], self.tolerance, self.resolution, self.step
            )
            if verdict.status == "wrong":
                break
            check.kinks += verdict.status == "kink"
            check.doubtful += verdict.status == "doubt"
            errors[place], numeric[place] = 0.0, verdict.numeric
        place = int(np.argmax(np.where(np.isnan(errors), np.inf, errors)))
        check.error, check.index = float(errors[place]), indices[place]
        check.analytic, check.numeric = float(analytic[place]), float(numeric[place])
        return check


def _steps_outside_the_domain():
    """Return a context without warnings of steps that leave a domain: their NaN and ∞ get a second look.

    At the point itself, where forward and backward run first, nothing is silenced.
    """
    return np.errstate(divide="ignore", invalid="ignore")


def _nan_outside(loss):
    """Return `loss` with NaN in place of the ValueError by which it refuses numbers outside its domain."""

    def loss_or_nan():
        try:
            return loss()
        except ValueError:
            return np.nan

    return loss_or_nan


def _relative_errors(analytic, numeric, scale=None):
    """Return the errors of derivatives and what each is relative to: `scale` when given."""
    larger = np.maximum(np.abs(analytic), np.abs(numeric))
    if scale is None:
        scale = np.fmax(1e-2 * larger, 1e-12).max()  # not NaN where a derivative is: it would hide the place
        scales = np.maximum(larger, scale)
    else:
        scales = np.full_like(larger, max(scale, 1e-12))
    with np.errstate(invalid="ignore"):  # ∞ / ∞ is NaN, which counts as wrong
        return np.abs(analytic - numeric) / scales, scales


def agreement(what, analytic, expected):
    """Return the Check of two arrays of derivatives that should be equal."""
    if analytic.size == 0:
        return Check(what, 0.0, (), 0.0, 0.0)
    errors, _ = _relative_errors(analytic, expected)
    place = int(np.argmax(np.where(np.isnan(errors), np.inf, errors)))
    index = tuple(int(i) for i in np.unravel_index(place, errors.shape))
    return Check(what, float(errors.flat[place]), index, analytic.flat[place], expected.flat[place])


def worst(checks: Iterable[Check]) -> Check:
    """Return the check with the largest error; NaN counts as the largest."""
    return max(checks, key=lambda check: np.inf if np.isnan(check.error) else check.error)
