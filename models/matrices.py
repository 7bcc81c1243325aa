"""Convolutions as matrices: an AE-fcLSTM with cells as one with all its parameters."""

import math
from typing import Any

from nnlite.typing import Array


def matrix_of(convolution: Any, shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Return W (n, m) and b (n,) with which `nn.Linear` computes a convolution, maps flattened to vectors.

        y = W x + b;  since dL/dx = Wᵀ dL/dy, row j of W is the gradient of output j with respect to x.

    convolution: a `SpatialConvolution` or `SpatialFullConvolution`, with or without bias. shape: (C, H, W) of
    its input, m = C H W. Most of W is zero, the rest copies of the kernel. ValueError unless an input of this
    shape fits.

        >>> from nnlite.models.matrices import matrix_of
        >>> weight, bias = matrix_of(nn.SpatialConvolution(1, 1, 3, 3), (1, 4, 5))
        >>> weight.shape, bias.shape
        ((6, 20), (6,))
    """
    module = convolution.clone()
    module.algorithm = "gemm"  # in the frequency domain zeros come out as rounding errors
    xp, dtype = module.xp, module.dtype
    value = module.forward(xp.zeros(shape, dtype))
    bias, n, m = value.reshape(-1).copy(), value.size, math.prod(shape)
    weight = xp.empty((n, m), dtype)
    for first in range(0, n, value[0].size):  # one map at a time, to bound the memory
        rows = weight[first : first + value[0].size]
        zeros = xp.zeros((len(rows), *shape), dtype)
        module.forward(zeros)
        units = xp.eye(len(rows), n, first, dtype=dtype).reshape(len(rows), *value.shape)
        rows[...] = module.update_grad_input(zeros, units).reshape(rows.shape)
    return weight, bias


def full_matrices(model: Any) -> dict[str, Array]:
    """Return {path: array}, parameters for an `AEFcLSTM` without `cell` equal to one with it.

    model: the one with `cell`. Parameters that need no change are its own arrays.
    """
    parameters = {path: weight for path, weight, _ in model.named_parameters()}
    for path, convolution, shape in model.shared_matrices():
        weight, bias = matrix_of(convolution, shape)
        parameters[f"{path}.weight"] = weight
        if convolution.bias is not None:
            parameters[f"{path}.bias"] = bias
    return parameters
