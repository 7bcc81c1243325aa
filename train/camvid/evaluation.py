"""Scores of a segmenter on unseen video: where labels could have been seen, where not, and of its flow."""

import numpy as np
from nnlite.data.flow import end_point_error
from nnlite.train.camvid.scores import ConfusionMatrix

from nnlite import backend
from nnlite.ops import threads

#: What labels come from, see `evaluate`.
HOW = ("labels", "basic", "no_flow", "true_flow")


def segment(model, frames):
    """Return what the model in evaluation mode makes of frames (T, N, 3, H, W), as a dict of host arrays.

    "labels" (T, N, H, W), the class with the highest score. Of SegNet-flow also "basic", the same of SegNet
    within it; "flow" (T, N, 2, H, W), (u, v) in pixels from frame t to t + 1; "predicted", the next frames.
    """
    model.evaluate()
    with threads.single_blas_thread():
        output = model.forward(backend.asarray(frames, model.dtype, model.device))
    model.training()
    if not hasattr(model, "basic_scores"):
        return {"labels": backend.as_numpy(output).argmax(axis=2)}
    return {
        "labels": backend.as_numpy(model.scores).argmax(axis=2),
        "basic": backend.as_numpy(model.basic_scores).argmax(axis=2),
        "flow": backend.as_numpy(model.flow),
        "predicted": backend.as_numpy(model.predicted),
    }


def carried_along(model, motion):
    """Return the labels that SegNet-flow would have given in the last forward pass with another flow.

    motion: (T - 1, N, 2, H, W), (u, v) in pixels from frame t to t + 1 at the pixels of frame t + 1.
    """
    steps, images, _, height, width = motion.shape
    h, w = height // 2, width // 2
    blocks = motion.reshape(steps, images, 2, h, 2, w, 2).mean(axis=(4, 6))
    # S reads frame t at o + T(o); the flow after the last frame is not used.
    flow = np.zeros((steps + 1, images, 2, h, w))
    flow[:-1, :, 0], flow[:-1, :, 1] = -blocks[:, :, 1] / (h - 1), -blocks[:, :, 0] / (w - 1)
    flow = backend.asarray(flow, model.dtype, model.device)
    return backend.as_numpy(model.propagation.update_output([model.basic_scores, flow])).argmax(axis=2)


def evaluate(model, sequences, count, batch, classes):
    """Return the scores of `model` on the first `count` sequences, ready for JSON.

    {"labels": how}, and of SegNet-flow also "basic": how, of SegNet within it; on video "no_flow" and, where
    it is known, "true_flow": how, with these in place of the predicted flow; "flow" and "prediction".
    how: {"labelled", "unlabelled", "steps"}: scores of a `ConfusionMatrix` at the frames whose labels
    training would have seen and at the others, None where nothing is known, and of each step. "flow", where
    the true motion is known: end-point error in pixels a frame of what is visible in both frames, at the
    pixels of the later one, "model" and "zero" (no motion), each for the "last" step and "all".
    "prediction": mean squared error a value of the next frames, "model" and "copy" (of the frame before).
    """
    matrices, flow, prediction = {}, _Sums(), _Sums()
    for first in range(0, count, batch):
        video = sequences.sequences(range(first, min(first + batch, count)))
        found = segment(model, video.frames)
        after, before = video.frames[1:], video.frames[:-1]
        if "flow" in found and (after != before).any():
            found["no_flow"] = carried_along(model, np.zeros_like(found["flow"][1:]))
            if hasattr(video, "true_flow"):
                found["true_flow"] = carried_along(model, video.true_flow("end")[0])
        for how in HOW:
            if how in found:
                matrices.setdefault(how, _Matrices(classes, len(video.frames))).add(found[how], video)
        if "flow" in found and len(after):
            prediction.add("model", (found["predicted"][:-1] - after) ** 2)
            prediction.add("copy", (before - after) ** 2)
            if hasattr(video, "true_flow"):
                _add_flow_errors(flow, found["flow"][:-1], *video.true_flow("end"))
    scores = {how: found.scores() for how, found in matrices.items()}
    if prediction.totals:
        scores["prediction"] = prediction.means()
    if flow.totals:
        means = flow.means()
        scores["flow"] = {
            who: {steps: means[who, steps] for steps in ("last", "all")} for who in ("model", "zero")
        }
    return scores


def averages(scores):
    """Return the averages among the scores of a `ConfusionMatrix`; None of None."""
    names = ("class_average", "global_average", "mean_iou")
    return scores and {name: scores[name] for name in names}


def _add_flow_errors(sums, guess, truth, visible):
    guess, truth = (np.moveaxis(x, 2, -1) for x in (guess, truth))
    for steps, here in (("last", slice(-1, None)), ("all", slice(None))):
        pixels = int(visible[here].sum())
        for who, motion in (("model", guess), ("zero", np.zeros_like(guess))):
            error = end_point_error(motion[here], truth[here], visible[here]) if pixels else 0.0
            sums.add((who, steps), error * pixels, pixels)


class _Matrices:
    """Confusion matrices at labelled frames, at unlabelled ones, and at each step of the sequences."""

    def __init__(self, classes, steps):
        self.labelled, self.unlabelled, *self.steps = (ConfusionMatrix(classes) for _ in range(2 + steps))

    def add(self, given, video):
        held_back = video.held_back
        self.labelled.add(given, video.labels)
        self.unlabelled.add(given, held_back)
        for matrix, here, truth in zip(self.steps, given, video.truth):
            matrix.add(here, truth)

    def scores(self):
        return {
            "labelled": _known(self.labelled),
            "unlabelled": _known(self.unlabelled),
            "steps": [averages(matrix.scores()) for matrix in self.steps],
        }


def _known(matrix):
    """Return the scores of a matrix, None when nothing was counted."""
    return matrix.scores() if matrix.counts.any() else None


class _Sums:
    """Sums of values by name, and their means."""

    def __init__(self):
        self.totals = {}

    def add(self, name, values, number=None):
        total, terms = self.totals.get(name, (0.0, 0))
        number = np.size(values) if number is None else number
        self.totals[name] = total + float(np.sum(values, dtype=np.float64)), terms + number

    def means(self):
        return {name: total / terms if terms else None for name, (total, terms) in self.totals.items()}
