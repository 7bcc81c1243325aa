"""Scores of a segmenter on unseen video: at labelled frames, at unlabelled ones, and of its flow."""

import copy

import numpy as np

import nnlite as nn
from nnlite import backend
from nnlite.data.flow import end_point_error
from nnlite.train.camvid.scores import ConfusionMatrix
from nnlite.train.camvid.steadiness import Steadiness, motion_between
from nnlite.train.runs import processes

#: Predicted labels that are scored, see `evaluate`.
SCORED = ("labels", "basic", "no_flow", "true_flow", "stream")
#: Test sequences scored now and then during training, for the curves, at most.
VALIDATION_SUBSET = 24


def segment(model, frames):
    """Return the predictions of the model in evaluation mode for frames (T, N, 3, H, W), as host arrays.

    A dict: "labels" (T, N, H, W), the class with the highest score. Of SegNet-flow also "basic", the same of
    SegNet within it; "flow" (T, N, 2, H, W), (u, v) in pixels from frame t to t + 1; "predicted", the next
    frames.
    """
    with nn.evaluating(model):
        output = model.forward(backend.asarray(frames, model.dtype, model.device))
    if not hasattr(model, "basic_scores"):
        return {"labels": backend.as_numpy(output).argmax(axis=2)}
    return {
        "labels": backend.as_numpy(model.scores).argmax(axis=2),
        "basic": backend.as_numpy(model.basic_scores).argmax(axis=2),
        "flow": backend.as_numpy(model.flow),
        "predicted": backend.as_numpy(model.predicted),
    }


def propagated_labels(model, frames, motion):
    """Return the labels that SegNet-flow would have predicted in the last forward pass with another flow.

    frames: those of that pass. motion: (T - 1, N, 2, H, W), (u, v) in pixels from frame t to t + 1 at the
    pixels of frame t + 1.
    """
    steps, images, _, height, width = motion.shape
    h, w = height // 2, width // 2
    blocks = motion.reshape(steps, images, 2, h, 2, w, 2).mean(axis=(4, 6))
    # S reads frame t at o + T(o); the flow after the last frame is not used.
    flow = np.zeros((steps + 1, images, 2, h, w))
    flow[:-1, :, 0], flow[:-1, :, 1] = -blocks[:, :, 1] / (h - 1), -blocks[:, :, 0] / (w - 1)
    flow = backend.asarray(flow, model.dtype, model.device)
    frames = backend.asarray(frames, model.dtype, model.device)
    return backend.as_numpy(model.propagate(frames, flow)).argmax(axis=2)


def evaluate(model, sequences, count, batch, classes, brief=False):
    """Return the scores of `model` on the first `count` sequences, ready for JSON.

    "labels" has the scores of the predicted labels; of SegNet-flow there are also those of "basic", SegNet
    within it, and on video of "no_flow" and, where it is known, "true_flow", with these in place of the
    predicted flow. Where test sequences continue each other, "stream" has the scores of labels that are
    carried from one to the next too, as in a whole video. Each is {"labelled", "unlabelled", "steps",
    "changed"}: scores of a `ConfusionMatrix` at the frames with visible labels and at those with withheld
    labels, None where there are none, and of each step; and on video the share of pixels whose label changes
    from frame to frame along the true motion or, where that is not known, along that of Lucas-Kanade, else
    None.
    "flow", where the true motion is known: end-point error in pixels a frame of what is visible in both
    frames, at target pixels, "model" and "zero" (no motion), each for the "last" step and "all".
    "prediction": mean squared error a value of the next frames, "model" and "copy" (of the frame before).
    brief: leave out "changed" and "stream", which take longer. Several processes share the work.
    """
    matrices, flow, prediction, group = {}, _Sums(), _Sums(), processes.current()
    for first in group.own(range(0, count, batch)):
        video = sequences.batch(range(first, min(first + batch, count)))
        found = segment(model, video.frames)
        after, before = video.frames[1:], video.frames[:-1]
        moving = bool((after != before).any())
        motions = list(_motions(video)) if moving and not brief else []
        if "flow" in found and moving:
            found["no_flow"] = propagated_labels(model, video.frames, np.zeros_like(found["flow"][1:]))
            if hasattr(video, "true_flow"):
                found["true_flow"] = propagated_labels(model, video.frames, video.true_flow("target")[0])
        for name in SCORED:
            if name in found:
                matrices.setdefault(name, _Matrices(classes, len(video.frames))).add(
                    found[name], video, motions
                )
        if "flow" in found and len(after):
            prediction.add("model", (found["predicted"][:-1] - after) ** 2)
            prediction.add("copy", (before - after) ** 2)
            if hasattr(video, "true_flow"):
                _add_flow_errors(flow, found["flow"][:-1], *video.true_flow("target"))
    if not brief and group.leader and hasattr(model, "basic_scores") and _has_stream(sequences, count):
        matrices["stream"] = _Matrices(classes, sequences.n_frames)
        for video, labels in _stream(model, sequences, count):
            matrices["stream"].add(labels, video, list(_motions(video)))
    matrices = processes.add_up(group.gather(matrices))
    flow, prediction = sum(group.gather(flow), _Sums()), sum(group.gather(prediction), _Sums())
    scores = {name: matrix.scores() for name, matrix in matrices.items()}
    if prediction.totals:
        scores["prediction"] = prediction.means()
    if flow.totals:
        means = flow.means()
        scores["flow"] = {
            source: {steps: means[source, steps] for steps in ("last", "all")} for source in ("model", "zero")
        }
    return scores


def _has_stream(sequences, count):
    """Return whether one of the first `count` sequences continues the one before."""
    return hasattr(sequences, "continues") and any(map(sequences.continues, range(count)))


def _stream(model, sequences, count):
    """Yield each of the first `count` sequences, and its labels by a model that remembers those before it."""
    with nn.evaluating(model), nn.remembering(model) as memories:
        for index in range(count):
            if not sequences.continues(index):
                for memory in memories:
                    memory.forget()
            video = sequences.batch([index])
            yield video, segment(model, video.frames)["labels"]


def validation_subset(count):
    """Return the number of test sequences that are scored during training."""
    return min(VALIDATION_SUBSET, count)


def averages(scores):
    """Return the averages among the scores of a `ConfusionMatrix`; None of None."""
    names = ("class_average", "global_average", "mean_iou")
    return scores and {name: scores[name] for name in names}


def _add_flow_errors(sums, prediction, target, visible):
    prediction, target = (np.moveaxis(flow, 2, -1) for flow in (prediction, target))
    for steps, part in (("last", slice(-1, None)), ("all", slice(None))):
        pixels = int(visible[part].sum())
        for source, flow in (("model", prediction), ("zero", np.zeros_like(prediction))):
            error = end_point_error(flow[part], target[part], visible[part]) if pixels else 0.0
            sums.add((source, steps), error * pixels, pixels)


def _motions(video):
    """Yield (t, n, the motion from frame t to t + 1 of sequence n, what is visible in both or None)."""
    if hasattr(video, "true_flow"):
        flow, visible = video.true_flow("target")
        flow = np.moveaxis(flow, 2, -1)
    for t, n in np.ndindex(len(video.frames) - 1, video.frames.shape[1]):
        if hasattr(video, "true_flow"):
            yield t, n, flow[t, n], visible[t, n]
        else:
            yield t, n, motion_between(video.frames[t, n], video.frames[t + 1, n]), None


class _Matrices:
    """Confusion matrices at labelled and unlabelled frames and at each step; how steady labels are."""

    def __init__(self, classes, steps):
        self.labelled, self.unlabelled, *self.steps = (ConfusionMatrix(classes) for _ in range(2 + steps))
        self.steadiness = Steadiness()

    def __add__(self, other):
        both = copy.deepcopy(self)
        for mine, its in zip(both._all(), other._all()):
            mine.counts += its.counts
        both.steadiness += other.steadiness
        return both

    def add(self, prediction, video, motions):
        self.labelled.add(prediction, video.visible_labels)
        self.unlabelled.add(prediction, video.withheld_labels)
        for matrix, labels, target in zip(self.steps, prediction, video.true_labels):
            matrix.add(labels, target)
        for t, n, motion, visible in motions:
            self.steadiness.add(prediction[t, n], prediction[t + 1, n], motion, visible)

    def _all(self):
        return [self.labelled, self.unlabelled, *self.steps]

    def scores(self):
        return {
            "labelled": _scores(self.labelled),
            "unlabelled": _scores(self.unlabelled),
            "steps": [averages(matrix.scores()) for matrix in self.steps],
            "changed": self.steadiness.share,
        }


def _scores(matrix):
    """Return the scores of a matrix, None when nothing was counted."""
    return matrix.scores() if matrix.counts.any() else None


class _Sums:
    """Sums of values by name, and their means."""

    def __init__(self):
        self.totals = {}

    def __add__(self, other):
        both = _Sums()
        for name in dict.fromkeys([*self.totals, *other.totals]):
            pairs = [sums.totals[name] for sums in (self, other) if name in sums.totals]
            both.totals[name] = tuple(map(sum, zip(*pairs)))
        return both

    def add(self, name, values, number=None):
        total, terms = self.totals.get(name, (0.0, 0))
        number = np.size(values) if number is None else number
        self.totals[name] = total + float(np.sum(values, dtype=np.float64)), terms + number

    def means(self):
        return {name: total / terms if terms else None for name, (total, terms) in self.totals.items()}
