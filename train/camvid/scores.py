"""Scores of a segmentation: the columns of the paper's Table 2, mean IoU, and the weights of a balanced loss.

With n_ij the number of pixels of true class i that are given class j, over all frames together:

    accuracy of class i    n_ii / Σ_j n_ij
    class average          the mean of the accuracies
    global average         Σ_i n_ii / Σ_ij n_ij
    mean IoU               the mean of n_ii / (Σ_j n_ij + Σ_j n_ji - n_ii)

Means are over the classes that the truth has; a class that it lacks has no accuracy (NaN) and no IoU. Pixels
labelled -1 are not counted. All scores are from 0 to 1; tables print per cent, as the paper does.
"""

import matplotlib.pyplot as plt
import numpy as np
from nnlite.data.label_colours import CLASSES
from nnlite.train.moving_mnist.table1 import format_markdown

AVERAGES = ("Class Avg.", "Global Avg.")
#: The paper's Table 2, per cent: the 11 classes, class average, global average.
PAPER = {
    "SegNet": (89.2, 65.4, 22.6, 92.0, 70.7, 44.8, 14.9, 5.38, 60.5, 25.6, 2.73, 44.9, 75.3),
    "SegNet-flow": (92.9, 73.4, 3.22, 97.2, 62.9, 52.3, 2.37, 2.35, 63.3, 14.9, 1.70, 42.4, 76.9),
}


class ConfusionMatrix:
    """Counts of pixels by true and given class, added up over any number of batches.

    classes: their names. Attribute `counts`, (K, K) int64: rows are true classes, columns given ones.
    """

    def __init__(self, classes=CLASSES):
        self.classes = tuple(classes)
        self.counts = np.zeros((len(self.classes), len(self.classes)), np.int64)

    def add(self, given, truth):
        """Count the pixels of label arrays of the same shape; those whose truth is -1 are left out.

        ValueError when the shapes differ or a label is not one of the classes.
        """
        given, truth = np.asarray(given), np.asarray(truth)
        if given.shape != truth.shape:
            raise ValueError(f"given and truth must have the same shape, got {given.shape} and {truth.shape}")
        counted = truth != -1
        given, truth = given[counted], truth[counted]
        number = len(self.classes)
        for name, labels in (("given", given), ("truth", truth)):
            if labels.size and not 0 <= labels.min() <= labels.max() < number:
                raise ValueError(
                    f"{name} must have labels 0 to {number - 1}, got {labels.min()} to {labels.max()}"
                )
        pairs = number * truth.astype(np.int64) + given.astype(np.int64)
        self.counts += np.bincount(pairs, minlength=number**2).reshape(number, number)

    def accuracies(self):
        """Return the accuracy of each class (K,), NaN for those that the truth lacks."""
        return _ratio(np.diag(self.counts), self.counts.sum(axis=1))

    def intersections_over_unions(self):
        """Return the IoU of each class (K,), NaN for those that the truth lacks."""
        true, hit = self.counts.sum(axis=1), np.diag(self.counts)
        return np.where(true > 0, _ratio(hit, true + self.counts.sum(axis=0) - hit), np.nan)

    def class_average(self):
        """Return the mean accuracy of the classes; NaN when nothing was counted."""
        return _mean(self.accuracies())

    def global_average(self):
        """Return the share of pixels that are given their true class; NaN when nothing was counted."""
        return float(_ratio(np.trace(self.counts), self.counts.sum()))

    def mean_iou(self):
        """Return the mean IoU of the classes; NaN when nothing was counted."""
        return _mean(self.intersections_over_unions())

    def scores(self):
        """Return everything for a result in JSON: numbers from 0 to 1, None for what the truth lacks."""
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


def draw_confusion(path, scores, title):
    """Draw the confusion matrix of `scores`: each row's per cent, given classes from left to right."""
    classes, counts = scores["classes"], np.array(scores["counts"])
    shares = _ratio(counts, counts.sum(axis=1, keepdims=True))
    side = 2.2 + 0.5 * len(classes)
    figure, axis = plt.subplots(figsize=(side, side), layout="constrained")
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(shares.shape):
        if shares[i, j] >= 0.005:  # NaN isn't
            colour = "white" if shares[i, j] > 0.5 else "black"
            axis.text(j, i, f"{100 * shares[i, j]:.0f}", ha="center", va="center", color=colour, fontsize=8)
    places = range(len(classes))
    axis.set_xticks(places, classes, rotation=60, ha="right")
    axis.set_yticks(places, classes)
    axis.set(title=title, xlabel="given class", ylabel="true class (each row: per cent of its pixels)")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def median_frequency_weights(maps, number):
    """Return the weights (K,), float64, of median-frequency balancing (Eigen and Fergus 2015).

        w_i = median(f) / f_i,   f_i = pixels of class i / all pixels of the maps in which it occurs

    maps: label maps (H, W) of the training frames, from an iterable; -1 is no class, but its pixels are
    pixels of the map. number: K, of classes. One that no map has gets 0: it has no pixel to be weighted.
    ValueError when no map has a label, or one is out of range.
    """
    pixels, area = np.zeros(number, np.int64), np.zeros(number, np.int64)
    for labels in maps:
        here = np.bincount(labels[labels >= 0].ravel(), minlength=number)
        if len(here) > number:
            raise ValueError(f"maps must have labels -1 to {number - 1}, got {labels.max()}")
        pixels += here
        area += np.where(here > 0, labels.size, 0)
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
