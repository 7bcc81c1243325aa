"""Convolutions written out as matrices, and AE-fcLSTMs with cells as AE-fcLSTMs without."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import models
from nnlite.models.matrices import full_matrices, matrix_of
from tests.recurrent_golden import noise

CONVOLUTIONS = {
    "same": lambda: nn.SpatialConvolution(3, 2, 5, 5, 1, 1, 2, 2),
    "without bias": lambda: nn.SpatialConvolutionNoBias(3, 4, 3, 3, 1, 1, 1, 1),
    "strided": lambda: nn.SpatialConvolution(3, 4, 6, 4, 2, 2, 2, 1),
    "spectral": lambda: nn.SpatialConvolution(3, 2, 5, 5, 1, 1, 2, 2, algorithm="spectral"),
    "transposed": lambda: nn.SpatialFullConvolution(3, 4, 6, 6, 2, 2, 2, 2),
}
SIZES = {"height": 24, "width": 16, "n_features": 3, "n_memory": 24, "kernel": 3}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_a_linear_layer_with_the_matrix_does_what_the_convolution_does(kind, dtype):
    """Forward and backward, for a batch and for single maps."""
    nn.manual_seed(3)
    convolution, x = CONVOLUTIONS[kind]().type(dtype), noise(2, 3, 6, 8, dtype=dtype)
    weight, bias = matrix_of(convolution, x.shape[1:])
    assert weight.dtype == bias.dtype == dtype
    linear = nn.Linear(weight.shape[1], weight.shape[0]).type(dtype)
    linear.weight[...], linear.bias[...] = weight, bias
    close = {"atol": 1e-5 if dtype == np.float32 else 1e-13}
    y = convolution.forward(x)
    np.testing.assert_allclose(linear.forward(x.reshape(2, -1)), y.reshape(2, -1), **close)
    g = noise(*y.shape, seed=1, dtype=dtype)
    back = linear.backward(x.reshape(2, -1), g.reshape(2, -1))
    np.testing.assert_allclose(back, convolution.backward(x, g).reshape(2, -1), **close)
    one = convolution.forward(x[1])
    np.testing.assert_allclose(linear.forward(x[1].reshape(-1)), one.reshape(-1), **close)


def test_the_matrix_holds_copies_of_the_kernel_and_zeros():
    convolution = nn.SpatialConvolution(1, 1, 3, 3, 1, 1, 1, 1)
    weight, bias = matrix_of(convolution, (1, 4, 5))
    kernel = convolution.weight.reshape(-1)
    np.testing.assert_array_equal(bias, np.full(20, convolution.bias[0]))
    middle = weight[1 * 5 + 2].reshape(4, 5)  # the output at row 1, column 2
    np.testing.assert_array_equal(middle[:3, 1:4].reshape(-1), kernel)
    assert np.count_nonzero(middle) == 9
    corner = weight[0].reshape(4, 5)
    np.testing.assert_array_equal(corner[:2, :2], convolution.weight[0, 0, 1:, 1:])
    assert np.count_nonzero(corner) == 4


def test_the_convolution_is_left_as_it_was():
    convolution = CONVOLUTIONS["same"]()
    x = noise(2, 3, 6, 8, dtype=np.float32)
    y = convolution.forward(x)
    matrix_of(convolution, (3, 4, 4))
    assert convolution.output is y and convolution.algorithm == "auto"


def test_an_input_that_does_not_fit():
    with pytest.raises(ValueError, match="input must have size 3 in dimension -3"):
        matrix_of(CONVOLUTIONS["same"](), (2, 6, 8))


@pytest.mark.parametrize("cell", [4, 8])
def test_full_matrices_compute_what_cells_do(cell):
    """Predictions and the gradient of the frames; the gradients of the matrices hold those of the kernels."""
    with_cells = models.build("ae_fclstm", cell=cell, **SIZES).double()
    with_cells.memory.reset(0.3)
    full = models.build("ae_fclstm", **SIZES).double()
    parameters = full_matrices(with_cells)
    for path, weight, _ in full.named_parameters():
        assert parameters[path].shape == weight.shape, path
        weight[...] = parameters[path]
    x = np.random.default_rng(0).uniform(size=(4, 2, 1, 24, 16))
    y = with_cells.forward(x)
    assert np.std(y, axis=0).max() > 1e-3  # the memory matters
    np.testing.assert_allclose(full.forward(x), y, atol=1e-14)
    g = noise(*y.shape)
    with_cells.zero_grad_parameters()
    full.zero_grad_parameters()
    np.testing.assert_allclose(full.backward(x, g), with_cells.backward(x, g), atol=1e-12)
    grads = {path: grad for path, _, grad in full.named_parameters()}
    for path, _, grad in with_cells.named_parameters():
        if path.endswith("i2g.bias"):
            shared = grads[path].reshape(len(grad), -1).sum(axis=1)
            np.testing.assert_allclose(shared, grad, atol=1e-11, err_msg=path)
        elif grads[path].shape == grad.shape:
            np.testing.assert_allclose(grads[path], grad, atol=1e-11, err_msg=path)


def test_without_cells_nothing_changes():
    model = models.build("ae_fclstm", **SIZES)
    assert model.shared_matrices() == []
    for path, weight, _ in model.named_parameters():
        assert full_matrices(model)[path] is weight
