"""Convolution layers and their transpose."""

import math

from ..ops import convolution, get_ops
from .sliding_window import SlidingWindow, as_batch


class _Kernels(SlidingWindow):
    """Base of both directions: learnt kernels, one bias a map, their initial values."""

    def __init__(self, n_in, n_out, kw, kh, dw, dh, padw, padh, weight_shape, algorithm):
        super().__init__(kw, kh, dw, dh, padw, padh)
        self.check_counts(n_in=n_in, n_out=n_out)
        if algorithm not in convolution.ALGORITHMS:
            known = ", ".join(convolution.ALGORITHMS)
            raise ValueError(f"{self.name}: algorithm must be one of {known}, got {algorithm!r}")
        self.n_in, self.n_out, self.algorithm = n_in, n_out, algorithm
        self.add_parameter("weight", weight_shape)
        self.add_parameter("bias", (n_out,))
        self.reset()

    def reset(self, stdv=None):
        """Draw weight and bias from U(-r, r), r = 1/√(kw·kh·n_in), or √3 · stdv when `stdv` is given."""
        fan_in = self.kw * self.kh * self.n_in
        self.reset_uniform(1.0 / math.sqrt(fan_in) if stdv is None else stdv * math.sqrt(3.0))

    def no_bias(self):
        """Remove the bias and return self."""
        self.bias = self.grad_bias = None
        return self

    @property
    def _geometry(self):
        """The last arguments of every function in `nnlite.ops.convolution`."""
        return self.padding, self.stride, self.algorithm

    def _finish_output(self, y, input):
        """Add the bias to y (N, n_out, H', W') and store it as output, without N where input has none."""
        if self.bias is not None:

            def add(images):
                some = y[images]
                some += self.bias[:, None, None]

            get_ops(y).parallel_for(add, len(y))
        self.output = y.reshape(input.shape[:-3] + y.shape[1:])
        return self.output

    def _acc_grad_bias(self, grad_output, scale):
        """Add scale · Σ grad_output over images, rows and columns to the gradient of the bias, if any."""
        if self.bias is not None:
            g = as_batch(grad_output)
            sums = get_ops(g).parallel_for(lambda images: g[images].sum(axis=(0, 2, 3)), len(g))
            self.grad_bias += scale * sum(sums)

    def describe(self):
        window = self.describe_window(with_stride=self.stride != (1, 1))
        return f"({self.n_in} -> {self.n_out}, {window})" + ("" if self.bias is not None else " without bias")


class SpatialConvolution(_Kernels):
    """Correlation of maps with learnt kernels.

    Shapes: input (n_in, H, W) or (N, n_in, H, W), output (n_out, H', W') or (N, n_out, H', W') with
    H' = ⌊(H + 2 padh - kh) / dh⌋ + 1 and W' likewise; weight (n_out, n_in, kh, kw), bias (n_out,). padh is
    padw when it is not given. `algorithm` is "gemm", "rows" or "frames" (both for stride 1 only), "spectral",
    the faster of these two by an estimate, or "auto", the fastest of the three; all give the same up to
    rounding (`nnlite.ops.convolution`).
    Forward: y[o, p, q] = bias[o] + Σ_{c,i,j} weight[o, c, i, j] · x[c, p·dh + i - padh, q·dw + j - padw],
    x zero outside.
    Backward: grad_input[c, r, s] = Σ weight[o, c, i, j] · g[o, p, q] over all o, i, j, p, q with
    p·dh + i - padh = r and q·dw + j - padw = s;
    grad_weight[o, c, i, j] += scale · Σ_{p,q} g[o, p, q] · x[c, p·dh + i - padh, q·dw + j - padw];
    grad_bias[o] += scale · Σ_{p,q} g[o, p, q]; both are summed over the batch.
    Errors: ValueError unless n_in and n_out are integers of at least 1 and the input has n_in maps that are,
    padded, at least as large as the kernel.
    Source: nn.SpatialConvolution.

        >>> mean = nn.SpatialConvolution(1, 1, 3, 3, 1, 1, 1, 1).no_bias()
        >>> mean.weight.fill(1)
        >>> mean.forward(np.ones((1, 3, 4), np.float32)).round().tolist()
        [[[4.0, 6.0, 6.0, 4.0], [6.0, 9.0, 9.0, 6.0], [4.0, 6.0, 6.0, 4.0]]]
        >>> nn.SpatialConvolution(1, 16, 7, 5).weight.shape
        (16, 1, 5, 7)
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kw: int,
        kh: int,
        dw: int = 1,
        dh: int = 1,
        padw: int = 0,
        padh: int | None = None,
        *,
        algorithm: str = "auto",
    ) -> None:
        padh = padw if padh is None else padh
        super().__init__(n_in, n_out, kw, kh, dw, dh, padw, padh, (n_out, n_in, kh, kw), algorithm)

    def update_output(self, input):
        self.check_array(input, ndim=(3, 4), sizes={-3: self.n_in})
        size = convolution.output_size(input.shape[-2:], self.kernel, self.padding, self.stride)
        self.check_fits(size, input)
        y = convolution.conv2d(as_batch(input), self.weight, *self._geometry)
        return self._finish_output(y, input)

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        g, size = as_batch(grad_output), input.shape[-2:]
        grad = convolution.conv2d_grad_input(g, self.weight, size, *self._geometry)
        self.grad_input = grad.reshape(input.shape)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        x, g = as_batch(input), as_batch(grad_output)
        grad = convolution.conv2d_grad_weight(x, g, self.kernel, *self._geometry)
        self.grad_weight += scale * grad
        self._acc_grad_bias(grad_output, scale)


class SpatialConvolutionNoBias(SpatialConvolution):
    """`SpatialConvolution` without a bias. Source: nn.SpatialConvolutionNoBias (extracunn)."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kw: int,
        kh: int,
        dw: int = 1,
        dh: int = 1,
        padw: int = 0,
        padh: int | None = None,
        *,
        algorithm: str = "auto",
    ) -> None:
        super().__init__(n_in, n_out, kw, kh, dw, dh, padw, padh, algorithm=algorithm)
        self.no_bias()


class SpatialDilatedConvolution(SpatialConvolution):
    """`SpatialConvolution` whose kernels have gaps: entries lie dilationw columns and dilationh rows apart.

    Shapes: as in `SpatialConvolution`, with H' = ⌊(H + 2 padh - dilationh (kh - 1) - 1) / dh⌋ + 1.
    Forward: y[o, p, q] = bias[o] + Σ_{c,i,j} weight[o, c, i, j] · x[c, p·dh + i·dilationh - padh,
    q·dw + j·dilationw - padw], x zero outside: that of kernels with zeros in the gaps, which is what runs.
    Backward: grad_input as in `SpatialConvolution` with those kernels; grad_weight is what falls on
    their entries, grad_weight[o, c, i, j] += scale · Σ_{p,q} g[o, p, q] · x[c, p·dh + i·dilationh -
    padh, ...].
    Errors: as in `SpatialConvolution`, and ValueError when a dilation is no integer of at least 1.
    Source: nn.SpatialDilatedConvolution.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kw: int,
        kh: int,
        dw: int = 1,
        dh: int = 1,
        padw: int = 0,
        padh: int | None = None,
        dilationw: int = 1,
        dilationh: int = 1,
        *,
        algorithm: str = "auto",
    ) -> None:
        super().__init__(n_in, n_out, kw, kh, dw, dh, padw, padh, algorithm=algorithm)
        self.check_counts(dilationw=dilationw, dilationh=dilationh)
        self.dilationw, self.dilationh = dilationw, dilationh

    @property
    def kernel(self):
        """The (height, width) of the window, gaps included."""
        return (self.kh - 1) * self.dilationh + 1, (self.kw - 1) * self.dilationw + 1

    def update_output(self, input):
        self.check_array(input, ndim=(3, 4), sizes={-3: self.n_in})
        size = convolution.output_size(input.shape[-2:], self.kernel, self.padding, self.stride)
        self.check_fits(size, input)
        y = convolution.conv2d(as_batch(input), self._spread_weight(), *self._geometry)
        return self._finish_output(y, input)

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        g, size = as_batch(grad_output), input.shape[-2:]
        grad = convolution.conv2d_grad_input(g, self._spread_weight(), size, *self._geometry)
        self.grad_input = grad.reshape(input.shape)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        x, g = as_batch(input), as_batch(grad_output)
        grad = convolution.conv2d_grad_weight(x, g, self.kernel, *self._geometry)
        self.grad_weight += scale * grad[..., :: self.dilationh, :: self.dilationw]
        self._acc_grad_bias(grad_output, scale)

    def describe_window(self, with_stride):
        return f"{super().describe_window(with_stride)}, {self.dilationw},{self.dilationh}"

    def _spread_weight(self):
        """Return the weight with zeros in the gaps."""
        spread = self.xp.zeros((self.n_out, self.n_in, *self.kernel), self.dtype)
        spread[..., :: self.dilationh, :: self.dilationw] = self.weight
        return spread


class SpatialFullConvolution(_Kernels):
    """The transpose of a convolution: every input entry adds its multiple of a kernel to the output.

    Shapes: input (n_in, H, W) or (N, n_in, H, W), output (n_out, H', W') or (N, n_out, H', W') with
    H' = (H - 1)·dh - 2 padh + kh + adjh and W' likewise; weight (n_in, n_out, kh, kw), bias (n_out,).
    adjw < dw and adjh < dh choose among the sizes that the convolution would map to H x W. `algorithm` is as
    in `SpatialConvolution`.
    Forward: y[o, r, s] = bias[o] + Σ weight[c, o, i, j] · x[c, p, q] over all c, i, j, p, q with
    p·dh + i - padh = r and q·dw + j - padw = s.
    Backward: grad_input[c, p, q] = Σ_{o,i,j} weight[c, o, i, j] · g[o, p·dh + i - padh, q·dw + j - padw];
    grad_weight[c, o, i, j] += scale · Σ_{p,q} x[c, p, q] · g[o, p·dh + i - padh, q·dw + j - padw];
    grad_bias[o] += scale · Σ_{r,s} g[o, r, s]; both are summed over the batch.
    Errors: ValueError unless n_in and n_out are integers of at least 1, adj is below the stride, the input
    has n_in maps and the output is not empty.
    Source: nn.SpatialFullConvolution (with a single array as input).

        >>> nn.SpatialFullConvolution(8, 3, 4, 4, 2, 2, 1, 1).forward(np.ones((1, 8, 5, 6), np.float32)).shape
        (1, 3, 10, 12)
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kw: int,
        kh: int,
        dw: int = 1,
        dh: int = 1,
        padw: int = 0,
        padh: int = 0,
        adjw: int = 0,
        adjh: int = 0,
        *,
        algorithm: str = "auto",
    ) -> None:
        super().__init__(n_in, n_out, kw, kh, dw, dh, padw, padh, (n_in, n_out, kh, kw), algorithm)
        if not (0 <= adjw < dw and 0 <= adjh < dh):
            raise ValueError(
                f"{self.name}: adjw and adjh must be at least 0 and below dw = {dw} and dh = {dh}, "
                f"got {adjw} and {adjh}"
            )
        self.adjw, self.adjh = adjw, adjh

    def update_output(self, input):
        self.check_array(input, ndim=(3, 4), sizes={-3: self.n_in})
        height = (input.shape[-2] - 1) * self.dh - 2 * self.padh + self.kh + self.adjh
        width = (input.shape[-1] - 1) * self.dw - 2 * self.padw + self.kw + self.adjw
        self.check_fits((height, width, *input.shape[-2:]), input)
        size = height, width
        y = convolution.conv2d_grad_input(as_batch(input), self.weight, size, *self._geometry)
        return self._finish_output(y, input)

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        grad = convolution.conv2d(as_batch(grad_output), self.weight, *self._geometry)
        self.grad_input = grad.reshape(input.shape)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        x, g = as_batch(input), as_batch(grad_output)
        grad = convolution.conv2d_grad_weight(g, x, self.kernel, *self._geometry)
        self.grad_weight += scale * grad
        self._acc_grad_bias(grad_output, scale)

    def describe_window(self, with_stride):
        adjusted = f", {self.adjw},{self.adjh}" if self.adjw or self.adjh else ""
        return super().describe_window(with_stride) + adjusted
