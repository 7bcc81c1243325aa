"""What needs no training: the last frame copied, and the last motion carried on."""

from itertools import pairwise

import numpy as np

from nnlite import models
from nnlite.train.report.lucas_kanade import carry_on, optical_flow

#: Titles of what is compared.
NAMES = {
    "model": models.TITLES["ae_convlstm_flow"],
    "zero_flow": "the same with zero flow",
    "copy": "last frame copied",
    "motion": "motion extrapolated (Lucas-Kanade)",
}


def motion_between(frames):
    """Return Lucas-Kanade's flow (T-1, N, H, W, 2) between the frames (T, N, C, H, W).

    Entry t is, for the pixels of frame t + 1, where in frame t their content was.
    """
    grey = frames.mean(axis=2)
    return np.stack([[optical_flow(b, a) for a, b in zip(*pair)] for pair in pairwise(grey)])


def extrapolate_all(frames, motion):
    """Return the next frames (T, N, C, H, W) if all moves on as between the last two of `frames`.

    The first frame, which has none before it, is copied. motion: `motion_between` of these frames.
    """
    predictions = frames.copy()
    for t, n in np.ndindex(motion.shape[:2]):
        predictions[t + 1, n] = carry_on(frames[t + 1, n], motion[t, n], 1)[0]
    return predictions
