"""Convolutions written out as matrices: an AE-fcLSTM with cells as one with all its parameters."""

import math


def matrix_of(convolution, shape):
    """Return W (n, m) and b (n,) with which `nn.Linear` does what a convolution does, maps laid in a row.

        y = W x + b;  since dL/dx = Wᵀ dL/dy, row j of W is the gradient of output j by the input.

    convolution: a `SpatialConvolution` or `SpatialFullConvolution`, with or without bias. shape: (C, H, W) of
    its input, m = C H W. Most of W is zero, the rest copies of the kernel. ValueError when an input of this
    shape does not fit.
    """
    module = convolution.clone()
    module.algorithm = "gemm"  # in the frequency domain zeros come out as rounding errors
    xp, dtype = module.xp, module.dtype
    value = module.forward(xp.zeros(shape, dtype))
    bias, n, m = value.reshape(-1).copy(), value.size, math.prod(shape)
    weight = xp.empty((n, m), dtype)
    for place in range(0, n, value[0].size):  # one map at a time, to bound the memory
        rows = weight[place : place + value[0].size]
        nothing = xp.zeros((len(rows), *shape), dtype)
        module.forward(nothing)
        units = xp.eye(len(rows), n, place, dtype=dtype).reshape(len(rows), *value.shape)
        rows[...] = module.update_grad_input(nothing, units).reshape(rows.shape)
    return weight, bias


def full_matrices(model):
    """Return {path: array}, parameters with which an `AEFcLSTM` without `cell` computes the same as one with.

    model: the one with `cell`. The arrays are its own where they need no change.
    """
    parameters = {path: weight for path, weight, _ in model.named_parameters()}
    for path, convolution, shape in model.shared_matrices():
        weight, bias = matrix_of(convolution, shape)
        parameters[f"{path}.weight"] = weight
        if convolution.bias is not None:
            parameters[f"{path}.bias"] = bias
    return parameters
