"""The steps of a convolutional LSTM by matrix products: eq. 1 and its derivatives as they are written."""

from ..ops import gates
from ..ops.gemm import conv2d, conv2d_grad_input, conv2d_grad_weight


class GemmSteps:
    """Buffers and passes for sequences of one shape (T, N, n_in, H, W); the reference for `SpectralSteps`.

    Wₓ and Wₕ are here the weights of i2g and o2g with the rows scaled as `nnlite.ops.gates` wants them.
    """

    def __init__(self, shape, n_out, kernels, train, dtype, xp):
        steps, images, _, height, width = shape
        self.kernels = [(k, k) for k in kernels]
        self.paddings = [(k // 2, k // 2) for k in kernels]
        self.train, self.xp, self.scales = train, xp, gates.row_scales(n_out, dtype, xp)
        self.x = xp.empty(shape, dtype) if train else None
        self.a = xp.empty((steps, images, 4 * n_out, height, width), dtype)
        self.c = xp.empty((steps, images, n_out, height, width), dtype)
        self.output = None

    def set_weight(self, input_weight, hidden_weight, bias):
        """Take Wₓ (4 n_out, n_in, kc, kc), Wₕ (4 n_out, n_out, km, km) and the bias (4 n_out,), unscaled."""
        self.weights = [w * self.scales[:, None, None, None] for w in (input_weight, hidden_weight)]
        self.bias = bias * self.scales

    def forward(self, x, hidden, cell):
        """Return all h, (T, N, n_out, H, W), and the last cell; start from the given state or from zero.

        aₜ = Wₓ * xₜ + Wₕ * hₜ₋₁ + b, the first convolution for all steps at once.
        """
        if self.train:
            self.x[...] = x
        self.h_first, self.c_first = hidden, cell
        self.output = self.xp.empty_like(self.c)  # a new one each time: the last one is the caller's
        self.a[...] = conv2d(_images(x), self.weights[0], self.paddings[0]).reshape(self.a.shape)
        self.a += self.bias[:, None, None]
        for t, (a, c, h) in enumerate(zip(self.a, self.c, self.output)):
            h_before, c_before = self._state_before(t)
            if h_before is not None:
                a += conv2d(h_before, self.weights[1], self.paddings[1])
            gates.forward(_flat(a), _flat(c_before), _flat(c), _flat(h), self.xp)
        return self.output, c.copy()

    def backward(self, grad_output, grad_cell=None, to_state=False):
        """Return d input, and the gradients of the two weights and of the bias; a becomes da.

        dhₜ = gₜ + Wₕᵀ daₜ₊₁, from the last step to the first; then all daₜ are there for the sums over time.
        grad_cell: the gradient of the last cell that comes from elsewhere. to_state: whether to leave the
        gradients of the state before the first step in `grad_state`.
        """
        (input_weight, hidden_weight), (input_padding, hidden_padding) = self.weights, self.paddings
        size, da = self.x.shape[-2:], self.a
        sent, dc = None, self.xp.zeros_like(self.c[0]) if grad_cell is None else grad_cell.copy()
        for t in range(len(da) - 1, -1, -1):
            dh = grad_output[t].copy() if sent is None else grad_output[t] + sent
            c_before = self._state_before(t)[1]
            gates.backward(_flat(da[t]), _flat(c_before), _flat(self.c[t]), _flat(dh), _flat(dc), self.xp)
            if t or to_state:
                sent = conv2d_grad_input(da[t], hidden_weight, size, hidden_padding)
        self.grad_state = (sent, dc) if to_state else None
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
        """Return hidden state and cell of the step before t, None for zero."""
        return (self.output[t - 1], self.c[t - 1]) if t else (self.h_first, self.c_first)


def _images(x):
    """Return x (T, N, maps, H, W) as one batch (T N, maps, H, W)."""
    return x.reshape(-1, *x.shape[2:])


def _flat(x):
    """Return maps (N, maps, H, W) as (N, maps, H W), or None for None."""
    return None if x is None else x.reshape(*x.shape[:2], -1)
