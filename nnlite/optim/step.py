"""What every optimiser step does besides its formula: options, state, evaluation."""

import math
import numbers
import operator
from types import SimpleNamespace

from .. import backend, parameters
from ..spelling import did_you_mean

#: Options that hold one number for every parameter.
ARRAYS = ("learning_rates", "weight_decays")
#: Options that are the weight of the past in a moving mean. Adam and Adamax divide by 1 - β.
FRACTIONS, BELOW_ONE = ("alpha", "rho"), ("beta1", "beta2")
#: Options without a sign: the rate is divided by 1 + k decay, the step by ε and what is added to it.
POSITIVE = ("epsilon", "learning_rate_decay")


class Step:
    """One call of an optimiser.

    method: its name, for messages. options: its options and their defaults; those in ARRAYS may be arrays
    like x, one with a bool default is a switch, "shapes" is a list of shapes that make up x, and all others
    are numbers. keeps: the keys of its state.
    Attributes: `options` (a namespace of the defaults updated by config), `state`, `x`, `xp`.
    """

    def __init__(self, method, x, config, state, options, keeps):
        self.method = method
        if not backend.is_array(x) or x.ndim != 1 or x.dtype not in backend.FLOAT_DTYPES:
            got = f"{x.dtype} of shape {x.shape}" if backend.is_array(x) else type(x).__name__
            raise TypeError(f"optim.{method}: x must be a flat float32 or float64 array, got {got}")
        parameters.check_connected(x, f"optim.{method}: x")
        self.x, self.xp = x, backend.get_array_module(x)
        self.state = config if state is None else state
        for where, entries in (("config", config), ("state", self.state)):
            if not isinstance(entries, dict):
                raise TypeError(f"optim.{method}: {where} must be a dict, got {type(entries).__name__}")
            for key in entries:
                if key not in options and key not in keeps:
                    known = ", ".join(sorted(options) if where == "config" else sorted(keeps))
                    near = did_you_mean(key, options if where == "config" else keeps)
                    raise ValueError(
                        f"optim.{method}: unknown key {key!r} in {where}; it knows {known}{near}"
                    )
        given = {key: self._option(key, options[key], config.get(key)) for key in options}
        self.options = SimpleNamespace(**given)

    def _option(self, key, default, value):
        """Return the option `key`: the default for None, or a float, a bool, shapes or an array like x."""
        if key == "shapes":
            return self._shapes(value)
        if value is None or isinstance(default, bool):
            return default if value is None else bool(value)
        if isinstance(value, numbers.Real):
            self._check_range(key, value)
            return float(value)  # a NumPy float64 would turn float32 arithmetic into float64
        if key not in ARRAYS or not backend.is_array(value) or value.shape != self.x.shape:
            wanted = f"an array of shape {self.x.shape}" if key in ARRAYS else "a number"
            got = f"shape {value.shape}" if backend.is_array(value) else repr(value)
            raise ValueError(f"optim.{self.method}: {key} must be {wanted}, got {got}")
        return backend.asarray(value, self.x.dtype, backend.device_of(self.x))

    def _check_range(self, key, value):
        """Raise ValueError for a number that the option `key` cannot have."""
        if key in BELOW_ONE:
            fits, wanted = 0 <= value < 1, "from 0 to below 1"
        elif key in FRACTIONS:
            fits, wanted = 0 <= value <= 1, "from 0 to 1"
        elif key in POSITIVE:
            fits, wanted = 0 <= value < math.inf, "finite and at least 0"
        else:
            fits, wanted = math.isfinite(value), "finite"
        if not fits:
            raise ValueError(f"optim.{self.method}: {key} must be {wanted}, got {value}")

    def _shapes(self, value):
        """Return a list of shapes as tuples; ValueError unless arrays of these shapes make up x."""
        try:
            shapes = [tuple(operator.index(n) for n in shape) for shape in (() if value is None else value)]
        except TypeError:
            shapes = None
        if shapes is None or sum(math.prod(shape) for shape in shapes) != self.x.size:
            got = "none" if value is None else repr(value)
            raise ValueError(
                f"optim.{self.method}: shapes must be those of the parameters that make up x, {self.x.size} "
                f"numbers (nnlite.parameters.shapes(module)), got {got}"
            )
        return shapes

    def buffer(self, key, fill=0.0):
        """Return the state array `key`, of the shape, dtype and device of x; initially filled with `fill`."""
        if self.state.get(key) is None:
            self.state[key] = self.xp.full_like(self.x, fill)
        kept = self.state[key]
        if kept.shape != self.x.shape:
            raise ValueError(
                f"optim.{self.method}: state {key!r} has shape {kept.shape}, x {self.x.shape}; "
                "the state belongs to other parameters"
            )
        self.state[key] = backend.asarray(kept, self.x.dtype, backend.device_of(self.x))
        return self.state[key]

    def count(self, key):
        """Return the number of earlier steps from state[key], and count this one."""
        earlier = int(self.state.get(key) or 0)
        self.state[key] = earlier + 1
        return earlier

    def evaluate(self, feval):
        """Return (f, gradient) at x."""
        f, grad = feval(self.x)
        x = self.x
        parameters.check_connected(grad, f"optim.{self.method}: the gradient")
        if not backend.is_array(grad) or (grad.shape, grad.dtype) != (x.shape, x.dtype):
            got = f"{grad.dtype} of shape {grad.shape}" if backend.is_array(grad) else type(grad).__name__
            raise ValueError(
                f"optim.{self.method}: feval must return (f, gradient), the gradient {x.dtype} of shape "
                f"{x.shape} like x; got {got}"
            )
        return f, grad


def decay_weights(x, grad, decay):
    """Add the gradient decay · x of the penalty ½ decay Σ x², in place; decay is a number or an array."""
    if backend.is_array(decay) or decay != 0:
        grad += decay * x
