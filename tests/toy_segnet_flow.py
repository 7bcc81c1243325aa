"""A small SegNet-flow, its frames and labels, and differences by one entry, for tests."""

import numpy as np

import nnlite as nn
from nnlite import models

HEIGHT, WIDTH = 18, 20
VIDEO = {"n_features": 3, "n_memory": 4, "kernel": 3, "flow_kernel": 5}
SMALL = {"height": HEIGHT, "width": WIDTH, "n_classes": 3, "n_features": 4, "kernel": 3}


def build(video=None, **options):
    """Return a small SegNet-flow in float64, every path of which matters."""
    nn.manual_seed(1)
    model = models.build("segnet_flow", **SMALL | {"video": VIDEO | (video or {})} | options).double()
    model.video.memory.reset(0.5)
    for layer in model.video.regressor.modules[:3]:
        layer.reset(0.3)
    model.propagation.merge.reset(0.3)
    return model


def frames(*shape, seed=0):
    """Return frames in [0, 1]."""
    return np.random.default_rng(seed).uniform(size=shape)


def labels_at(steps, labelled, n=2):
    """Return labels (T, N, H, W), -1 but at the steps `labelled`."""
    labels = np.random.default_rng(0).integers(-1, 3, (steps, n, HEIGHT, WIDTH))
    labels[[t for t in range(steps) if t not in labelled]] = -1
    return labels


def moved(function, array, index, step=1e-5):
    """Return the central difference of the number function() by one entry of `array`."""
    kept, values = array[index], []
    for value in (kept + step, kept - step):
        array[index] = value
        values.append(function())
    array[index] = kept
    return (values[0] - values[1]) / (2 * step)
