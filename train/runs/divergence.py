"""Whether training has diverged: numbers not finite, or out of all proportion to the run's beginning."""

import math

import numpy as np

from nnlite import backend, table

#: A loss per target value, or a root mean square of the parameters, of more than FACTOR times that of the
#: run's beginning is divergence. What began below LEAST is measured by that: frames are values up to 1, and
#: initial weights some hundredths.
FACTOR, LEAST = 100.0, 0.01


class DivergenceCheck:
    """Raises FloatingPointError when training has diverged.

    start: {name: value} of the loss and the parameters at the beginning of the run, for its checkpoints.
    """

    def __init__(self, learning_rate):
        self.learning_rate, self.start = learning_rate, {}

    def check_loss(self, loss, steps):
        """Check the loss per target value after so many steps."""
        self._check("loss", loss, steps)

    def check_parameters(self, parameters, steps):
        """Check all parameters, one flat array, after so many steps."""
        if parameters.size:
            mean_square = float((parameters * parameters).sum()) / parameters.size
            self._check("root mean square of the parameters", math.sqrt(mean_square), steps)

    def check_finite(self, number, steps):
        """Check a number that is infinite or NaN if any of the predictions is."""
        if not math.isfinite(float(number)):
            raise self._error(steps, f"predictions became {float(number)}")

    def _check(self, name, value, steps):
        value = float(value)
        if not math.isfinite(value):
            raise self._error(steps, f"the {name} became {value}")
        start = self.start.setdefault(name, value)
        if value > FACTOR * max(start, LEAST):
            raise self._error(steps, f"the {name} grew from {start:.3g} to {value:.3g}")

    def _error(self, steps, what):
        return FloatingPointError(
            f"training diverged after {steps} steps: {what}; try a lower learning rate (it was "
            f"{self.learning_rate})"
        )


def check_batch(input, target, indices):
    """Raise ValueError if input or target of a batch of these sequences holds NaN or an infinity.

    Some layers would hide it: ReLU turns NaN into 0, and only running statistics would keep it.
    """
    for name, values in (("input", input), ("target", target)):
        for array in table.leaves(values):
            if array.dtype.kind == "f" and not backend.get_array_module(array).isfinite(array).all():
                raise ValueError(
                    f"the {name} of the training sequences {', '.join(map(str, np.unique(indices)))} holds "
                    "values that are not finite (NaN or infinite): repair or leave out these data"
                )
