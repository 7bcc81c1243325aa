"""Beyond one step: predictions fed back as if they had been seen.

What is fed back are the probabilities themselves. Made binary first they would look like the frames that the
models are trained on, but every pixel in doubt would become a certain error: a small AE-ConvLSTM (preset
ablation) had cross-entropies of 0.32 and 0.59 two and three frames ahead that way, 0.15 and 0.19 without.
"""

import numpy as np
from matplotlib.figure import Figure

import nnlite as nn
from nnlite import backend
from nnlite.models.feedback import roll_out
from nnlite.train.moving_mnist.baselines import best_constant, copy_last_frame, count_transitions
from nnlite.train.report.figures import save_figure
from nnlite.train.runs import processes

#: Sequences at once.
BATCH = 20


def errors(models, data, seen, steps, count):
    """Return {name: [cross-entropy of step 1, 2, ..., in nats a pixel]} of {name: model}.

    data: the sequences to predict, `seen` + `steps` frames long; the first `count` are used. Several
    processes share the work.
    """
    criterion, group = nn.BCECriterion(size_average=False), processes.current()
    totals = {name: np.zeros(steps) for name in models}
    pixels = 0
    for first in group.own(range(0, count, BATCH)):
        frames = data.batch(range(first, min(first + BATCH, count))).frames
        pixels += frames[0].size
        for name, model in models.items():
            here = backend.asarray(frames, model.dtype, model.device)
            predictions = roll_out(model, here[:seen], steps)
            totals[name] += [float(criterion.forward(p, t)) for p, t in zip(predictions, here[seen:])]
    totals, pixels = processes.add_up(group.gather(totals)), sum(group.gather(pixels))
    return {name: (total / pixels).tolist() for name, total in totals.items()}


def baseline_errors(train, test, seen, steps, train_count, test_count):
    """Return {"copy": [...], "constant": [...]}: the last seen frame copied, and a constant, at each step.

    Calibrated for each step on the first `train_count` sequences of `train`, scored on `test`.
    """
    learned = _transitions(train, seen, steps, train_count)
    scored = _transitions(test, seen, steps, test_count)
    return {
        "copy": [copy_last_frame(a, b) for a, b in zip(learned, scored)],
        "constant": [best_constant(a, b) for a, b in zip(learned, scored)],
    }


def _transitions(data, seen, steps, count):
    """Return transition counts from the last seen frame to the frames 1 to `steps` later."""
    total = 0
    for first in range(0, count, 100):
        frames = data.batch(range(first, min(first + 100, count))).frames
        last = frames[seen - 1]
        total = total + np.stack(
            [count_transitions(np.stack([last, frames[seen - 1 + k]]))[0] for k in range(1, steps + 1)]
        )
    return total


def draw_frames(path, frames, predictions, seen):
    """Draw one sequence: the last frames seen and the truth above, each model's predictions below.

    frames: (T, H, W). predictions: {title: (steps, H, W)}, of the frames from `seen` on.
    """
    shown = min(3, seen)
    steps = len(frames) - seen
    rows, columns = 1 + len(predictions), shown + steps
    figure = Figure(figsize=(0.8 * columns + 1.2, 0.85 * rows + 0.25), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
    for k in range(columns):
        offset = k - shown + 1
        axes[0, k].set_title(f"t{offset:+d}" if offset else "t", fontsize=8)
    for row, (name, pictures) in enumerate({"truth": frames[seen - shown :], **predictions}.items()):
        axes[row, 0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8)
        skipped = columns - len(pictures)
        for axis in axes[row, :skipped]:
            axis.spines[:].set_visible(False)
        for axis, picture in zip(axes[row, skipped:], pictures):
            axis.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    save_figure(path, figure, dpi=140)
