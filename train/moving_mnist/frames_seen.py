"""What a memory is used for: the error of the next frame by how many frames were seen before it."""

import numpy as np
from tqdm.auto import tqdm

import nnlite as nn
from nnlite import backend
from nnlite.train.moving_mnist.baselines import best_constant, copy_last_frame
from nnlite.train.moving_mnist.bayes_bound import least_errors

#: Sequences at once.
BATCH = 20


def errors(models, data, count):
    """Return {name: [cross-entropy after 1, 2, ... frames, in nats a pixel]} of {name: model}.

    On the first `count` sequences of `data`; a model that predicts the last frames only has fewer entries.
    """
    criterion = nn.BCECriterion(size_average=False)
    totals, pixels = {}, 0
    for first in tqdm(range(0, count, BATCH), "errors by frames seen", unit=" batches", disable=None):
        frames = data.batch(range(first, min(first + BATCH, count))).frames
        pixels += frames[0].size
        for name, model in models.items():
            here = backend.asarray(frames, model.dtype, model.device)
            with nn.evaluating(model):
                output = model.forward(here[:-1])
            pairs = zip(output, here[len(here) - len(output) :])
            totals[name] = totals.get(name, 0) + np.array([float(criterion.forward(*pair)) for pair in pairs])
    return {name: (total / pixels).tolist() for name, total in totals.items()}


def reference_errors(train_counts, test_counts, data, count):
    """Return the same without a model, {"copy": [...], "constant": [...], "least": [...]}.

    train_counts, test_counts: of transitions (T-1, 2, 2, H, W), see `baselines`. "least" only where it is
    known, see `least_errors`.
    """
    pairs = list(zip(train_counts, test_counts))
    found = {
        "copy": [copy_last_frame(*pair) for pair in pairs],
        "constant": [best_constant(*pair) for pair in pairs],
    }
    least = least_errors(data, count)
    return found if least is None else found | {"least": least.tolist()}
