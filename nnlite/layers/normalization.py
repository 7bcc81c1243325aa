"""Normalisation by the statistics of the batch, and across channels."""

from collections.abc import Callable

from .. import backend
from ..module import Module
from ..ops import get_ops
from ..ops.stencils import channel_window_sum
from ..ops.threads import cache_items
from ..random import default_generator
from ..typing import Array, Number


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
    Where several processes have a share of the batch each and `synchronise` was called, μ, v, m and the two
    means of the backward pass are those of the whole batch; weight and bias get the sums of the own share.
    Errors: ValueError for a single input, or one value a feature, while training.
    Source: nn.BatchNormalization; Ioffe and Szegedy 2015, algorithm 1. `save_mean` is μ, `save_std` is
    1 / √(v + eps).

        >>> net = nn.BatchNormalization(1)
        >>> net.weight.fill(1)
        >>> net.forward(np.float32([[1], [3]])).round(3).tolist()
        [[-1.0], [1.0]]
        >>> print(net.running_mean.round(3))  # a tenth of the way from 0 to 2
        [0.2]
    """

    buffer_names = ("running_mean", "running_var")
    state_names = ("output", "grad_input", "save_mean", "save_std", "save_count")
    batch_ndim = 2

    def __init__(self, n: int, eps: Number = 1e-5, momentum: Number = 0.1, affine: bool = True) -> None:
        super().__init__()
        self.n, self.eps, self.momentum = n, eps, momentum
        self.running_mean = self.xp.zeros(n, self.dtype)
        self.running_var = self.xp.ones(n, self.dtype)
        self.weight = self.bias = self.save_mean = self.save_std = None
        self.save_count = None
        self.total: Callable[[Array], Array] | None = None  # see `synchronise`
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

    def synchronise(self, total: Callable[[Array], Array]) -> None:
        """Take the statistics of training over the shares that other processes have of the batch as well.

        total: function that returns the sum over all processes of a flat float64 array. They then wait for
        each other in every forward and backward pass.
        """
        self.total = total

    def update_output(self, input):
        allowed = self.batch_ndim if self.train else (self.batch_ndim - 1, self.batch_ndim)
        self.check_array(input, ndim=allowed, sizes={1 - self.batch_ndim: self.n})
        mean, var, count = self.running_mean, self.running_var, input.size // self.n
        own = self.train and self.total is None
        if own:
            self._check_count(input)
            mean, var = self.xp.empty_like(mean), self.xp.empty_like(var)
        elif self.train:
            mean, var, count = self._statistics_of_all(input)
        axes, output = self._reduced_axes(input), self.xp.empty_like(input)

        def write(features, at, scratch):
            x, y = input[at], output[at]
            if own:
                mean[features] = x.mean(axes)
            self.xp.subtract(x, self._spread(mean[features]), out=y)
            if own:
                var[features] = self.xp.multiply(y, y, out=scratch).mean(axes)
            factor = 1 / self.xp.sqrt(var[features] + self.eps)
            y *= self._spread(factor if self.weight is None else factor * self.weight[features])
            if self.weight is not None:
                y += self._spread(self.bias[features])

        self._by_features(write, input, own)
        if self.train:
            self._update_running_statistics(mean, var, count)
        self.save_mean, self.save_std, self.save_count = mean, 1 / self.xp.sqrt(var + self.eps), count
        self.output = output
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.xp.empty_like(input)
        self._backpropagate(input, grad_output, grad_input=self.grad_input)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        if self.weight is not None:
            self._backpropagate(input, grad_output, scale)

    def backward(self, input, grad_output, scale=1.0):
        """Do both in one pass over the arrays, for both need the same sums; in two when synchronised."""
        self.check_grad_output(grad_output)
        self.grad_input = self.xp.empty_like(input)
        self._backpropagate(input, grad_output, scale, self.grad_input)
        return self.grad_input

    def _backpropagate(self, input, grad_output, scale=None, grad_input=None):
        """Add `scale` times the parameters' gradients, unless it is None; fill `grad_input`, unless it is."""
        axes, mean_over = self._reduced_axes(input), self.save_count
        learns, passes_on = scale is not None and self.weight is not None, grad_input is not None
        own = of_all = None
        if passes_on and self.train and self.total is not None:
            own, of_all = self._sums(input, grad_output)

        def work(features, at, scratch):
            g = grad_output[at]
            factor = self.save_std[features]
            if self.weight is not None:
                factor = factor * self.weight[features]
            if learns or self.train:
                normalized = grad_input[at] if passes_on else scratch
                self.xp.subtract(input[at], self._spread(self.save_mean[features]), out=normalized)
                normalized *= self._spread(self.save_std[features])
                if own is None:
                    along = self.xp.multiply(g, normalized, out=scratch).sum(axes)
                    total = g.sum(axes)
                else:
                    along, total = own[:, features]
            if learns:
                self.grad_weight[features] += scale * along
                self.grad_bias[features] += scale * total
            if passes_on and self.train:
                if of_all is not None:
                    along, total = of_all[:, features]
                normalized *= self._spread(along / -mean_over)
                normalized += g
                normalized -= self._spread(total / mean_over)
                normalized *= self._spread(factor)
            elif passes_on:
                self.xp.multiply(g, self._spread(factor), out=grad_input[at])

        self._by_features(work, input, learns or self.train)

    def _statistics_of_all(self, input):
        """Return mean, biased variance and number of the values of each feature over all processes."""
        xp, axes, count = self.xp, self._reduced_axes(input), float(input.size // self.n)
        mean, var = xp.empty_like(self.running_mean), xp.empty_like(self.running_var)

        def measure(features, at, scratch):
            mean[features] = input[at].mean(axes)
            xp.subtract(input[at], self._spread(mean[features]), out=scratch)
            var[features] = xp.multiply(scratch, scratch, out=scratch).mean(axes)

        self._by_features(measure, input, True)
        wide = mean.astype("float64")
        sums = self.total(xp.concatenate([xp.full(1, count), count * wide]))
        number, overall = sums[0], sums[1:] / sums[0]
        spread = self.total(count * (var.astype("float64") + (wide - overall) ** 2))
        return overall.astype(self.dtype), (spread / number).astype(self.dtype), number.astype(self.dtype)

    def _sums(self, input, grad_output):
        """Return Σ g x̂ and Σ g of each feature over the own share, and over all processes, both (2, n)."""
        xp, axes = self.xp, self._reduced_axes(input)
        sums = xp.empty((2, self.n), self.dtype)

        def add(features, at, scratch):
            xp.subtract(input[at], self._spread(self.save_mean[features]), out=scratch)
            scratch *= self._spread(self.save_std[features])
            sums[0, features] = xp.multiply(grad_output[at], scratch, out=scratch).sum(axes)
            sums[1, features] = grad_output[at].sum(axes)

        self._by_features(add, input, True)
        of_all = self.total(sums.reshape(-1).astype("float64")).astype(self.dtype)
        return sums, of_all.reshape(2, self.n)

    def _check_count(self, input):
        if input.size // self.n < 2:
            raise ValueError(
                f"{self.name}: training needs at least 2 values of each feature, got shape {input.shape}"
            )

    def _update_running_statistics(self, mean, var, count):
        """Let the running statistics follow mean and biased variance of `count` values of each feature."""
        for running, new in ((self.running_mean, mean), (self.running_var, var * (count / (count - 1)))):
            running *= 1 - self.momentum
            running += self.momentum * new

    def _by_features(self, work, input, needs_scratch):
        """Call work(features, at, scratch) for all features, some at a time, a slice of them.

        at: their index in `input`. scratch: an array for what is computed on the way, of the shape of
        input[at], None unless `needs_scratch`. On a CPU what a call reads and writes stays in the cache.
        """
        before = (slice(None),) * (input.ndim + 1 - self.batch_ndim)
        ops, some = get_ops(input), cache_items(max(input.nbytes // self.n, 1))

        def share(features):
            room = None
            for few in ops.blocked(features, some):
                at = (*before, few)
                if needs_scratch and (room is None or room.shape != input[at].shape):
                    room = self.xp.empty_like(input[at])
                work(few, at, room)

        ops.parallel_for(share, self.n)

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

    def __init__(self, size: int, alpha: Number = 1e-4, beta: Number = 0.75, k: Number = 1.0) -> None:
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
