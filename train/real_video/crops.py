"""What of a batch is parts of clips, and where they are cut out: what moves fills more of the picture."""

import math
from itertools import pairwise

import numpy as np

#: Of so many places drawn at random the one is taken where most changes: most of a typical frame is static.
PLACES = 4


def random_crops(frames, size, random, before=0):
    """Return parts of the clips `frames` (T, N, C, H, W), each of `size` (h, w): (T, N, C, h, w).

    Each clip keeps its place over time; every second one is mirrored. random: a NumPy generator. before: how
    many clips of the batch come before these; what is drawn for them is left out.
    """
    height, width = size
    rows, columns = frames.shape[-2] - height + 1, frames.shape[-1] - width + 1
    change = np.abs(np.diff(frames, axis=0)).mean(axis=(0, 2))
    crops = np.empty((*frames.shape[:3], height, width), frames.dtype)
    for n in range(-before, frames.shape[1]):
        places = [(random.integers(rows), random.integers(columns)) for _ in range(PLACES)]
        mirrored = random.random() < 0.5
        if n < 0:
            continue
        parts = [(slice(y, y + height), slice(x, x + width)) for y, x in places]
        down, across = max(parts, key=lambda part: change[n][part].sum())
        crop = frames[:, n, :, down, across]
        crops[:, n] = crop[..., ::-1] if mirrored else crop
    return crops


def drawn_numbers(first, count, share):
    """Return for `count` training sequences, from the number `first` on, which drawn one each is.

    None where it comes from the clips. Of every n in a row n · share are drawn, and they are numbered from 0
    on, so that none comes twice.
    """
    drawn_before = [math.floor((first + n) * share) for n in range(count + 1)]
    return [a if b > a else None for a, b in pairwise(drawn_before)]
