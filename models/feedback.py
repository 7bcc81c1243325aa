"""Predictions fed back: a video model goes on from its own predictions, in evaluation and in training.

Of T frames seen, entry T - 1 of the output predicts frame T + 1. Fed back as if it had been seen it gives the
prediction of frame T + 2, and so on. What is fed back are the probabilities themselves.
"""

from itertools import pairwise
from typing import Any

import nnlite as nn
from nnlite import backend
from nnlite.typing import Array, Backprop

from .parts import AroundVideo, running_memories, sequence_memories


def roll_out(model: nn.Module, frames: Array, steps: int) -> Array:
    """Return the predictions (steps, N, C, H, W) of the frames that follow `frames` (T, N, C, H, W).

    In evaluation mode. A model with a memory sees one frame at a time and goes on from its state; AE-Conv
    sees the last T frames.

        >>> from nnlite import models
        >>> from nnlite.models.feedback import roll_out
        >>> model = models.build("ae_convlstm", height=16, width=16)
        >>> roll_out(model, np.zeros((4, 1, 1, 16, 16), np.float32), steps=3).shape
        (3, 1, 1, 16, 16)
    """
    xp = backend.get_array_module(frames)
    predictions, window = [], frames
    with nn.evaluating(model), nn.remembering(model, "eval") as memories:
        if memories:
            for frame in frames[:-1]:  # one at a time, as later on: the buffers of one step serve all
                model.update_output(frame[None])
            window = frames[-1:]
        for _ in range(steps):
            predictions.append(model.update_output(window)[-1:].copy())
            window = predictions[-1] if memories else xp.concatenate([window[1:], predictions[-1]])
    return xp.concatenate(predictions)


class LookAhead:
    """Predictions fed back from each state that a model passes through while it follows a stream.

    The model remembers from frame to frame and is left as it is: a copy, which shares its parameters, goes on
    from its state. ValueError for a model whose state cannot be handed on, see `FeedbackWithGradient`.
    """

    def __init__(self, model: nn.Module) -> None:
        _check_state(model, "LookAhead")
        self._model, self._ahead = model, model.shared_clone()
        self._ahead.evaluate()
        for memory in running_memories(self._ahead):
            memory.remember("eval")

    def go_on(self, prediction: Array, steps: int) -> Array:
        """Return the `steps` frames after `prediction` (1, N, C, H, W), which the model has just made."""
        for memory, now in zip(running_memories(self._ahead), running_memories(self._model)):
            memory.last_output, memory.last_cell = now.last_output, now.last_cell
        predictions = []
        for _ in range(steps):
            prediction = self._ahead.update_output(prediction).copy()
            predictions.append(prediction)
        return self._model.xp.concatenate(predictions)


class Feedback(AroundVideo):
    """Base of the two ways to train a model on what it is fed back: `video`, and how many predictions are.

    Errors: ValueError for a model without memory, or fewer than one prediction to feed back.
    """

    state_names = (*nn.Module.state_names, "_copies")

    def __init__(self, video: Any, fed_back: int) -> None:
        super().__init__(video)
        self.check_counts(fed_back=fed_back)
        if not any(hasattr(module, "remember") for module in video.list_modules()):
            raise ValueError(f"{self.name}: {type(video).__name__} has no memory to go on from")
        self.fed_back = fed_back
        self._copies: list[Any] | None = None

    def drop_clones(self):
        self._copies = None

    def copies(self, number: int) -> list[Any]:
        """Return copies of `video` that share its parameters and gradients and keep their own buffers."""
        weights = self.video.parameters()[0]
        if self._copies and any(a is not b for a, b in zip(self._copies[0].parameters()[0], weights)):
            self._copies = None  # those of `video` alone have been moved
        if self._copies is None:
            self._copies = [self.video.shared_clone() for _ in range(number)]
        for copy in self._copies:
            if hasattr(copy, "hold_flow"):
                copy.hold_flow = self.video.hold_flow
        return self._copies


class FeedbackAsData(Feedback):
    """Train a video model on seen frames followed by its own predictions, which are data like the others.

        z_t = Y_t for t ≤ T,   z_{t+1} = Ỹ_{t+1} for t ≥ T,   Ỹ_{t+1} = video(z_1..z_t)

    Shapes: input frames (T, N, C, H, W); output (T + K, N, C, H, W), K = fed_back, entry t predicting frame
    t + 1.
    Forward: a roll-out in evaluation mode gives z_{T+1}..z_{T+K}; then `video` takes z in one pass.
    Backward: that of `video` with z held constant; grad_input is its first T entries.
    Errors: as `Feedback` and `video`.
    Source: scheduled sampling (Bengio et al. 2015, arXiv:1506.03099), here with every prediction fed back.
    """

    state_names = (*Feedback.state_names, "_mixed")

    def __init__(self, video: Any, fed_back: int) -> None:
        super().__init__(video, fed_back)
        self._mixed = None

    def update_output(self, input):
        self._mixed = self.xp.concatenate([input, self.predicted(input)])
        self.output = self.video.update_output(self._mixed)
        return self.output

    def predicted(self, input: Array) -> Array:
        """Return the predictions to feed back, (K, N, C, H, W)."""
        (predictor,) = self.copies(1)
        predictor.evaluate()  # for good, so that it keeps its buffers
        return roll_out(predictor, input, self.fed_back)

    def backpropagate(self, input: Any, grad_output: Any, backprop: Backprop) -> Any:
        """Take the gradient through the one pass of `video`."""
        self.check_grad_output(grad_output)
        self.grad_input = backprop(self.video, self._mixed, grad_output)[: len(input)]
        return self.grad_input


class FeedbackWithGradient(Feedback):
    """The same with the gradient taken back through the predictions that were fed back.

    Shapes: as `FeedbackAsData`.
    Forward: that of `FeedbackAsData`. `video` takes the T frames seen in one pass; for each prediction that
    is fed back a copy of it, sharing parameters and gradients, takes one more step from the state (h, c) in
    which the one before has ended.
    Backward, for k = K..1 with g the grad_output and z̄_{T+K+1} = h̄_K = c̄_K = 0:
        (z̄_{T+k}, h̄_{k-1}, c̄_{k-1}) = Jᵀ_{T+k} (g_{T+k} + z̄_{T+k+1}, h̄_k, c̄_k)
    and then that of `video` over the frames seen, with z̄_{T+1} added to the last entry of g and (h̄_0, c̄_0)
    handed to its last state. Parameter gradients are sums over all K + 1.
    Errors: as `Feedback` and `video`; ValueError for a model with `untied` memories: a copy would take its
    first step for that of the sequence.
    Source: back-propagation through time (docs/gradients/recurrent.md, "Predictions fed back").
    """

    state_names = (*Feedback.state_names, "_inputs")

    def __init__(self, video: Any, fed_back: int) -> None:
        super().__init__(video, fed_back)
        self._inputs: Any = None
        _check_state(video, self.name)

    def update_output(self, input):
        stages = [self.video, *self.copies(self.fed_back)]
        outputs = [self.video.update_output(input)]
        for before, stage in pairwise(stages):
            stage.training() if self.train else stage.evaluate()
            for memory, earlier in zip(running_memories(stage), running_memories(before)):
                memory.user_prev_output, memory.user_prev_cell = earlier.last_output, earlier.last_cell
            outputs.append(stage.update_output(outputs[-1][-1:]))
        self._inputs = [input, *(output[-1:] for output in outputs[:-1])]
        self.output = self.xp.concatenate(outputs)
        return self.output

    def backpropagate(self, input: Any, grad_output: Any, backprop: Backprop) -> Any:
        """Take the gradient from the last prediction back to the frames seen."""
        self.check_grad_output(grad_output)
        stages, seen = [self.video, *self.copies(self.fed_back)], len(input)
        pieces = [grad_output[:seen], *(g[None] for g in grad_output[seen:])]
        grad_fed_back: Any = None
        after: list[Any] = [None] * len(running_memories(self.video))
        for stage, x, g in zip(stages[::-1], self._inputs[::-1], pieces[::-1]):
            if grad_fed_back is not None:
                g = g.copy()
                g[-1:] += grad_fed_back
            memories = running_memories(stage)
            for memory, later in zip(memories, after):
                memory.grad_prev_output = later and later.user_grad_prev_output
                memory.user_next_grad_cell = later and later.user_grad_prev_cell
            grad_fed_back, after = backprop(stage, x, g), memories
        for memory in after:  # `video` may be trained by itself again
            memory.grad_prev_output = memory.user_next_grad_cell = None
        self.grad_input = grad_fed_back
        return self.grad_input

    def sum_penalties(self):
        return super().sum_penalties() + sum(copy.sum_penalties() for copy in self._copies or [])


def _check_state(video, name):
    """Raise ValueError unless the state of the memories of `video` can be handed on."""
    memories = [module for module in video.list_modules() if hasattr(module, "remember")]
    if not memories or memories != sequence_memories(video):
        raise ValueError(
            f"{name}: the memories of {type(video).__name__} do not hand on their state and its gradient "
            "(untied ones do not); train with predictions as data, or build it without untied"
        )
