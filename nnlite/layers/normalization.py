"""Normalisation by the statistics of the batch, and across channels."""

from .. import backend
from ..module import Module
from ..ops import get_ops
from ..ops.stencils import channel_window_sum
from ..ops.threads import cache_items
from ..random import default_generator


class BatchNormalization(Module):
    """Bring each feature to mean 0 and variance 1 over the batch, then scale and shift it.

    Shapes: input (N, n), or (n,) while evaluating, output the same; weight, bias, running_mean,
    running_var (n,).
    Forward: x̂ = (x - μ) / √(v + eps), y = w x̂ + b (y = x̂ without `affine`). While training μ and v are
    the mean and the biased variance of the m values of each feature in the batch, and the running statistics
    follow: running_mean = (1 - momentum) running_mean + momentum μ, running_var likewise with the unbiased
    m v / (m - 1). While evaluating μ and v are the running statistics.
    Backward: grad_input = w / √(v + eps) · (g - mean(g) - x̂ mean(g x̂)), while evaluating
    w / √(v + eps) · g; grad_weight += scale · Σ g x̂; grad_bias += scale · Σ g.
    Errors: ValueError for a single input, or one value a feature, while training.
    Source: nn.BatchNormalization; Ioffe and Szegedy 2015, algorithm 1. `save_mean` is μ, `save_std` is
    1 / √(v + eps).
    """

    buffer_names = ("running_mean", "running_var")
    state_names = ("output", "grad_input", "save_mean", "save_std")
    batch_ndim = 2

    def __init__(self, n, eps=1e-5, momentum=0.1, affine=True):
        super().__init__()
        self.n, self.eps, self.momentum = n, eps, momentum
        self.running_mean = self.xp.zeros(n, self.dtype)
        self.running_var = self.xp.ones(n, self.dtype)
        self.weight = self.bias = self.save_mean = self.save_std = None
        if affine:
            self.add_parameter("weight", (n,))
            self.add_parameter("bias", (n,))
        self.reset()

    def reset(self, stdv=None):
        """Draw the weight from U(0, 1), whatever `stdv`, set bias and running statistics to (0; 0, 1)."""
        if self.weight is not None:
            drawn = default_generator.uniform(size=self.n)
            self.weight[...] = backend.asarray(drawn, self.dtype, self.device)
            self.bias.fill(0)
        self.running_mean.fill(0)
        self.running_var.fill(1)

    def update_output(self, input):
        allowed = self.batch_ndim if self.train else (self.batch_ndim - 1, self.batch_ndim)
        self.check_array(input, ndim=allowed, sizes={1 - self.batch_ndim: self.n})
        mean, var = self._train_statistics(input) if self.train else (self.running_mean, self.running_var)
        self.save_mean, self.save_std = mean, 1 / self.xp.sqrt(var + self.eps)
        output = self.xp.empty_like(input)

        def write(features, at):
            y = self._normalized(input, features, at)
            if self.weight is not None:
                y *= self._spread(self.weight[features])
                y += self._spread(self.bias[features])
            output[at] = y

        self._by_features(write, input)
        self.output = output
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        factor = self.save_std if self.weight is None else self.save_std * self.weight
        axes, grad_input = self._reduced_axes(input), self.xp.empty_like(input)

        def write(features, at):
            grad = grad_output[at]
            if self.train:
                normalized = self._normalized(input, features, at)
                grad = grad - grad.mean(axes, keepdims=True)
                normalized *= (grad_output[at] * normalized).mean(axes, keepdims=True)
                grad -= normalized
            self.xp.multiply(grad, self._spread(factor[features]), out=grad_input[at])

        self._by_features(write, input)
        self.grad_input = grad_input
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        if self.weight is None:
            return
        axes = self._reduced_axes(input)

        def accumulate(features, at):
            self.grad_weight[features] += scale * (
                grad_output[at] * self._normalized(input, features, at)
            ).sum(axes)

        self._by_features(accumulate, input)
        self.grad_bias += scale * grad_output.sum(axes)

    def _train_statistics(self, input):
        """Return mean and biased variance of each feature, and update the running statistics."""
        count = input.size // self.n
        if count < 2:
            raise ValueError(
                f"{self.name}: training needs at least 2 values of each feature, got shape {input.shape}"
            )
        axes = self._reduced_axes(input)
        mean, var = input.mean(axes), self.xp.empty(self.n, self.dtype)

        def measure(features, at):
            centred = input[at] - self._spread(mean[features])
            var[features] = self.xp.multiply(centred, centred, out=centred).mean(axes)

        self._by_features(measure, input)
        for running, new in ((self.running_mean, mean), (self.running_var, var * (count / (count - 1)))):
            running *= 1 - self.momentum
            running += self.momentum * new
        return mean, var

    def _by_features(self, work, input):
        """Call work(features, at) for all features, a slice of them at a time, with its index in `input`.

        All at once, the intermediate arrays would take as much memory as several inputs.
        """
        before = (slice(None),) * (input.ndim + 1 - self.batch_ndim)

        def piece(features):
            work(features, (*before, features))

        feature_bytes = max(input.nbytes // self.n, 1)
        get_ops(input).parallel_for(piece, self.n, cache_items(feature_bytes))

    def _normalized(self, input, features, at):
        """Return x̂ of some features, for the statistics of the last forward pass."""
        return (input[at] - self._spread(self.save_mean[features])) * self._spread(self.save_std[features])

    def _spread(self, values):
        """Return one value a feature in a shape that broadcasts over the input."""
        return values.reshape((-1,) + (1,) * (self.batch_ndim - 2))

    def _reduced_axes(self, input):
        """Return all axes of `input` but that of the features."""
        feature_axis = input.ndim + 1 - self.batch_ndim
        return tuple(axis for axis in range(input.ndim) if axis != feature_axis)

    def describe(self):
        return f" ({self.batch_ndim}D) ({self.n})"


class SpatialBatchNormalization(BatchNormalization):
    """`BatchNormalization` of maps: a feature is a channel, its values are those of all pixels of the batch.

    Shapes: input (N, n, H, W), or (n, H, W) while evaluating, output the same.
    Forward, Backward, Errors: as in `BatchNormalization`, m = N H W.
    Source: nn.SpatialBatchNormalization.
    """

    batch_ndim = 4


class SpatialCrossMapLRN(Module):
    """Local response normalisation: divide by a power of the energy in neighbouring channels.

    Shapes: input (C, H, W) or (N, C, H, W), output the same.
    Forward: s_c = k + alpha / size · Σ_j x_j², y_c = x_c s_c^(-beta), j over |j - c| <= (size - 1) / 2.
    Backward: grad_input_c = g_c s_c^(-beta) - 2 alpha beta / size · x_c Σ_j g_j y_j / s_j.
    Errors: ValueError when `size` is not odd.
    Source: nn.SpatialCrossMapLRN; Krizhevsky et al. 2012, section 3.3, with alpha divided by `size`. s is
    `scale`.
    """

    state_names = ("output", "grad_input", "scale")

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0):
        super().__init__()
        if size < 1 or size % 2 == 0:
            raise ValueError(f"{self.name}: size must be odd and positive, got {size}")
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k
        self.scale = None

    def update_output(self, input):
        self.check_array(input, ndim=(3, 4))
        self.scale = self.k + self.alpha / self.size * channel_window_sum(input * input, self.size)
        self.output = input * self.scale**-self.beta
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        ratio = channel_window_sum(grad_output * self.output / self.scale, self.size)
        factor = 2 * self.alpha * self.beta / self.size
        self.grad_input = grad_output * self.scale**-self.beta - factor * input * ratio
        return self.grad_input
