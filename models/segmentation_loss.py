"""Losses of segmentation: cross-entropy where there are labels, reconstruction error everywhere."""

from typing import Any

import nnlite as nn
from nnlite.typing import Array, Number


class PixelCrossEntropy(nn.Criterion):
    """Cross-entropy of every labelled pixel, summed over pixels, images and time steps.

    Shapes: input scores (unnormalised log probabilities) (N, K, H, W) or (T, N, K, H, W); target integer
        labels (N, H, W) or (T, N, H, W) in 0..K-1, and -1 where a pixel does not count: void, or a frame
        without labels; weights (K,), one a class.
    Forward: L = -Σ w_l log p_l over the counted pixels with label l, p = softmax(scores). 0 without any.
    Backward: grad_input_k = w_l (p_k - [k = l]) at counted pixels, 0 elsewhere.
    `total_weight` is Σ w_l of the last forward pass: L / total_weight is the weighted mean.
    Errors: ValueError for a label that is neither in 0..K-1 nor -1, or for other shapes.
    Source: section 5.2; the weights are median-frequency balancing's (Eigen and Fergus 2015).

        >>> from nnlite.models.segmentation_loss import PixelCrossEntropy
        >>> scores, labels = np.zeros((1, 2, 1, 2), np.float32), np.array([[[1, -1]]])
        >>> round(float(PixelCrossEntropy().forward(scores, labels)), 4)  # of one pixel; the other is void
        0.6931
    """

    def __init__(self, weights: Array | None = None) -> None:
        super().__init__()
        self.log_soft_max = nn.LogSoftMax()
        self.negative_log_likelihood = nn.SpatialClassNLLCriterion(weights, size_average=False)

    def update_output(self, input, target):
        self.output = self.negative_log_likelihood.forward(*self._log_p_and_labels(input, target))
        return self.output

    def update_grad_input(self, input, target):
        g = self.negative_log_likelihood.backward(*self._log_p_and_labels(input, target))
        folded = input.reshape(g.shape)
        self.grad_input = self.log_soft_max.backward(folded, g).reshape(input.shape)
        return self.grad_input

    @property
    def total_weight(self) -> Any:
        """The sum of the weights of all counted pixels of the last forward pass."""
        return self.negative_log_likelihood.total_weight

    def _log_p_and_labels(self, input, target):
        """Return log p (B, K, H, W) and labels (B, H, W), time steps being images like others."""
        if input.ndim not in (4, 5) or target.shape != input.shape[:-3] + input.shape[-2:]:
            raise ValueError(
                f"{self.name}: scores must be (N, K, H, W) or (T, N, K, H, W) and labels the same without K, "
                f"got {input.shape} and {target.shape}"
            )
        self.log_soft_max.type(input.dtype, nn.backend.device_of(input))
        log_p = self.log_soft_max.forward(input.reshape(-1, *input.shape[-3:]))
        return log_p, target.reshape(-1, *target.shape[-2:])


class SegmentationLoss(nn.Criterion):
    """The loss of SegNet-flow: cross-entropy of the labelled pixels, and eq. 4 without its penalty.

    Everything is summed, as in eq. 4, whose penalty w_H H(∇T) the model's own H adds.

    Shapes: input the table [scores, predicted] (T, N, K, H, W) and (T, N, C, H, W); target the table [labels,
        frames] (T, N, H, W), with -1 where nothing counts, and (T, N, C, H, W), the frames that the model
        received. predicted[t] is compared with frames[t + 1]; nothing is compared with the last prediction.
    Forward: L = λ · `PixelCrossEntropy`(scores, labels) + Σ_{t<T-1} ‖predicted_t - frames_{t+1}‖²,
        λ = `segmentation_weight`.
    Backward: grad_input = [λ · that of `PixelCrossEntropy`, 2 (predicted_t - frames_{t+1}), 0 for the last].
    After a forward pass `cross_entropy` is the criterion of the first term (its `output` is not times λ), and
    `reconstruction` the second term.
    Errors: those of the two terms; ValueError unless predicted and frames have the same shape.
    Source: section 5.2 and eq. 4.
    """

    def __init__(self, weights: Array | None = None, segmentation_weight: Number = 1.0) -> None:
        super().__init__()
        self.cross_entropy = PixelCrossEntropy(weights)
        self.squared_error = nn.MSECriterion(size_average=False)
        self.segmentation_weight = segmentation_weight
        self.reconstruction = 0.0

    def update_output(self, input, target):
        (scores, predicted), (labels, frames) = self._checked(input, target)
        error = self.cross_entropy.forward(scores, labels)
        has_next = len(frames) > 1
        self.reconstruction = self.squared_error.forward(predicted[:-1], frames[1:]) if has_next else 0.0
        self.output = self.segmentation_weight * error + self.reconstruction
        return self.output

    def update_grad_input(self, input, target):
        (scores, predicted), (labels, frames) = self._checked(input, target)
        grad_scores = self.cross_entropy.backward(scores, labels)
        grad_scores *= self.segmentation_weight
        grad_predicted = nn.backend.get_array_module(predicted).zeros_like(predicted)
        if len(frames) > 1:
            grad_predicted[:-1] = self.squared_error.backward(predicted[:-1], frames[1:])
        self.grad_input = [grad_scores, grad_predicted]
        return self.grad_input

    def _checked(self, input, target):
        for what, table in (("input", input), ("target", target)):
            if not isinstance(table, list | tuple) or len(table) != 2:
                raise ValueError(f"{self.name}: {what} must be a table of two arrays")
        if input[1].shape != target[1].shape:
            raise ValueError(
                f"{self.name}: predicted frames {input[1].shape}, but frames {target[1].shape}; give the "
                "frames that the model received"
            )
        return input, target
