"""Layers of two arrays, given as a table: products, and how close vectors are."""

import numpy as np

from ..backend import asarray, device_of
from ..module import Module
from ..random import default_generator
from ..typing import Number


class MM(Module):
    """The product of two matrices, or of every two in two batches.

    Shapes: input a table of A (n, k) and B (k, m), or (N, n, k) and (N, k, m), output (n, m) or (N, n,
    m). With `trans_a` A is (k, n), with `trans_b` B is (m, k), and what is multiplied is the transpose.
    Forward: y = A B.
    Backward: grad_input = [g Bᵀ, Aᵀ g], each transposed when its matrix is.
    Errors: ValueError when the shapes do not go together.
    Source: nn.MM.

        >>> net, factors = nn.MM(), [np.float32([[1, 2]]), np.float32([[3], [4]])]
        >>> net.forward(factors).tolist()
        [[11.0]]
        >>> [g.tolist() for g in net.backward(factors, np.float32([[1]]))]
        [[[3.0, 4.0]], [[1.0], [2.0]]]
    """

    def __init__(self, trans_a: bool = False, trans_b: bool = False) -> None:
        super().__init__()
        self.trans_a, self.trans_b = trans_a, trans_b

    def update_output(self, input):
        a, b = self._factors(input)
        self.output = a @ b
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        a, b = self._factors(input)
        grad_a, grad_b = grad_output @ b.swapaxes(-1, -2), a.swapaxes(-1, -2) @ grad_output
        self.grad_input = [
            grad_a.swapaxes(-1, -2) if self.trans_a else grad_a,
            grad_b.swapaxes(-1, -2) if self.trans_b else grad_b,
        ]
        return self.grad_input

    def _factors(self, input):
        self.check_table(input, size=2)
        a, b = input
        self.check_array(a, "input[0]", ndim=(2, 3))
        self.check_array(b, "input[1]", ndim=a.ndim)
        a = a.swapaxes(-1, -2) if self.trans_a else a
        b = b.swapaxes(-1, -2) if self.trans_b else b
        if a.shape[-1] != b.shape[-2] or a.shape[:-2] != b.shape[:-2]:
            raise ValueError(
                f"{self.name}: input must hold matrices that can be multiplied, got shapes {input[0].shape} "
                f"and {input[1].shape} with trans_a = {self.trans_a} and trans_b = {self.trans_b}"
            )
        return a, b


class MV(Module):
    """The product of a matrix and a vector, or of every two in two batches.

    Shapes: input a table of M (n, k) and v (k,), or (N, n, k) and (N, k), output (n,) or (N, n). With
    `trans` M is (k, n), and what is multiplied is the transpose.
    Forward: y = M v.
    Backward: grad_input = [g vᵀ, Mᵀ g], the first transposed with `trans`.
    Errors: ValueError when the shapes do not go together.
    Source: nn.MV.
    """

    def __init__(self, trans: bool = False) -> None:
        super().__init__()
        self.trans = trans

    def update_output(self, input):
        matrix, vector = self._factors(input)
        self.output = (matrix @ vector[..., None])[..., 0]
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        matrix, vector = self._factors(input)
        grad_matrix = grad_output[..., :, None] * vector[..., None, :]
        grad_vector = (matrix.swapaxes(-1, -2) @ grad_output[..., None])[..., 0]
        self.grad_input = [grad_matrix.swapaxes(-1, -2) if self.trans else grad_matrix, grad_vector]
        return self.grad_input

    def _factors(self, input):
        self.check_table(input, size=2)
        matrix, vector = input
        self.check_array(matrix, "input[0]", ndim=(2, 3))
        self.check_array(vector, "input[1]", ndim=matrix.ndim - 1)
        matrix = matrix.swapaxes(-1, -2) if self.trans else matrix
        if matrix.shape[-1] != vector.shape[-1] or matrix.shape[:-2] != vector.shape[:-1]:
            raise ValueError(
                f"{self.name}: input must hold a matrix and a vector that can be multiplied, got shapes "
                f"{input[0].shape} and {input[1].shape} with trans = {self.trans}"
            )
        return matrix, vector


class DotProduct(Module):
    """The dot product of two vectors, or of every two in two batches.

    Shapes: input a table of two arrays (D,) or (N, D), output (1,) or (N,).
    Forward: y = Σᵢ aᵢ bᵢ.
    Backward: grad_input = [g b, g a].
    Errors: ValueError when the shapes differ.
    Source: nn.DotProduct.
    """

    def update_output(self, input):
        a, b = pair_of_batches(self, input)
        self.output = (a * b).sum(axis=1)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        a, b = pair_of_batches(self, input)
        g = grad_output[:, None]
        self.grad_input = [(g * b).reshape(input[0].shape), (g * a).reshape(input[1].shape)]
        return self.grad_input


class CosineDistance(Module):
    """The cosine of the angle between two vectors, or between every two in two batches.

    Shapes: input a table of two arrays (D,) or (N, D), output (1,) or (N,).
    Forward: y = Σᵢ aᵢ bᵢ / √((Σᵢ aᵢ² + ε) (Σᵢ bᵢ² + ε)), ε = 1e-12.
    Backward: grad_input = [g w (b - y' a / (|a|² + ε)), g w (a - y' b / (|b|² + ε))], with w = 1 / the
    root and y' = Σᵢ aᵢ bᵢ.
    Errors: ValueError when the shapes differ.
    Source: nn.CosineDistance.
    """

    def update_output(self, input):
        self.output = cosine(*pair_of_batches(self, input))[0]
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        slopes = cosine(*pair_of_batches(self, input))[1:]
        self.grad_input = [
            (grad_output[:, None] * slope).reshape(x.shape) for slope, x in zip(slopes, input, strict=True)
        ]
        return self.grad_input


class PairwiseDistance(Module):
    """The p-norm of the difference of two vectors, or of every two in two batches.

    Shapes: input a table of two arrays (D,) or (N, D), output (1,) or (N,).
    Forward: y = (Σᵢ |dᵢ|ᵖ)^(1/p), d = a - b.
    Backward: grad_input = [s, -s], sᵢ = g dᵢ |dᵢ|ᵖ⁻² (y + 1e-6)¹⁻ᵖ; for p = 1 the sign of dᵢ, where a 0
    counts as +1 or -1 as Torch7's generator decides. With `published` as Torch7 has it, which leaves |dᵢ|ᵖ⁻²
    out for 1 < p < 2, where it is not 1: no gradient of y.
    Errors: ValueError when the shapes differ or p < 1.
    Source: nn.PairwiseDistance.
    """

    def __init__(self, p: Number = 2, *, published: bool = False) -> None:
        super().__init__()
        if p < 1:
            raise ValueError(f"{self.name}: p must be at least 1, got {p}")
        self.norm, self.published = p, published

    def update_output(self, input):
        a, b = pair_of_batches(self, input)
        self.output = (abs(a - b) ** self.norm).sum(axis=1) ** (1.0 / self.norm)
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        a, b = pair_of_batches(self, input)
        d, p = a - b, self.norm
        if p == 1:
            slope = random_sign(d)
        else:
            numerator = d if self.published and p < 2 else self.xp.sign(d) * abs(d) ** (p - 1)
            slope = numerator * (self.output[:, None] + 1e-6) ** (1 - p)
        grad = (grad_output[:, None] * slope).reshape(input[0].shape)
        self.grad_input = [grad, -grad]
        return self.grad_input


def pair_of_batches(module, input):
    """Return the two arrays of a table, (D,) or (N, D), as (N, D); raise when they are anything else."""
    module.check_table(input, size=2)
    a, b = input
    module.check_array(a, "input[0]", ndim=(1, 2))
    module.check_array(b, "input[1]", shape=a.shape)
    return (a[None], b[None]) if a.ndim == 1 else (a, b)


def cosine(a, b, epsilon=1e-12):
    """Return the cosines (N,) between rows of a and b (N, D), and their derivatives by a and by b (N, D)."""
    products = (a * b).sum(axis=1)
    size_a, size_b = (a * a).sum(axis=1) + epsilon, (b * b).sum(axis=1) + epsilon
    w = 1 / (size_a * size_b) ** 0.5
    slope_a = w[:, None] * (b - (products / size_a)[:, None] * a)
    slope_b = w[:, None] * (a - (products / size_b)[:, None] * b)
    return products * w, slope_a, slope_b


def random_sign(d):
    """Return the signs of an array; zeros get +1 or -1 from Torch7's generator, in row-major order."""
    signs, zero = np.sign(d), d == 0
    drawn = 2 * default_generator.integers(1, 2, int(zero.sum())) - 3
    signs[zero] = asarray(drawn, d.dtype, device_of(d))
    return signs
