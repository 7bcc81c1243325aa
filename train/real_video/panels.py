"""The pictures of a rendered video: last frame, predictions, flow and errors side by side."""

import numpy as np

from nnlite.data.flow_colour import colour_wheel, flow_colours
from nnlite.train.report.side_by_side import PANEL, as_picture, enlarged, enlargement, head, side_by_side

#: The error that is white.
WHITE = 0.25
#: From how many frames the scale of the flow is taken.
_SCALED_BY = 50


class Panels:
    """Draws predicted frames, one picture (H, W, 3), uint8, for each.

    One scale of the flow serves for the whole video, taken from its beginning; until then frames wait.
    steps: above 1, there are panels also for what was predicted of the same frame so many frames ahead.
    height: of a panel, about, in pixels.
    """

    def __init__(self, steps=1, height=PANEL):
        self._steps, self._height, self._waiting, self._longest = steps, height, [], None

    def add(self, predicted, frame, farthest=None):
        """Yield the pictures that can be drawn now that a `PredictedFrame` and the true frame are here.

        farthest: the prediction of the same frame `steps` ahead, where that is above 1.
        """
        self._waiting.append((predicted, frame, farthest))
        if self._longest is not None or len(self._waiting) == _SCALED_BY:
            yield from self.remaining()

    def remaining(self):
        """Yield the pictures of the frames that wait."""
        if self._waiting and self._longest is None:
            self._begin()
        while self._waiting:
            yield self._draw(*self._waiting.pop(0))

    def _begin(self):
        """Set the scale of the flow and draw what is the same in all pictures."""
        flows = np.stack([predicted.flow for predicted, *_ in self._waiting])
        self._longest = flow_scale(flows)
        height, width = flows.shape[1:3]
        self._factor = enlargement(height, self._height)
        titles = ["last frame seen", "prediction of the next", f"flow (rim: {self._longest:.1f} px)"]
        titles.append(f"error (white: {WHITE})")
        if self._steps > 1:
            titles += [f"predicted {self._steps} frames ahead", "error of that"]
        self._head = head(titles, self._factor * width)
        side = self._factor * min(height, width)
        self._wheel = colour_wheel(min(side, max(8, side // 4)))

    def _draw(self, predicted, frame, farthest):
        flow = flow_colours(predicted.flow, self._longest)
        parts = [as_picture(predicted.last), as_picture(predicted.prediction), flow]
        parts.append(_error(predicted.prediction, frame))
        if farthest is not None:
            parts += [as_picture(farthest), _error(farthest, frame)]
        parts = [enlarged(part, self._factor) for part in parts]
        parts[2][-len(self._wheel) :, -len(self._wheel) :] = self._wheel
        return np.concatenate([self._head, side_by_side(parts)])


def flow_scale(flow):
    """Return the length of flow (..., H, W, 2) that gets the full colour: nearly the longest, or a pixel."""
    return max(float(np.percentile(np.hypot(flow[..., 0], flow[..., 1]), 99)), 1.0)


def _error(prediction, frame):
    """Return the picture of the error of a predicted frame."""
    return as_picture(np.minimum(np.abs(prediction - frame).mean(axis=0, keepdims=True) / WHITE, 1))
