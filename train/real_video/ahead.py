"""Several steps ahead: predictions fed back, beside the last frame copied and its motion carried on."""

from collections import deque

import numpy as np

from nnlite import backend
from nnlite.models.feedback import roll_out
from nnlite.models.unit_range import UnitRange
from nnlite.train.real_video.baselines import NAMES, motion_between
from nnlite.train.report.image_metrics import structural_similarity
from nnlite.train.report.lucas_kanade import carry_on
from nnlite.train.report.tables import format_markdown, psnr

#: Titles of what is compared several steps ahead.
COMPARED = {"model": NAMES["model"], "copy": "copy", "motion": "Lucas-Kanade carried on"}


class StepScores:
    """The mean squared error and SSIM of each step, in constant memory."""

    def __init__(self, steps):
        self.counts = np.zeros(steps, int)
        self._sums = {name: np.zeros((2, steps)) for name in COMPARED}

    def add(self, step, predictions, truth):
        """Add {name: frames} of the step with this number, from 0 on, and the true ones, (N, C, H, W)."""
        self.counts[step] += len(truth)
        for name, frames in predictions.items():
            squared = ((frames.astype(np.float64) - truth) ** 2).mean(axis=(1, 2, 3))
            similar = structural_similarity(frames, truth, data_range=1)
            self._sums[name][:, step] += squared.sum(), similar.sum()

    def result(self):
        """Return {name: {"squared": [one figure a step], "ssim": [...]}}."""
        return {
            name: dict(zip(("squared", "ssim"), (sums / self.counts).tolist()))
            for name, sums in self._sums.items()
        }


class StreamScores:
    """`StepScores` of the predictions made after each frame of a stream."""

    def __init__(self, steps):
        self.scores, self.steps = StepScores(steps), steps
        self._waiting, self._before = deque(maxlen=steps), None

    def expect(self, predicted):
        """Take the `PredictedFrame`, with those after it, made after the latest frame."""
        last = predicted.last
        carried = np.repeat(last[None], self.steps, axis=0)
        if self._before is not None:
            (motion,) = motion_between(np.stack([self._before, last])[:, None])
            carried = carry_on(last, motion[0], self.steps)
        self._waiting.append((predicted, carried))
        self._before = last

    def compare(self, frame):
        """Compare what was predicted of the frame (C, H, W) that comes, each time one step later."""
        for step, (predicted, carried) in enumerate(reversed(self._waiting)):
            made = [predicted.prediction, *predicted.further][step]
            predictions = {"model": made, "copy": predicted.last, "motion": carried[step]}
            self.scores.add(step, {name: p[None] for name, p in predictions.items()}, frame[None])

    @property
    def farthest(self):
        """The prediction of the frame to come that was made first, `steps` frames before it, or None."""
        return self._waiting[0][0].further[-1] if len(self._waiting) == self.steps else None


def score(model, batches, steps, offset):
    """Return the scores of the last `steps` frames of clips, predicted from those before; ready for JSON.

    batches: of clips (T, N, C, H, W). offset: what the model subtracts from all frames.
    """
    scores, model = StepScores(steps), UnitRange(model, offset)
    for frames in batches:
        seen, truth = frames[:-steps], frames[-steps:]
        predictions = roll_out(model, backend.asarray(seen, model.dtype, model.device), steps)
        (motion,) = motion_between(seen[-2:])
        carried = np.stack([carry_on(*pair, steps) for pair in zip(seen[-1], motion)], axis=1)
        for step, predicted in enumerate(backend.as_numpy(predictions)):
            found = {"model": predicted, "copy": seen[-1], "motion": carried[step]}
            scores.add(step, found, truth[step])
    return scores.result()


def format_table(result):
    """Return the table of what `result` of `StepScores` found, in Markdown: a row for each step."""
    steps = len(result["model"]["squared"])
    head = [
        "frames ahead",
        *(f"{measure}: {COMPARED[name]}" for measure in ("PSNR", "SSIM") for name in result),
    ]
    rows = [
        [
            str(step + 1),
            *(f"{psnr(values['squared'][step]):.1f}" for values in result.values()),
            *(f"{values['ssim'][step]:.3f}" for values in result.values()),
        ]
        for step in range(steps)
    ]
    return format_markdown(head, rows)
