"""Containers: modules made of modules, in series or over folded dimensions; side by side in `branches`."""

import math
from collections.abc import Iterator
from typing import Any, TypeVar

from .exclusive import exclusive
from .module import Module
from .typing import Number

_C = TypeVar("_C", bound="Container")


class Container(Module):
    """A module that holds others in `modules` and otherwise behaves like a list of them."""

    parameter_names = ()

    def __init__(self, *modules: Module) -> None:
        super().__init__()
        self.modules: list[Any] = []
        for module in modules:
            self.add(module)

    def add(self: _C, module: Module) -> _C:
        """Append `module` and return self, so that calls chain."""
        if not isinstance(module, Module):
            raise TypeError(f"{self.name}.add takes a module, got {type(module).__name__}")
        self.modules.append(module)
        return self

    def children(self) -> list[tuple[str, Module]]:
        """Return the modules under their 0-based positions."""
        return [(str(i), module) for i, module in enumerate(self.modules)]

    def reset(self, stdv: Number | None = None) -> None:
        """Draw new initial parameters in every module."""
        for _, module in self.children():
            module.reset(stdv)

    def get(self, index: int) -> Any:
        """Return the module at a 0-based position."""
        return self.modules[index]

    def insert(self: _C, index: int, module: Module) -> _C:
        """Insert `module` before the 0-based position and return self."""
        if not isinstance(module, Module):
            raise TypeError(f"{self.name}.insert takes a module, got {type(module).__name__}")
        self.modules.insert(index, module)
        return self

    def remove(self, index: int = -1) -> Any:
        """Remove and return the module at a 0-based position, by default the last."""
        return self.modules.pop(index)

    def __getitem__(self, index: Any) -> Any:
        return self.modules[index]

    def __len__(self) -> int:
        return len(self.modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.modules)

    def __repr__(self):
        lines = [f"  ({i}): " + repr(m).replace("\n", "\n  ") for i, m in enumerate(self.modules, 1)]
        return "\n".join([f"{self.name} {{", *self._wiring(), *lines, "}"])

    def _check_shape(self, grad_output):
        """Raise unless `grad_output` has the output's shape; the children check dtype and device."""
        if self.output is None:
            raise RuntimeError(f"{self.name}: call forward before backward")
        got = getattr(grad_output, "shape", type(grad_output).__name__)
        if got != self.output.shape:
            raise ValueError(f"{self.name}: grad_output must have shape {self.output.shape}, got {got}")

    def _check_distinct_in_evaluation(self):
        """Raise in evaluation mode, where `forward` does not, when a backward pass would be wrong."""
        if not self.train:
            self._check_distinct()

    def _wiring(self):
        """Return the lines of `repr` that show how data flows."""
        return []


class Sequential(Container):
    """Feed each module the output of the one before.

    Shapes: input that of the first module, output that of the last.
    Forward: x₀ = input, xₖ = fₖ(xₖ₋₁), output = x_K.
    Backward: g_K = grad_output, gₖ₋₁ = (∂fₖ/∂xₖ₋₁)ᵀ gₖ, grad_input = g₀.
    Source: nn.Sequential.

        >>> net = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
        >>> print(net)
        nn.Sequential {
          [input -> (1) -> (2) -> output]
          (1): nn.Linear(3 -> 2)
          (2): nn.Tanh
        }
        >>> [(path, weight.shape) for path, weight, grad in net.named_parameters()]
        [('0.weight', (2, 3)), ('0.bias', (2,))]
    """

    def update_output(self, input):
        for module in self.modules:
            input = module.update_output(input)
        self.output = input
        return self.output

    def update_grad_input(self, input, grad_output):
        for module, x in self._backwards(input):
            grad_output = module.update_grad_input(x, grad_output)
        self.grad_input = grad_output
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        for module, x in self._backwards(input):
            module.acc_grad_parameters(x, grad_output, scale)
            grad_output = module.grad_input

    @exclusive
    def backward(self, input, grad_output, scale=1.0):
        for module, x in self._backwards(input):
            grad_output = module.backward(x, grad_output, scale)
            if not self.keeps_results:
                module.release()
        self.grad_input = grad_output
        return self.grad_input

    def _backwards(self, input):
        """Yield (module, its input of the last forward pass), last module first."""
        self._check_distinct_in_evaluation()
        for i in range(len(self.modules) - 1, -1, -1):
            yield self.modules[i], self.modules[i - 1].output if i else input

    def _wiring(self):
        return ["  [input -> " + "".join(f"({i}) -> " for i in range(1, len(self) + 1)) + "output]"]


class Bottle(Container):
    """Fold the leading dimensions of the input into one, apply the module, unfold them again.

    Shapes: input (D₁, ..., D_m, B, ...) with `n_input_dims` dimensions from B on, passed to the module as
    (D₁ ⋯ D_m · B, ...); the module's output (D₁ ⋯ D_m · B', ...), of `n_output_dims` dimensions (by default
    as many), comes out as (D₁, ..., D_m, B', ...). An input of `n_input_dims` dimensions or fewer is passed
    unchanged.
    Forward and backward: those of the module on the folded arrays.
    Errors: ValueError unless the module's output has `n_output_dims` dimensions.
    Source: nn.Bottle.

        >>> nn.Bottle(nn.Linear(3, 2)).forward(np.ones((4, 5, 3), np.float32)).shape
        (4, 5, 2)
    """

    def __init__(self, module: Module, n_input_dims: int = 2, n_output_dims: int | None = None) -> None:
        super().__init__(module)
        self.n_input_dims = n_input_dims
        self.n_output_dims = n_input_dims if n_output_dims is None else n_output_dims

    def update_output(self, input):
        y = self.modules[0].update_output(self._fold(input))
        lead = self._lead(input)
        if lead:
            if y.ndim != self.n_output_dims:
                raise ValueError(
                    f"{self.name}: the output of {self.modules[0].name} must have {self.n_output_dims} "
                    f"dimensions (n_output_dims), got shape {y.shape}"
                )
            # Of an empty batch the module is taken to keep the size.
            size = y.shape[0] // math.prod(lead) if math.prod(lead) else input.shape[len(lead)]
            y = y.reshape(*lead, size, *y.shape[1:])
        self.output = y
        return self.output

    def update_grad_input(self, input, grad_output):
        folded = self.modules[0].update_grad_input(self._fold(input), self._fold_grad(grad_output))
        self.grad_input = folded.reshape(input.shape)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        self.modules[0].acc_grad_parameters(self._fold(input), self._fold_grad(grad_output), scale)

    @exclusive
    def backward(self, input, grad_output, scale=1.0):
        folded = self.modules[0].backward(self._fold(input), self._fold_grad(grad_output), scale)
        self.grad_input = folded.reshape(input.shape)
        return self.grad_input

    def _lead(self, input):
        """Return the dimensions of `input` that are folded into the next one, () for none."""
        return input.shape[: max(input.ndim - self.n_input_dims, 0)]

    def _fold(self, input):
        lead = self._lead(input)
        if not lead:
            return input
        size, *rest = input.shape[len(lead) :]
        return input.reshape(math.prod(lead) * size, *rest)

    def _fold_grad(self, grad_output):
        self._check_shape(grad_output)
        return grad_output.reshape(self.modules[0].output.shape)
