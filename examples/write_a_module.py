"""Write a module, check its gradients, get one wrong on purpose, and see that it is found.

    python examples/write_a_module.py

The module is Swish with a trainable slope for each feature (Ramachandran et al. 2017): y = x σ(b x).
docs/tutorial.md goes on from here; docs/gradients.md derives the gradients of all modules of nnlite.
"""

import numpy as np

import nnlite as nn
from nnlite.gradcheck import check_module, worst


class Swish(nn.Module):
    """Every element times the sigmoid of a multiple of it.

    Shapes: input (N, n), output the same; slope (n,).
    Forward: y = x s with s = σ(b x).
    Backward: with ds/d(b x) = s (1 - s) and grad_output g,
        grad_input = g (s + b x s (1 - s)),   grad_slope += scale · Σ over the batch of g x² s (1 - s).
    Errors: ValueError unless the input has n columns.
    Source: arXiv:1710.05941.
    """

    state_names = (*nn.Module.state_names, "s")  # what `clear_state` drops

    def __init__(self, n):
        super().__init__()
        self.add_parameter("slope", (n,))  # and self.grad_slope
        self.reset()

    def reset(self, stdv=None):
        """Set all slopes to 1, or draw them from N(1, stdv²)."""
        self.slope.fill(1)
        if stdv is not None:
            self.slope += stdv * np.random.default_rng(0).standard_normal(self.slope.shape)

    def update_output(self, input):
        self.check_array(input, ndim=2, sizes={-1: self.slope.size})
        self.s = 1 / (1 + np.exp(-self.slope * input))
        self.output = input * self.s
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output * (self.s + self.slope * input * self.s * (1 - self.s))
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        # Added, not assigned: a sequence or several batches may share one gradient.
        self.grad_slope += scale * (grad_output * input**2 * self.s * (1 - self.s)).sum(axis=0)


class WrongSwish(Swish):
    """The same without the derivative of σ: right only where it saturates."""

    def update_grad_input(self, input, grad_output):
        self.grad_input = grad_output * self.s
        return self.grad_input


# Numbers that are not special: with a slope of 1 everywhere a forgotten slope would go unnoticed.
x = np.random.default_rng(1).standard_normal((4, 3))
for module in (Swish(3), WrongSwish(3)):
    module.reset(0.5)
    checks = check_module(module, x)
    print(f"{module}: worst of {len(checks)} checks")
    print(f"    {worst(checks)}")

# It works in any network; whatever is inside is checked with it.
net = nn.Sequential(nn.Linear(3, 5), Swish(5), nn.Linear(5, 2))
print(f"{net}\n    {worst(check_module(net, x))}")

# A wrong shape is answered with a message.
try:
    net.forward(np.zeros((4, 7), np.float32))
except ValueError as error:
    print(f"refused: {error}")
