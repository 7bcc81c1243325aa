"""Containers whose modules stand side by side."""

import functools
import operator

from . import backend, table
from .containers import Container
from .exclusive import exclusive
from .module import Module


class _Branches(Container):
    """Modules side by side; a subclass defines their inputs and how their gradients are joined."""

    def update_grad_input(self, input, grad_output):
        self._check_distinct_in_evaluation()
        grads = [module.update_grad_input(x, g) for module, x, g in self._wires(input, grad_output)]
        self.grad_input = self._join_grads(grads)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        for module, x, g in self._wires(input, grad_output):
            module.acc_grad_parameters(x, g, scale)

    @exclusive
    def backward(self, input, grad_output, scale=1.0):
        self._check_distinct_in_evaluation()
        grads = [module.backward(x, g, scale) for module, x, g in self._wires(input, grad_output)]
        self.grad_input = self._join_grads(grads)
        return self.grad_input

    def _wires(self, input, grad_output):
        """Return (module, its input, its grad_output) of every branch."""
        raise NotImplementedError

    def _join_grads(self, grads):
        """Return the gradient of the whole input from those of the branches; by default their sum."""
        return functools.reduce(lambda a, b: table.map(operator.add, a, b), grads)

    def _check_branches(self):
        if not self.modules:
            raise ValueError(f"{self.name} has no modules; add some before forward")

    def __repr__(self):
        lines = [f"{self.name} {{", "  input"]
        for i, module in enumerate(self.modules, 1):
            corner, edge = ("  |`-> ", "  |    ") if i < len(self) else ("   `-> ", "       ")
            lines.append(f"  {corner}({i}): " + repr(module).replace("\n", f"\n  {edge}"))
        return "\n".join([*lines, "     ... -> output", "}"])


class Concat(_Branches):
    """Feed every module the same input and concatenate their outputs along `dimension`.

    Shapes: input that of every module, outputs y₁..y_K equal but for `dimension` (0-based; negative from
    the end).
    Forward: output = [y₁ ... y_K], yₖ = fₖ(x).
    Backward: grad_input = Σₖ (∂fₖ/∂x)ᵀ gₖ, gₖ the part of grad_output that belongs to yₖ.
    Errors: ValueError for outputs that do not fit together and for a grad_output unlike the output.
    Source: nn.Concat.
    """

    def __init__(self, dimension: int, *modules: Module) -> None:
        super().__init__(*modules)
        self.dimension = dimension

    def update_output(self, input):
        self._check_branches()
        outputs = [module.update_output(input) for module in self.modules]
        try:
            self.output = backend.get_array_module(*outputs).concatenate(outputs, axis=self.dimension)
        except ValueError as error:
            shapes = ", ".join(str(y.shape) for y in outputs)
            raise ValueError(
                f"{self.name}: outputs of shape {shapes} cannot be joined along dimension {self.dimension}"
            ) from error
        return self.output

    def _wires(self, input, grad_output):
        self._check_shape(grad_output)
        wires, start = [], 0
        axis = self.dimension % self.output.ndim
        for module in self.modules:
            stop = start + module.output.shape[axis]
            part = (slice(None),) * axis + (slice(start, stop),)
            wires.append((module, input, grad_output[part]))
            start = stop
        return wires


class ConcatTable(_Branches):
    """Feed every module the same input and return the table of their outputs.

    Shapes: input (array or table) that of every module, output a table with one entry per module.
    Forward: outputₖ = fₖ(x).
    Backward: grad_input = Σₖ (∂fₖ/∂x)ᵀ gₖ, gₖ the k-th entry of grad_output; over tables entry by entry.
    Errors: ValueError unless grad_output has one entry per module.
    Source: nn.ConcatTable.

        >>> both = nn.ConcatTable(nn.Identity(), nn.Square())
        >>> [y.tolist() for y in both.forward(np.float32([1, 2, 3]))]
        [[1.0, 2.0, 3.0], [1.0, 4.0, 9.0]]
    """

    def update_output(self, input):
        self._check_branches()
        self.output = [module.update_output(input) for module in self.modules]
        return self.output

    def _wires(self, input, grad_output):
        self.check_table(grad_output, "grad_output", size=len(self))
        return [(module, input, g) for module, g in zip(self.modules, grad_output)]


class ParallelTable(_Branches):
    """Feed the k-th module the k-th entry of the input table and return the table of the outputs.

    Shapes: input and output tables with one entry per module.
    Forward: outputₖ = fₖ(xₖ).
    Backward: grad_inputₖ = (∂fₖ/∂xₖ)ᵀ gₖ.
    Errors: TypeError or ValueError when input or grad_output is not a table with one entry per module.
    Source: nn.ParallelTable.
    """

    def update_output(self, input):
        self.check_table(input, size=len(self))
        self.output = [module.update_output(x) for module, x in zip(self.modules, input)]
        return self.output

    def _wires(self, input, grad_output):
        self.check_table(grad_output, "grad_output", size=len(self))
        return list(zip(self.modules, input, grad_output))

    def _join_grads(self, grads):
        return grads
