"""Scores of a predictor on unseen moving digits, beside the baselines, as numbers, table and figures."""

from collections import defaultdict
from collections.abc import Sized

import numpy as np
from tqdm.auto import tqdm

import nnlite as nn
from nnlite import backend
from nnlite.data.flow import end_point_error
from nnlite.train.moving_mnist import baselines
from nnlite.train.report import figures
from nnlite.train.report.tables import format_table
from nnlite.train.runs import processes

#: Sequences that the baselines are estimated from, at most.
CALIBRATION = 2000
#: Test sequences scored now and then during training, for the curves, at most.
VALIDATION_SUBSET = 100

#: Where the end-point error is taken: on arriving digit pixels (those of digits in frame t + 1, whose pixels
#: the model's flow belongs to) and on leaving ones (those in frame t, the convention of flow files).
PLACES = {"arriving": "target", "leaving": "source"}


def evaluate(model, data, count, batch):
    """Return the scores of `model` on the first `count` sequences of `data` (a MovingMNIST or SequenceFile).

    A dict of two numbers each, "last" for the prediction of the last frame from all frames before, "all" for
    the mean over the predictions of all steps: "bce", the binary cross-entropy in nats a pixel; for a model
    with flow "roughness", the mean length of the flow's gradient (pixels of motion a pixel), and, where the
    true motion is known, "flow_arriving" and "flow_leaving", its end-point error in pixels on the pixels
    of digits, and "zero_arriving" and "zero_leaving", that of no motion. Several processes share the work.
    """
    criterion = nn.BCECriterion(size_average=False)
    totals = defaultdict(lambda: np.zeros(2))  # (sum, number of terms)
    group = processes.current()
    batches = group.own(range(0, count, batch))
    for first in tqdm(batches, "scoring", unit=" batches", delay=5, leave=False, disable=None):
        sequences = data.batch(range(first, min(first + batch, count)))
        frames = backend.asarray(sequences.frames, model.dtype, model.device)
        with nn.evaluating(model):
            output = model.forward(frames[:-1])
        target = frames[len(frames) - len(output) :]
        for steps, p, t in (("last", output[-1:], target[-1:]), ("all", output, target)):
            totals["bce", steps] += float(criterion.forward(p, t)), p.size
        if hasattr(model, "flow"):
            flow = np.moveaxis(backend.as_numpy(model.flow), 2, -1)
            for steps, here in (("last", flow[-1:]), ("all", flow)):
                lengths = _gradient_length(here)
                totals["roughness", steps] += lengths.sum(dtype=np.float64), lengths.size
        if hasattr(model, "flow") and hasattr(sequences, "true_flow"):
            for place, at in PLACES.items():
                truth, mask = sequences.true_flow(at)
                truth = np.moveaxis(truth, 2, -1)
                for steps, here in (("last", slice(-1, None)), ("all", slice(None))):
                    pixels = mask[here].sum()
                    for name, guess in (("flow", flow), ("zero", np.zeros_like(flow))):
                        error = end_point_error(guess[here], truth[here], mask[here]) if pixels else 0.0
                        totals[f"{name}_{place}", steps] += error * pixels, pixels
    scores = defaultdict(dict)
    for (name, steps), (total, terms) in processes.add_up(group.gather(dict(totals))).items():
        scores[name][steps] = float(total / terms) if terms else float("nan")
    return dict(scores)


def _gradient_length(flow):
    """Return |∇T| = √(Σ (∂T_i/∂x_j)²) at every pixel of a flow (..., H, W, 2), by central differences."""
    return np.sqrt(sum((slope**2).sum(axis=-1) for slope in np.gradient(flow, axis=(-3, -2))))


def score_baselines(train, test, count):
    """Return the cross-entropy of the baselines on the first `count` sequences of `test`.

    {"copy": ..., "copy_per_pixel": ..., "constant": ...} with "last" and "all" each, as in `evaluate`; every
    one is estimated from `train` for the steps that it is scored on.
    """
    train_counts = transition_counts(train, calibration_size(train))
    test_counts = transition_counts(test, count)
    scores = defaultdict(dict)
    for steps, here in (("last", slice(-1, None)), ("all", slice(None))):
        seen, unseen = train_counts[here].sum(axis=0), test_counts[here].sum(axis=0)
        scores["copy"][steps] = baselines.copy_last_frame(seen, unseen)
        scores["copy_per_pixel"][steps] = baselines.copy_last_frame(seen, unseen, per_pixel=True)
        scores["constant"][steps] = baselines.best_constant(seen, unseen)
    return dict(scores)


def validation_subset(test_sequences):
    """Return the number of test sequences that the curves of a run are scored on."""
    return min(VALIDATION_SUBSET, test_sequences)


def calibration_size(train):
    """Return the number of training sequences that the baselines are estimated from."""
    return min(CALIBRATION, len(train)) if isinstance(train, Sized) else CALIBRATION


def transition_counts(data, count):
    """Return `baselines.count_transitions` of the first `count` sequences of `data`."""
    chunks = (data.batch(range(i, min(i + 100, count))) for i in range(0, count, 100))
    return sum(baselines.count_transitions(chunk.frames) for chunk in chunks)


def ratios(scores, reference):
    """Return the model's error over that of the calibrated copy and of zero flow, "last" and "all".

    None where that is not above zero: of digits that stand still, zero flow has no error.
    """
    pairs = {"bce_to_copy": (scores["bce"], reference["copy"])}
    if "flow_arriving" in scores:
        for place in PLACES:
            pairs[f"flow_to_zero_{place}"] = scores[f"flow_{place}"], scores[f"zero_{place}"]
    return {
        name: {steps: a[steps] / b[steps] if b[steps] > 0 else None for steps in a}
        for name, (a, b) in pairs.items()
    }


def format_scores(name, scores, reference, frames):
    """Return the tables of a model and the baselines as text."""
    relative = ratios(scores, reference)

    def row(label, pair):
        return label, tuple("-" if pair[steps] is None else pair[steps] for steps in ("last", "all"))

    columns = (f"frame {frames}", "all steps")
    blocks = [
        format_table(
            "Binary cross-entropy of the next frame, nats a pixel",
            columns,
            [
                row(name, scores["bce"]),
                row("copy of the last frame, calibrated", reference["copy"]),
                row("the same, calibrated at each position", reference["copy_per_pixel"]),
                row("best constant", reference["constant"]),
                row("model / calibrated copy", relative["bce_to_copy"]),
            ],
        )
    ]
    for place in PLACES:
        if f"flow_{place}" in scores:
            blocks.append(
                format_table(
                    f"End-point error of the flow, pixels a frame, on {place} digit pixels",
                    columns,
                    [
                        row(name, scores[f"flow_{place}"]),
                        row("zero flow", scores[f"zero_{place}"]),
                        row("model / zero flow", relative[f"flow_to_zero_{place}"]),
                    ],
                )
            )
    return "\n\n".join(blocks)


def draw_curves(path, log, reference):
    """Draw the lines of a run's log: cross-entropy and, for a model with flow, end-point error."""
    training = [line for line in log if "loss" in line]
    checks = [line for line in log if "evaluation" in line]

    def unseen(name):
        pairs = [(line["sequences"], line["evaluation"][name]["all"]) for line in checks]
        return tuple(zip(*pairs, strict=True)) or ((), ())

    panels = [
        {
            "title": "Prediction, mean of all steps",
            "label": "cross-entropy, nats a pixel",
            "training": ([line["sequences"] for line in training], [line["loss"] for line in training]),
            "unseen": unseen("bce"),
            "levels": {"calibrated copy": reference["copy"]["all"], "constant": reference["constant"]["all"]},
        }
    ]
    if checks and "bce_ahead" in checks[-1]["evaluation"]:
        means = [(line["sequences"], np.mean(line["evaluation"]["bce_ahead"])) for line in checks]
        panels.append(
            {
                "title": "Predictions fed back, mean of the steps",
                "label": "cross-entropy, nats a pixel",
                "training": ((), ()),
                "unseen": tuple(zip(*means, strict=True)),
                "levels": {},
            }
        )
    if checks and "flow_arriving" in checks[-1]["evaluation"]:
        panels.append(
            {
                "title": "Flow on arriving digit pixels, mean of all steps",
                "label": "end-point error, pixels a frame",
                "training": ((), ()),
                "unseen": unseen("flow_arriving"),
                "levels": {"zero flow": checks[-1]["evaluation"]["zero_arriving"]["all"]},
            }
        )
    figures.draw_curves(path, panels)


def draw_predictions(path, models, data, rows=6):
    """Draw the last predictions of `models`, {title: model}, on the first `rows` sequences of `data`."""
    sequences = data.batch(range(rows))
    predictions, flows = {}, {}
    for title, model in models.items():
        with nn.evaluating(model):
            output = model.forward(backend.asarray(sequences.frames[:-1], model.dtype, model.device))
        predictions[title] = backend.as_numpy(output[-1, :, 0])
        if hasattr(model, "flow"):
            flows["flow"] = backend.as_numpy(model.flow[-1])
    if flows and hasattr(sequences, "true_flow"):
        flows["true flow"] = sequences.true_flow("target")[0][-1]
    figures.draw_predictions(path, sequences.frames, predictions, flows)
