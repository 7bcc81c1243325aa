"""A video model that keeps little between its two passes, and computes the rest once more in backward."""

import math
from itertools import pairwise
from typing import Any

from nnlite.typing import Backprop

from .ae_convlstm_flow import AEConvLSTMFlow
from .parts import AroundVideo, Predictor, running_memories, sequence_memories


class Recomputation(AroundVideo):
    """Train a video model in the memory of a few steps: run it piece by piece, and in backward once more.

    Usually a pass over T steps keeps T times what the backward pass needs of one. Here the forward pass keeps
    only the states (h, c) of the memories between pieces of the sequence, and the backward pass computes the
    rest again, the last piece first. Of p pieces the last is not run a second time.

    Shapes: those of `video`.
    Forward: for piece k = 1..p, (ỹ_k, s_k) = video(x_k, s_{k-1}); the output is [ỹ_1, ..., ỹ_p].
    Backward, for k = p..1 with s̄_p = 0: (x̄_k, s̄_{k-1}) = Jᵀ_k (g_k, s̄_k). What is computed twice comes from
    the same numbers and is the same to the bit; parameter gradients are sums over the pieces and may be
    rounded otherwise than one sum over all steps.
    In evaluation mode `video` is run as it is.
    Errors: ValueError unless `video` is a predictor whose memories take gradients of their state (AE-Conv has
    no memory, and untied ones do not), and if they remember in training.
    Source: Chen et al. 2016, arXiv:1604.06174, and for recurrent networks Gruslys et al. 2016,
    arXiv:1606.03401.

    steps: most steps in a piece, by default the square root of T, rounded up.
    """

    state_names = (*AroundVideo.state_names, "_starts", "_penalty", "_at")

    def __init__(self, video: Any, steps: int | None = None) -> None:
        super().__init__(video)
        if steps is not None:
            self.check_counts(steps=steps)
        modules = video.list_modules()
        recurrent = [module for module in modules if hasattr(module, "remember")]
        known = isinstance(video, Predictor | AEConvLSTMFlow) and not getattr(video, "flow_output", False)
        if not (known and recurrent and recurrent == sequence_memories(video)):
            raise ValueError(
                f"{self.name}: {type(video).__name__} as it is built cannot be run in pieces: that takes a "
                "predictor of frames whose memories all take gradients of their state (untied ones do not)"
            )
        self.steps = steps
        self.type(video.dtype, video.device)
        self._starts = self._penalty = self._at = None

    def sum_penalties(self):
        """Return the sum of the penalties of all pieces."""
        return super().sum_penalties() if self._penalty is None else self._penalty

    def update_output(self, input):
        self._starts = self._penalty = None
        if not self.train:
            self.output = self.video.update_output(input)
            return self.output
        memories = running_memories(self.video)
        if any(memory.remembers for memory in memories):
            raise ValueError(f"{self.name}: memories that remember in training cannot be run a second time")
        outputs, penalty = [], 0
        given = [(memory.user_prev_output, memory.user_prev_cell) for memory in memories]
        self._starts = [given]
        for piece in self._pieces(input):
            outputs.append(self._run(input[piece], self._starts[-1]))
            penalty = penalty + self.video.sum_penalties()
            self._starts.append([(memory.last_output, memory.last_cell) for memory in memories])
        _start_from(memories, given)
        self._penalty, self._at = penalty, len(outputs) - 1
        self.output = self.xp.concatenate(outputs)
        return self.output

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        self.backward(input, grad_output, scale)

    def backpropagate(self, input: Any, grad_output: Any, backprop: Backprop) -> Any:
        """Take the gradient from the last piece to the first; `backprop` does one."""
        self.check_grad_output(grad_output)
        if self._starts is None:
            raise RuntimeError(f"{self.name}: call forward in training mode before backward")
        memories, pieces, grads = running_memories(self.video), self._pieces(input), []
        states = [(memory.grad_prev_output, memory.user_next_grad_cell) for memory in memories]
        last = [cell for _, cell in states]
        for k in range(len(pieces) - 1, -1, -1):
            x = input[pieces[k]]
            if self._at != k:
                self._run(x, self._starts[k])
            for memory, (hidden, cell) in zip(memories, states):
                memory.grad_prev_output, memory.user_next_grad_cell = hidden, cell
            grads.append(backprop(self.video, x, grad_output[pieces[k]]))
            states = [(memory.user_grad_prev_output, memory.user_grad_prev_cell) for memory in memories]
            self._at = None  # a second backward pass works on arrays that are not what they were
        _start_from(memories, self._starts[0])
        for memory, cell in zip(memories, last):
            memory.grad_prev_output, memory.user_next_grad_cell = None, cell
        self.grad_input = self.xp.concatenate(grads[::-1])
        return self.grad_input

    def _run(self, x, states):
        """Return the output of `video` for a piece that starts from `states`."""
        _start_from(running_memories(self.video), states)
        return self.video.update_output(x)

    def _pieces(self, input):
        """Return the slices of the steps, of about equal length."""
        count = len(input)
        pieces = -(-count // (self.steps or math.ceil(math.sqrt(count)))) if count else 1
        return [slice(a, b) for a, b in pairwise(count * k // pieces for k in range(pieces + 1))]


def _start_from(memories, states):
    """Let each memory start from its (h, c), None for zero."""
    for memory, (hidden, cell) in zip(memories, states):
        memory.user_prev_output, memory.user_prev_cell = hidden, cell
