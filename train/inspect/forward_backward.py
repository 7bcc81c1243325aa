"""One sequence through a model to the loss, and back."""

import numpy as np

import nnlite as nn
from nnlite.train.inspect.traced_model import default_criterion
from nnlite.train.runs.loss import loss_and_gradient


class ForwardBackward:
    """The forward and the backward pass of a copy of a model on one sequence.

    input, target: what the model sees, and what its output is compared with. output: of the last forward
    pass. criterion: sums its loss over all elements.
    """

    def __init__(self, traced, sequence, loss_at, dtype=np.float32):
        self.model = traced.model.clone().clear_state().cpu().type(dtype)
        self.model.training()
        self.criterion = sequence.criterion or default_criterion(traced)
        self.segments, self.loss_at, self.offset = traced.segments, loss_at, traced.offset
        size = traced.options["height"], traced.options["width"]
        frames = (_centre_crop(sequence.frames, size) - np.float32(self.offset)).astype(dtype)
        if self.segments:
            if sequence.labels is None:
                raise ValueError(f"{traced.name} learns from labels, and {sequence.description} have none")
            both = traced.name == "segnet_flow"
            self.target = [sequence.labels, frames] if both else sequence.labels
        else:
            self.target = frames[1:]
        # An array of its own: finite differences change the input, and the target must stay as it is.
        self.input = frames.copy() if self.segments else frames[:-1].copy()
        self.output = None

    @property
    def n_frames(self):
        """The number of frames that the model sees."""
        return len(self.input)

    def loss(self):
        """Run a forward pass; return the loss, with the value of every penalty in the model."""
        nn.manual_seed(0)
        self.output = self.model.forward(self.input)
        return float(self._criterion()[0]) + self.penalty

    def backward(self):
        """Run the backward pass; return the gradient with respect to the input.

        Those with respect to the parameters are in the model.
        """
        grad_output = self._criterion()[1]
        self.model.zero_grad_parameters()
        return self.model.backward(self.input, grad_output)

    def run_traced(self):
        """Run both passes under the trace; return it, the loss and the gradient with respect to the input."""
        with nn.trace(self.model, arrays=True) as trace:
            loss = self.loss()
            grad_input = self.backward().copy()
        return trace, loss, grad_input

    @property
    def penalty(self):
        """What the penalties inside the model added to the loss."""
        return float(self.model.sum_penalties())

    def _criterion(self):
        """Return the loss of the last forward pass, and its gradient."""
        if self.segments:
            loss = self.criterion.forward(self.output, self.target)
            return loss, self.criterion.backward(self.output, self.target)
        return loss_and_gradient(self.criterion, self.output, self.target, self.loss_at)[:2]


def _centre_crop(frames, size):
    """Return the middle of frames (..., H, W), for models that learn from crops of them."""
    top, left = ((whole - part) // 2 for whole, part in zip(frames.shape[-2:], size))
    return frames[..., top : top + size[0], left : left + size[1]] if min(top, left) >= 0 else frames
