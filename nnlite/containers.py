"""Containers: modules made of modules, wired in series, in parallel or over folded dimensions."""

from .module import Module


class Container(Module):
    """A module that holds others in `modules` and otherwise behaves like a list of them."""

    parameter_names = ()

    def __init__(self, *modules):
        super().__init__()
        self.modules = []
        for module in modules:
            self.add(module)

    def add(self, module):
        """Append `module` and return self, so that calls chain."""
        if not isinstance(module, Module):
            raise TypeError(f"{self.name}.add takes a module, got {type(module).__name__}")
        self.modules.append(module)
        return self

    def children(self):
        """Return the modules under their 0-based positions."""
        return [(str(i), module) for i, module in enumerate(self.modules)]

    def reset(self, stdv=None):
        """Draw new initial parameters in every module."""
        for _, module in self.children():
            module.reset(stdv)

    def get(self, index):
        """Return the module at a 0-based position."""
        return self.modules[index]

    def insert(self, index, module):
        """Insert `module` before the 0-based position and return self."""
        self.modules.insert(index, module)
        return self

    def remove(self, index=-1):
        """Remove and return the module at a 0-based position, by default the last."""
        return self.modules.pop(index)

    def __getitem__(self, index):
        return self.modules[index]

    def __len__(self):
        return len(self.modules)

    def __iter__(self):
        return iter(self.modules)

    def __repr__(self):
        lines = [f"  ({i}): " + repr(m).replace("\n", "\n  ") for i, m in enumerate(self.modules, 1)]
        return "\n".join([f"{self.name} {{", *self._wiring(), *lines, "}"])

    def _wiring(self):
        """Return the lines of `repr` that show how data flows."""
        return []


class Sequential(Container):
    """Feed each module the output of the one before.

    Shapes: input that of the first module, output that of the last.
    Forward: x₀ = input, xₖ = fₖ(xₖ₋₁), output = x_K.
    Backward: g_K = grad_output, gₖ₋₁ = (∂fₖ/∂xₖ₋₁)ᵀ gₖ, grad_input = g₀.
    Source: nn.Sequential.
    """

    def update_output(self, input):
        for module in self.modules:
            input = module.update_output(input)
        self.output = input
        return self.output

    def update_grad_input(self, input, grad_output):
        for module, fed in self._backwards(input):
            grad_output = module.update_grad_input(fed, grad_output)
        self.grad_input = grad_output
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        for module, fed in self._backwards(input):
            module.acc_grad_parameters(fed, grad_output, scale)
            grad_output = module.grad_input

    def backward(self, input, grad_output, scale=1.0):
        for module, fed in self._backwards(input):
            grad_output = module.backward(fed, grad_output, scale)
        self.grad_input = grad_output
        return self.grad_input

    def _backwards(self, input):
        """Yield (module, its input of the last forward pass), last module first."""
        for i in range(len(self.modules) - 1, -1, -1):
            yield self.modules[i], self.modules[i - 1].output if i else input

    def _wiring(self):
        return ["  [input -> " + "".join(f"({i}) -> " for i in range(1, len(self) + 1)) + "output]"]
