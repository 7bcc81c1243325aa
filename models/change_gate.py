"""Where a picture has just changed: only there is anything expected to move."""

from typing import Any

import nnlite as nn
from nnlite.recurrent.sequence_module import SequenceModule
from nnlite.typing import Backprop, Number

from .parts import ModuleGraph

#: The sides, in pixels of the frame, of the window over which a change is averaged.
WINDOW = 10


class Previous(SequenceModule):
    """Each frame's predecessor; the first one's is itself, or what a remembered sequence ended with.

    Shapes: input (T, N, C, H, W), output the same. Its state is one frame (N, C, H, W), `last_output`; there
    is no cell.
    Forward: y_t = x_{t-1}, with x_{-1} = x_0 where there is no state.
    Backward: grad_input_t = g_{t+1}; the gradient g_0 is that of the state where the user has set it, else it
    is added to grad_input_0, or dropped where the state was remembered; the gradient of the last state is
    added to the last entry.
    Errors: ValueError for an input of another shape, an empty sequence, or a state of another shape.
    Source: `nn.Sequencer` over a delay of one step.
    """

    def __init__(self, n_channels: int) -> None:
        super().__init__(n_channels, n_channels)
        self._from_state = False

    def update_output(self, input):
        self.check_array(input, ndim=5, sizes={-3: self.n_in})
        self.begin_sequence(input, input.shape[1:])
        self._from_state = self.last_output is not None
        first = self.last_output[None] if self._from_state else input[:1]
        self.output = self.xp.concatenate([first, input[:-1]])
        self.last_output = input[-1].copy()
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.xp.zeros_like(grad_output)
        self.grad_input[:-1] = grad_output[1:]
        if self.starts_from_user:
            self.user_grad_prev_output = grad_output[0].copy()
        elif not self._from_state:
            self.grad_input[0] += grad_output[0]
        last = self._from_user("grad_prev_output", input, input.shape[1:])
        if last is not None:
            self.grad_input[-1] += last
        return self.grad_input

    def describe(self):
        return f"({self.n_in})"


class ChangeGate(ModuleGraph):
    """A gate for every feature pixel, exactly shut where the frame is as the one before.

    Shapes: input (T, N, C, H, W), H and W even; output (T, N, 1, H/2, W/2), from 0 to 1.
    Forward: m = clamp(c/a - 1, 0, 1), with c the mean of |Y_t - Y_{t-1}| over the channels and the pixels of
        a window of `WINDOW` x `WINDOW` about each feature pixel, of those that lie in the frame. So it is
        shut below a, and open from 2a on. Nothing comes before the first frame of a sequence: it is shut.
    Backward: grad c = g/a where a < c < 2a, else 0; each pixel takes its share of all windows that it is in,
        with the sign of Y_t - Y_{t-1}; frame t gets it as it is, frame t - 1 with the sign changed.
    Errors: ValueError for an input of another shape, or a change that is no number above 0.
    Source: no part of the paper. Most of a video stands still, and a flow of tenths of a pixel blurs that.

    change: a, in units of the frames' values.
    """

    def __init__(self, n_channels: int, change: Number) -> None:
        super().__init__()
        if not 0 < change < float("inf"):
            raise ValueError(f"{self.name}: change must be a number above 0, got {change!r}")
        self.change = change
        self.previous = Previous(n_channels)
        self.measure = nn.Sequential(
            nn.Abs(),
            nn.Mean(-3, squeeze=False),
            nn.SpatialAveragePooling(WINDOW, WINDOW, 2, 2, WINDOW // 2 - 1, WINDOW // 2 - 1),
            nn.MulConstant(1 / change),
            nn.AddConstant(-1),
            nn.Clamp(0, 1),
        )
        self.measure[2].set_count_exclude_pad()
        self.modules = [module for _, module in self.children()]
        self.difference: Any = None

    state_names = (*ModuleGraph.state_names, "difference")

    def children(self):
        return [("previous", self.previous), ("measure", self.measure)]

    def update_output(self, input):
        difference = input - self.previous.forward(input)
        self.difference = difference.reshape(-1, *difference.shape[2:])
        gate = self.measure.forward(self.difference)
        self.output = gate.reshape(*input.shape[:2], *gate.shape[1:])
        return self.output

    def backpropagate(self, input: Any, grad_output: Any, backprop: Backprop) -> Any:
        """Take the gradient to the frames; `backprop` does one module."""
        self.check_grad_output(grad_output)
        g = backprop(self.measure, self.difference, grad_output.reshape(-1, *grad_output.shape[2:]))
        g = g.reshape(input.shape)
        self.grad_input = g + backprop(self.previous, input, -g)
        return self.grad_input

    def describe(self):
        return f"(change {self.change:g})"
