"""What of a batch is parts of clips, and where they are cut out: what moves fills more of the picture."""

import math
from itertools import pairwise

import numpy as np

from nnlite.data.moving_textures import SMALLEST
from nnlite.train.real_video.settings import DRAWN_SPEED

#: Of so many places drawn at random the one is taken where most changes: most of a typical frame is static.
PLACES = 4


def check_crops(crop, size, all_directions):
    """Raise ValueError, naming the options, unless crops (h, w), None for none, fit into frames (H, W).

    In all directions they have to fit with rows and columns swapped too.
    """
    if crop is None:
        if all_directions:
            raise ValueError("--all-directions turns the parts that --crop takes; add --crop HEIGHT WIDTH")
        return
    why = {tuple(crop): "crops"}
    if all_directions:
        why.setdefault(tuple(crop[::-1]), "--all-directions swaps rows and columns, and parts")
    for (height, width), what in why.items():
        if height > size[0] or width > size[1]:
            raise ValueError(
                f"{what} of {height}x{width} don't fit into frames of {size[0]}x{size[1]}: make --crop "
                "smaller, or --size larger"
            )


def check_drawn(settings):
    """Raise ValueError, naming the options, where motion cannot be drawn as the settings ask for it."""
    if not settings.drawn_share and settings.drawn_speed != DRAWN_SPEED:
        raise ValueError("--drawn-speed is that of drawn motion, of which there is none; add --drawn-share")
    height, width = settings.crop or settings.size
    if settings.drawn_share and min(height, width) < SMALLEST:
        raise ValueError(
            f"drawn motion takes at least {SMALLEST}x{SMALLEST} pixels, got {height}x{width}: make "
            f"--{'crop' if settings.crop else 'size'} larger, or leave out --drawn-share"
        )


def random_crops(frames, size, random, before=0, all_directions=False):
    """Return parts of the clips `frames` (T, N, C, H, W), each of `size` (h, w): (T, N, C, h, w).

    Each clip keeps its place over time; every second one is mirrored. random: a NumPy generator. before: how
    many clips of the batch come before these; what is drawn for them is left out. all_directions: also swap
    rows and columns, turn upside down and run backwards in time, each with probability one half: a motion
    then goes in any of eight directions, and what slows down speeds up.
    """
    change = np.abs(np.diff(frames, axis=0)).mean(axis=(0, 2))
    crops = np.empty((*frames.shape[:3], *size), frames.dtype)
    for n in range(-before, frames.shape[1]):
        swapped = all_directions and random.random() < 0.5
        height, width = size[::-1] if swapped else size
        rows, columns = frames.shape[-2] - height + 1, frames.shape[-1] - width + 1
        places = [(random.integers(rows), random.integers(columns)) for _ in range(PLACES)]
        mirrored = random.random() < 0.5
        upside_down, backwards = random.random(2) < 0.5 if all_directions else (False, False)
        if n < 0:
            continue
        parts = [(slice(y, y + height), slice(x, x + width)) for y, x in places]
        down, across = max(parts, key=lambda part: change[n][part].sum())
        crop = frames[:: -1 if backwards else 1, n, :, down, across]
        crop = np.swapaxes(crop, -1, -2) if swapped else crop
        crops[:, n] = crop[..., :: -1 if upside_down else 1, :: -1 if mirrored else 1]
    return crops


def drawn_numbers(first, count, share):
    """Return for `count` training sequences, from the number `first` on, which drawn one each is.

    None where it comes from the clips. Of every n in a row n · share are drawn, and they are numbered from 0
    on, so that none comes twice.
    """
    drawn_before = [math.floor((first + n) * share) for n in range(count + 1)]
    return [a if b > a else None for a, b in pairwise(drawn_before)]
