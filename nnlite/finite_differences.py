"""Derivatives by finite differences, and whether a hand-written derivative agrees with them.

A difference quotient has three errors of its own. Truncation: by Taylor's theorem the central difference is
off by h²/6 · L'''. Rounding: the noise ε of the loss becomes ε / h in the quotient. And where L has a kink
within the step there is no derivative to compare with. `judge` measures all three before it calls a
derivative wrong.
"""

from dataclasses import dataclass

import numpy as np

#: The step h. A power of two, so that z ± h are exact unless z is much larger.
STEP = 2.0**-17
#: Relative difference of two slopes from which on there is a kink between them: of those on the two sides,
#: which curvature makes differ by about h, and of those with two steps, where it is about h².
SIDES, STEPS_DIFFER = 1e-3, 1e-5


@dataclass
class Slopes:
    """The slopes of a function on both sides of a point, within `step`."""

    step: float
    left: float
    right: float

    @property
    def central(self):
        """The central difference, the mean of both."""
        return (self.left + self.right) / 2


@dataclass
class Verdict:
    """What `judge` found.

    status: "agrees"; "kink", where the function has no derivative within the step and the analytic one is the
    slope on one side or between the two; "doubt", where both agree as far as rounding lets us see; "wrong".
    numeric: the best estimate of the derivative. uncertainty: how far it may be off.
    """

    status: str
    numeric: float
    uncertainty: float


def numeric_gradient(loss, array, index=None, step=STEP):
    """Return the central difference of loss() with respect to array[index], or to every entry, as an array.

    loss: a function without arguments that depends on the float64 array; entries are moved and put back.
    """
    if index is not None:
        at = moved(loss, array, index)
        return (at(step) - at(-step)) / (2 * step)
    return np.array(
        [numeric_gradient(loss, array, place, step) for place in np.ndindex(array.shape)]
    ).reshape(array.shape)


def moved(loss, array, index=..., direction=1.0):
    """Return the function t -> loss() while t · `direction` is added to array[index]."""

    def at(t):
        kept = array[index].copy()
        array[index] = kept + t * direction
        try:
            return loss()
        finally:
            array[index] = kept

    return at


def slopes(at, step, base):
    """Return the `Slopes` of the function `at` at 0, where it is `base`."""
    return Slopes(step, (base - at(-step)) / step, (at(step) - base) / step)


def has_kink(coarse, fine, scale, rounding):
    """Return whether there is a kink within the larger step of two `Slopes` of the same point.

    scale: what differences are relative to, at least. rounding: the error of a slope by rounding alone.
    """
    beyond = max(scale, abs(fine.left), abs(fine.right))
    sides = abs(fine.left - fine.right) > SIDES * beyond + rounding
    return bool(sides or abs(coarse.central - fine.central) > STEPS_DIFFER * beyond + rounding)


def judge(at, analytic, scale, tolerance, resolution, step=STEP):
    """Return the `Verdict` on a derivative at 0 of the function `at` of one number, NaN outside its domain.

    scale: what errors are relative to. tolerance: the largest relative error that agrees. resolution: the
    rounding error of `at` as its magnitude suggests; the measured one is added.
    """
    with np.errstate(all="ignore"):  # steps may leave the domain of the function
        base, allowed = at(0.0), tolerance * scale
        if not (np.isfinite(analytic) and np.isfinite(base)):
            return Verdict("wrong", np.nan, np.nan)
        noise = resolution + _noise(at, step)
        if 4 * noise / step > allowed:
            return _judge_by_larger_steps(at, analytic, allowed, noise, step)
        return _judge_by_smaller_steps(at, analytic, scale, allowed, noise, slopes(at, step, base), base)


def _judge_by_smaller_steps(at, analytic, scale, allowed, noise, coarse, base):
    """Return the verdict where rounding permits smaller steps, which have fewer kinks in reach."""
    finer = [coarse]
    while len(finer) < 8 and 16 * noise / finer[-1].step <= allowed:
        finer.append(slopes(at, finer[-1].step / 4, base))
    fine, before = finer[-1], finer[-2:][0]
    rounding = 4 * noise / fine.step
    if np.isfinite(fine.left) != np.isfinite(fine.right):
        return Verdict("kink", np.nan, np.inf)  # the border of the domain
    if abs(analytic - fine.central) <= allowed:
        kink = has_kink(coarse, fine, scale, rounding) and not _truncation_only(finer)
        return Verdict("kink" if kink else "agrees", fine.central, rounding)
    low, high = sorted((fine.left, fine.right))
    # How much the slopes still change with the step shows how much more kinks within it may change them.
    margin = allowed + 2 * (abs(fine.left - before.left) + abs(fine.right - before.right))
    at_a_kink = has_kink(fine, fine, scale, rounding) and low - margin <= analytic <= high + margin
    return Verdict("kink" if at_a_kink else "wrong", fine.central, rounding)


def _truncation_only(finer):
    """Return whether central differences change with the step as those of a smooth function: by h²."""
    if len(finer) < 3:
        return False
    first, second = np.abs(np.diff([slope.central for slope in finer[:3]]))
    return bool(8 * second < first < 32 * second)  # h is a quarter each time


def _judge_by_larger_steps(at, analytic, allowed, noise, step):
    """Return the verdict where rounding alone exceeds the allowed error, unless larger steps help.

    Two central differences, with h and 2h, cancel the h² of their truncation; its rest shows in how much the
    result changes from one h to the next.
    """
    steps = step * 2.0 ** np.arange(13)
    central = np.array([(at(h) - at(-h)) / (2 * h) for h in steps])
    extrapolated = (4 * central[:-1] - central[1:]) / 3
    errors = np.abs(np.diff(extrapolated)) + 2 * noise / steps[1:-1]
    best = int(np.argmin(np.where(np.isnan(errors), np.inf, errors)))
    numeric, uncertainty = float(extrapolated[best + 1]), 2 * float(errors[best])
    if not abs(analytic - numeric) <= uncertainty + allowed:
        return Verdict("wrong", numeric, uncertainty)
    return Verdict("doubt" if uncertainty > allowed else "agrees", numeric, uncertainty)


def _noise(at, step):
    """Return the largest second difference of `at` over steps so small that only rounding makes any."""
    values = [at(k * step * 2.0**-28) for k in range(1, 9)]
    return float(np.abs(np.diff(values, 2)).max())
