"""What a module is given: checks whose messages name the module, what was expected and what came."""

from numbers import Integral
from typing import Any

from . import backend


class Checks:
    """The checks of a `Module`, which has dtype and device, and its last output."""

    dtype: Any
    device: str
    output: Any

    @property
    def name(self) -> str:
        """The name that messages use, such as "nn.Linear"."""
        return f"nn.{type(self).__name__}"

    def check_counts(self, **arguments: Any) -> None:
        """Raise ValueError unless the arguments of a constructor are integers of at least 1."""
        for argument, value in arguments.items():
            if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
                raise ValueError(f"{self.name}: {argument} must be an integer >= 1, got {value!r}")

    def check_array(
        self,
        x: Any,
        what: str = "input",
        ndim: int | tuple[int, ...] | None = None,
        shape: tuple[int, ...] | None = None,
        sizes: dict[int, int] | None = None,
    ) -> None:
        """Raise unless `x` is an array of this module's dtype and device, and of the given form.

        ndim: the allowed number of dimensions, an int or a tuple of ints. shape: the exact shape. sizes:
        {axis: size}, axes counted from the end (-3 is the channel of CHW and of NCHW alike).
        TypeError for dtype and device, ValueError for the form.
        """
        if not backend.is_array(x):
            raise TypeError(f"{self.name}: {what} must be an array, got {type(x).__name__}")
        if backend.device_of(x) != self.device:
            raise TypeError(
                f"{self.name}: {what} is on {backend.device_of(x)}, the module on {self.device}; "
                "move one of them (module.cuda(), module.cpu())"
            )
        if x.dtype != self.dtype:
            raise TypeError(
                f"{self.name}: {what} must be {self.dtype}, got {x.dtype}; convert it or the module "
                "(module.float(), module.double())"
            )
        allowed = (ndim,) if isinstance(ndim, int) else ndim
        if allowed is not None and x.ndim not in allowed:
            expected = " or ".join(str(n) for n in allowed)
            raise ValueError(f"{self.name}: {what} must have {expected} dimensions, got shape {x.shape}")
        if shape is not None and x.shape != tuple(shape):
            raise ValueError(f"{self.name}: {what} must have shape {tuple(shape)}, got {x.shape}")
        for axis, size in (sizes or {}).items():
            if x.shape[axis] != size:
                raise ValueError(
                    f"{self.name}: {what} must have size {size} in dimension {axis}, got shape {x.shape}"
                )

    def check_grad_output(self, grad_output: Any, shape: tuple[int, ...] | None = None) -> None:
        """Raise unless `grad_output` looks like the output of the last forward pass.

        RuntimeError when there was none.
        """
        if shape is None:
            if self.output is None:
                raise RuntimeError(f"{self.name}: call forward before backward")
            shape = self.output.shape
        self.check_array(grad_output, "grad_output", shape=shape)

    def check_table(self, input: Any, what: str = "input", size: int | None = None) -> None:
        """Raise unless `input` is a table (list or tuple), of `size` entries when given."""
        if not isinstance(input, list | tuple):
            raise TypeError(f"{self.name}: {what} must be a list or tuple, got {type(input).__name__}")
        if size is not None and len(input) != size:
            raise ValueError(f"{self.name}: {what} must have {size} entries, got {len(input)}")
