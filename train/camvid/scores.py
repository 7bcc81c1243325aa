"""Scores of a segmentation: the columns of the paper's Table 2, mean IoU, and the weights of a balanced loss.

With n_ij the number of pixels of class i that are predicted as class j, over all frames together:

    accuracy of class i    n_ii / Σ_j n_ij
    class average          the mean of the accuracies
    global average         Σ_i n_ii / Σ_ij n_ij
    mean IoU               the mean of n_ii / (Σ_j n_ij + Σ_j n_ji - n_ii)

Means are over the classes that occur in the target; one that does not has no accuracy (NaN) and no IoU.
Pixels labelled -1 are not counted. All scores are from 0 to 1; tables print per cent, as the paper does.
"""

import numpy as np
from matplotlib.figure import Figure

from nnlite.data.label_colours import CLASSES
from nnlite.train.report.figures import save_figure
from nnlite.train.report.tables import format_markdown

AVERAGES = ("Class Avg.", "Global Avg.")
#: The paper's Table 2, per cent: the 11 classes, class average, global average.
PAPER = {
    "SegNet": (89.2, 65.4, 22.6, 92.0, 70.7, 44.8, 14.9, 5.38, 60.5, 25.6, 2.73, 44.9, 75.3),
    "SegNet-flow": (92.9, 73.4, 3.22, 97.2, 62.9, 52.3, 2.37, 2.35, 63.3, 14.9, 1.70, 42.4, 76.9),
}


class ConfusionMatrix:
    """Counts of pixels by target and predicted class, added up over any number of batches.

    classes: their names. Attribute `counts`, (K, K) int64: rows are target classes, columns predicted ones.
    """

    def __init__(self, classes=CLASSES):
        self.classes = tuple(classes)
        self.counts = np.zeros((len(self.classes), len(self.classes)), np.int64)

    def add(self, prediction, target):
        """Count the pixels of label arrays of the same shape, except those whose target is -1.

        ValueError when the shapes differ or a label is not one of the classes.
        """
        prediction, target = np.asarray(prediction), np.asarray(target)
        if prediction.shape != target.shape:
            raise ValueError(
                f"prediction and target must have the same shape, got {prediction.shape} and {target.shape}"
            )
        counted = target != -1
        prediction, target = prediction[counted], target[counted]
        number = len(self.classes)
        for name, labels in (("prediction", prediction), ("target", target)):
            if labels.size and not 0 <= labels.min() <= labels.max() < number:
                raise ValueError(
                    f"{name} must have labels 0 to {number - 1}, got {labels.min()} to {labels.max()}"
                )
        pairs = number * target.astype(np.int64) + prediction.astype(np.int64)
        self.counts += np.bincount(pairs, minlength=number**2).reshape(number, number)

    def accuracies(self):
        """Return the accuracy of each class (K,), NaN for those that the target lacks."""
        return _ratio(np.diag(self.counts), self.counts.sum(axis=1))

    def intersections_over_unions(self):
        """Return the IoU of each class (K,), NaN for those that the target lacks."""
        target, correct = self.counts.sum(axis=1), np.diag(self.counts)
        union = target + self.counts.sum(axis=0) - correct
        return np.where(target > 0, _ratio(correct, union), np.nan)

    def class_average(self):
        """Return the mean accuracy of the classes; NaN when nothing was counted."""
        return _mean(self.accuracies())

    def global_average(self):
        """Return the fraction of pixels whose class is predicted; NaN when nothing was counted."""
        return float(_ratio(np.trace(self.counts), self.counts.sum()))

    def mean_iou(self):
        """Return the mean IoU of the classes; NaN when nothing was counted."""
        return _mean(self.intersections_over_unions())

    def scores(self):
        """Return everything for a result in JSON: numbers from 0 to 1, None for what the target lacks."""
        numbers = {
            "accuracy": dict(zip(self.classes, self.accuracies().tolist())),
            "iou": dict(zip(self.classes, self.intersections_over_unions().tolist())),
            "class_average": self.class_average(),
            "global_average": self.global_average(),
            "mean_iou": self.mean_iou(),
        }
        return _without_nan(numbers) | {"classes": list(self.classes), "counts": self.counts.tolist()}


def format_table2(rows, classes=CLASSES, paper=True):
    """Return Table 2 in Markdown, per cent: the paper's rows, then ours.

    rows: {name: scores of a `ConfusionMatrix`}. classes: the columns. paper: False where the classes, or the
    data, are not the paper's and its rows have no place.
    """
    head = ("Network", *classes, *AVERAGES, "Mean IoU")
    lines = [(f"{name}, paper", *map(str, values), "") for name, values in PAPER.items()] if paper else []
    for name, scores in rows.items():
        values = [scores["accuracy"][column] for column in classes]
        values += [scores["class_average"], scores["global_average"], scores["mean_iou"]]
        lines.append((name, *map(per_cent, values)))
    return format_markdown(head, lines)


def format_confusion(scores):
    """Return the confusion matrix of `scores` in Markdown, per cent of each row; rows are target classes."""
    counts = np.array(scores["counts"])
    shares = _ratio(counts, counts.sum(axis=1, keepdims=True))
    rows = [
        (name, *("" if np.isnan(share) else f"{100 * share:.0f}" for share in row))
        for name, row in zip(scores["classes"], shares)
    ]
    return format_markdown(("Class", *scores["classes"]), rows)


def draw_confusion(path, scores, title):
    """Draw the confusion matrix of `scores`: each row's per cent, predicted classes from left to right."""
    classes, counts = scores["classes"], np.array(scores["counts"])
    shares = _ratio(counts, counts.sum(axis=1, keepdims=True))
    side = 2.2 + 0.5 * len(classes)
    figure = Figure(figsize=(side, side), layout="constrained")
    axis = figure.subplots()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(shares.shape):
        if shares[i, j] >= 0.005:  # NaN isn't
            colour = "white" if shares[i, j] > 0.5 else "black"
            axis.text(j, i, f"{100 * shares[i, j]:.0f}", ha="center", va="center", color=colour, fontsize=8)
    ticks = range(len(classes))
    axis.set_xticks(ticks, classes, rotation=60, ha="right")
    axis.set_yticks(ticks, classes)
    axis.set(title=title, xlabel="predicted class", ylabel="target class (each row: per cent of its pixels)")
    save_figure(path, figure, dpi=130)


def median_frequency_weights(maps, number):
    """Return the weights (K,), float64, of median-frequency balancing (Eigen and Fergus 2015).

        w_i = median(f) / f_i,   f_i = pixels of class i / all pixels of the maps in which it occurs

    maps: label maps (H, W) of the training frames, from an iterable; -1 is no class, but its pixels are
    pixels of the map. number: K, of classes. One that no map has gets 0: it has no pixel to be weighted.
    ValueError when no map has a label, or one is out of range.
    """
    pixels, area = np.zeros(number, np.int64), np.zeros(number, np.int64)
    for labels in maps:
        counts = np.bincount(labels[labels >= 0].ravel(), minlength=number)
        if len(counts) > number:
            raise ValueError(f"maps must have labels -1 to {number - 1}, got {labels.max()}")
        pixels += counts
        area += np.where(counts > 0, labels.size, 0)
    present = pixels > 0
    if not present.any():
        raise ValueError("maps have no label from which to take class frequencies")
    frequency = pixels[present] / area[present]
    weights = np.zeros(number)
    weights[present] = np.median(frequency) / frequency
    return weights


def _ratio(part, whole):
    """Return part / whole, NaN where whole is 0."""
    whole = np.asarray(whole, np.float64)
    return part / np.where(whole > 0, whole, np.nan)


def _mean(values):
    """Return the mean of what isn't NaN, NaN when nothing is left."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _without_nan(value):
    """Return nested dicts of numbers with None for NaN, which JSON lacks."""
    if isinstance(value, dict):
        return {name: _without_nan(entry) for name, entry in value.items()}
    return None if np.isnan(value) else value


def per_cent(value):
    """Return a score in per cent as text, nothing for None."""
    return "" if value is None else f"{100 * value:.1f}"
