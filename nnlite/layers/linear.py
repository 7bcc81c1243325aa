"""Fully-connected layers."""

import math

from ..module import Module
from ..ops import get_ops


class Linear(Module):
    """Affine map of a vector: y = W x + b.

    Shapes: input (n_in,) or (N, n_in), output (n_out,) or (N, n_out); weight (n_out, n_in), bias (n_out,).
    Forward: y = W x + b.
    Backward: grad_input = Wᵀ g; grad_weight += scale · g xᵀ; grad_bias += scale · g, summed over the batch.
    Errors: ValueError unless n_in and n_out are integers of at least 1 and the last dimension of the input is
    n_in.
    Source: nn.Linear.

        >>> net = nn.Linear(3, 2)
        >>> net.forward(np.ones((4, 3), np.float32)).shape
        (4, 2)
        >>> net.backward(np.ones((4, 3), np.float32), np.ones((4, 2), np.float32)).shape
        (4, 3)
        >>> net.grad_bias.tolist()
        [4.0, 4.0]
        >>> net.forward(np.ones((4, 5), np.float32))
        Traceback (most recent call last):
            ...
        ValueError: nn.Linear: input must have size 3 in dimension -1, got shape (4, 5)
    """

    def __init__(self, n_in: int, n_out: int, bias: bool = True) -> None:
        super().__init__()
        self.check_counts(n_in=n_in, n_out=n_out)
        self.n_in, self.n_out = n_in, n_out
        self.add_parameter("weight", (n_out, n_in))
        if bias:
            self.add_parameter("bias", (n_out,))
        else:
            self.no_bias()
        self.reset()

    def reset(self, stdv=None):
        """Draw weight and bias from U(-r, r), r = 1/√n_in, or √3 · stdv when `stdv` is given."""
        self.reset_uniform(1.0 / math.sqrt(self.n_in) if stdv is None else stdv * math.sqrt(3.0))

    def update_output(self, input):
        self.check_array(input, ndim=(1, 2), sizes={-1: self.n_in})
        y = get_ops(input).parallel_matmul(input.reshape(-1, self.n_in), self.weight.T)
        self.output = y.reshape(*input.shape[:-1], self.n_out)
        if self.bias is not None:
            self.output += self.bias
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        g = grad_output.reshape(-1, self.n_out)
        self.grad_input = get_ops(g).parallel_matmul(g, self.weight).reshape(input.shape)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        x, g = input.reshape(-1, self.n_in), grad_output.reshape(-1, self.n_out)
        get_ops(g).add_product(self.grad_weight, g.T, x, scale)
        if self.bias is not None:
            self.grad_bias += scale * g.sum(axis=0)

    def no_bias(self) -> "Linear":
        """Remove the bias and return self."""
        self.bias = self.grad_bias = None
        return self

    def describe(self):
        return f"({self.n_in} -> {self.n_out})" + ("" if self.bias is not None else " without bias")


class LinearNoBias(Linear):
    """Linear map of a vector: y = W x. Everything else as in `Linear`. Source: nn.LinearNoBias (dpnn)."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out, bias=False)
