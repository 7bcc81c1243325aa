"""A convolutional LSTM computed by matrix products: eq. 1 and its derivatives as they are written."""

from ..ops import gates, get_ops
from ..ops.gemm import conv2d, conv2d_grad_input, conv2d_grad_weight


class GemmConvLSTM:
    """Buffers and passes for sequences of one shape (T, N, n_in, H, W); the reference for `SpectralConvLSTM`.

    Wₓ and Wₕ are the weights of i2g and o2g, their rows scaled as `nnlite.ops.gates` expects.
    """

    def __init__(self, shape, n_out, kernels, train, dtype, xp):
        steps, images, _, height, width = shape
        self.kernels = [(k, k) for k in kernels]
        self.paddings = [(k // 2, k // 2) for k in kernels]
        self.train, self.ops, self.scales = train, get_ops(xp), gates.row_scales(n_out, dtype, xp)
        self.x = xp.empty(shape, dtype) if train else None
        self.a = xp.empty((steps, images, 4 * n_out, height, width), dtype)
        self.c = xp.empty((steps, images, n_out, height, width), dtype)
        self.output = None

    def set_weight(self, input_weight, hidden_weight, bias):
        """Set Wₓ (4 n_out, n_in, kc, kc), Wₕ (4 n_out, n_out, km, km), bias (4 n_out,), all unscaled."""
        self.weights = [w * self.scales[:, None, None, None] for w in (input_weight, hidden_weight)]
        self.bias = bias * self.scales

    def forward(self, x, hidden, cell):
        """Return all h, (T, N, n_out, H, W), and the last cell; start from the given state or from zero.

        aₜ = Wₓ * xₜ + Wₕ * hₜ₋₁ + b, the first convolution for all steps at once.
        """
        if self.train:
            self.x[...] = x
        self.h_first, self.c_first = hidden, cell
        self.output = self.ops.xp.empty_like(self.c)  # a new array each time: the caller keeps the last one
        self.a[...] = conv2d(_images(x), self.weights[0], self.paddings[0]).reshape(self.a.shape)
        self.a += self.bias[:, None, None]
        for t, (a, c, h) in enumerate(zip(self.a, self.c, self.output)):
            h_before, c_before = self._state_before(t)
            if h_before is not None:
                a += conv2d(h_before, self.weights[1], self.paddings[1])
            self.ops.gates_forward(_flat(a), _flat(c_before), _flat(c), _flat(h))
        return self.output, c.copy()

    def backward(self, grad_output, grad_cell=None, to_state=False):
        """Return the gradients with respect to the input, both weights and the bias; a becomes da.

        dhₜ = gₜ + Wₕᵀ daₜ₊₁, from the last step to the first; then all daₜ are ready for the sums over time.
        grad_cell: the gradient of the last cell from elsewhere. to_state: whether to leave the gradients of
        the state before the first step in `grad_state`.
        """
        (input_weight, hidden_weight), (input_padding, hidden_padding) = self.weights, self.paddings
        size, da = self.x.shape[-2:], self.a
        dc = self.ops.xp.zeros_like(self.c[0]) if grad_cell is None else grad_cell.copy()
        grad_hidden = None
        for t in range(len(da) - 1, -1, -1):
            dh = grad_output[t].copy() if grad_hidden is None else grad_output[t] + grad_hidden
            c_before = self._state_before(t)[1]
            self.ops.gates_backward(_flat(da[t]), _flat(c_before), _flat(self.c[t]), _flat(dh), _flat(dc))
            if t or to_state:
                grad_hidden = conv2d_grad_input(da[t], hidden_weight, size, hidden_padding)
        self.grad_state = (grad_hidden, dc) if to_state else None
        grad_input = conv2d_grad_input(_images(da), input_weight, size, input_padding)
        grads = [
            conv2d_grad_weight(_images(self.x), _images(da), self.kernels[0], input_padding),
            conv2d_grad_weight(_images(self.output[:-1]), _images(da[1:]), self.kernels[1], hidden_padding),
        ]
        if self.h_first is not None:
            grads[1] += conv2d_grad_weight(self.h_first, da[0], self.kernels[1], hidden_padding)
        rows = self.scales[:, None, None, None]
        bias = da.sum(axis=(0, 1, 3, 4)) * self.scales
        return grad_input.reshape(self.x.shape), grads[0] * rows, grads[1] * rows, bias

    def _state_before(self, t):
        """Return hidden state and cell before step t, None for zero."""
        return (self.output[t - 1], self.c[t - 1]) if t else (self.h_first, self.c_first)


def _images(x):
    """Return x (T, N, C, H, W) as one batch (T N, C, H, W)."""
    return x.reshape(-1, *x.shape[2:])


def _flat(x):
    """Return x (N, C, H, W) as (N, C, H W), or None for None."""
    return None if x is None else x.reshape(*x.shape[:2], -1)
