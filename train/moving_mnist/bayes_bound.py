"""The Bayes bound: the lowest error that any predictor of moving digits can expect.

An oracle knows the shape of each digit and the range that its speed is drawn from, and sees at which whole
pixel each digit is in every frame so far, even behind another one. It has to infer direction, speed and
sub-pixel position, as every predictor does. The frames contain no more information than that, so no predictor
can expect a lower error.
"""

import math
from functools import lru_cache

import numpy as np
from scipy.signal import convolve2d
from tqdm.auto import tqdm

from nnlite.data.drawn_digits import SIZE as DIGIT
from nnlite.data.moving_mnist import MovingMNIST, move

#: Of a fixed speed, initial hypotheses: directions, and sub-pixel positions on either axis for each of them.
DIRECTIONS, PLACES = 2048, 32
#: They are refined until this many pairs, one on either axis, agree with everything seen, up to DENSEST.
ENOUGH = 400
DENSEST = 2**14
#: Of a drawn speed, hypotheses: velocities on either axis, and sub-pixel positions for each of them.
VELOCITIES, DRAWN_PLACES = 2048, 64
#: Share of one hypothesis for all motions that no hypothesis predicts: they are rare, not impossible.
DOUBT = 0.01


def least_errors(data, count):
    """Return the error at frames 2, 3, ... given the frames before, in nats a pixel, (T-1,).

    Cross-entropy of P(pixel is lit | positions so far) on the first `count` sequences of `data`. None where
    it is not known: for recorded sequences, and for grey ones.
    """
    if not isinstance(data, MovingMNIST) or data.grey:
        return None
    reach = math.ceil(data.fast)
    height, width = data.size
    totals = np.zeros(data.n_frames - 1)
    for index in tqdm(range(count), "Bayes bound", unit=" sequences", disable=None):
        sequence = data.batch([index])
        dark = np.ones((data.n_frames - 1, height + 2 * reach, width + 2 * reach))
        for shape, corners in zip(sequence.digits[0], sequence.corners[:, 0].transpose(1, 0, 2)):
            chances_by_step = next_motion(corners, np.array(data.size) - DIGIT, data.slow, data.fast)
            for t, chances in enumerate(chances_by_step):
                y, x = corners[t]
                lit = convolve2d(shape, chances)
                dark[t, y : y + len(lit), x : x + len(lit)] *= 1 - lit
        dark = dark[:, reach : reach + height, reach : reach + width]
        lit = sequence.frames[1:, 0, 0] > 0
        totals -= np.log(np.where(lit, 1 - dark, dark)).sum(axis=(1, 2))
    return totals / (count * height * width)


def next_motion(corners, span, slow, fast):
    """Return the probabilities of a digit's next motion after each frame but the last, (T-1, D, D).

    corners: (T, 2) int, the digit's path; entry t follows from the first t + 1 of them. span: the largest
    corner, (y, x). slow, fast: the ends of the range of its speed, pixels a frame; the D = 2 ⌈fast⌉ + 1
    motions on either axis begin with -⌈fast⌉ pixels.
    Errors: ValueError for a path that no digit takes at such a speed.
    """
    reach = math.ceil(fast)
    joint, places = (_of_fixed if slow == fast else _of_drawn)(corners, span, slow, fast)
    if joint is None:
        pace = f"{slow:g}" if slow == fast else f"{slow:g} to {fast:g}"
        raise ValueError(f"no digit moves like this at {pace} pixels a frame: {corners.tolist()}")
    after = corners[:-1, :, None] + np.arange(-reach, reach + 1)
    y, x = ((after >= 0) & (after <= np.reshape(span, (2, 1)))).swapaxes(0, 1)
    possible = y[:, :, None] & x[:, None, :]
    joint += DOUBT / places**2 * possible / possible.sum(axis=(1, 2), keepdims=True)
    return joint / joint.sum(axis=(1, 2), keepdims=True)


def _of_fixed(corners, span, speed, _):
    """Return how much agrees with the path and goes on by each motion, (T-1, D, D), and the places tried.

    None for the first if it is too little, whatever is tried.
    """
    directions, places = DIRECTIONS, PLACES
    while directions <= DENSEST:
        turn = 2 * np.pi * (np.arange(directions) + 0.5) / directions
        y, x = (
            _follow(path, speed * part(turn), largest, places, math.ceil(speed))
            for path, part, largest in zip(corners.T, (np.sin, np.cos), span)
        )
        joint = y.swapaxes(1, 2) @ x  # given the direction, neither axis tells anything of the other
        if joint[-1].sum() * places**2 >= ENOUGH:
            return joint, places
        directions, places = 2 * directions, 2 * places
    return None, places


def _of_drawn(corners, span, slow, fast):
    """Return the same of a drawn speed: a path on one axis tells of the velocity on that axis alone."""
    velocity, chances = _velocities(slow, fast)
    how = DRAWN_PLACES, math.ceil(fast)
    y, x = (_follow(path, velocity, largest, *how) for path, largest in zip(corners.T, span))
    joint = np.empty((len(y), y.shape[2], x.shape[2]))
    for t, (of_y, of_x) in enumerate(zip(y, x)):
        rows, columns = (np.flatnonzero(of.any(axis=1)) for of in (of_y, of_x))
        joint[t] = of_y[rows].T @ chances[np.ix_(rows, columns)] @ of_x[columns]
    return (joint if joint[-1].any() else None), DRAWN_PLACES


@lru_cache(maxsize=1)
def _velocities(slow, fast, parts=4):
    """Return velocities on one axis (K,), and the chances (K, K) of a pair of them, y and x.

    Direction and speed are uniform, so the density of a velocity v is 1 / |v| between the two speeds; it is
    averaged over `parts` x `parts` places in each cell. A cell has the chance 1 if all of it is as likely as
    one of K equally likely cells.
    """
    width = 2 * fast / VELOCITIES
    fine = -fast + width / parts * (np.arange(VELOCITIES * parts) + 0.5)
    chances = np.empty((VELOCITIES, VELOCITIES))
    for row, y in enumerate(fine.reshape(VELOCITIES, parts)):
        size = np.hypot(y[:, None], fine)
        density = ((size >= slow) & (size <= fast)) / size
        chances[row] = density.reshape(parts, VELOCITIES, parts).sum(axis=(0, 2))
    return fine.reshape(VELOCITIES, parts).mean(axis=1), chances * (VELOCITIES / chances.sum())


def _follow(path, velocity, span, places, reach):
    """Return how much of what agrees with the path so far goes on by -reach..reach pixels, (T-1, K, D).

    path: (T,) int, one coordinate of a corner. velocity: (K,) pixels a frame, one hypothesis each; how much
    is the length, in pixels, of the stretches from which that velocity leads along the path.
    """
    number, step = np.arange(len(velocity)), velocity / span
    # The first frame comes after a move from anywhere: in one of the pixel's places, or set onto a border.
    pixel = (path[0] + (np.arange(places) + 0.5) / places) / span
    hypothesis = np.concatenate([np.repeat(number, places), number])
    position = np.concatenate([np.tile(pixel, len(step)), step > 0])
    step = np.concatenate([np.repeat(step, places), -step])
    length = np.concatenate([np.full(len(pixel) * len(number), 1 / places), abs(velocity)])
    came_from = position - step
    agrees = (came_from >= 0) & (came_from <= 1) & (position <= 1)
    agrees[-len(number) :] = path[0] == span * position[-len(number) :]

    width = 2 * reach + 1
    ahead = np.empty((len(path) - 1, len(number), width))
    for t, after in enumerate(path[1:]):
        hypothesis, length = hypothesis[agrees], length[agrees]
        position, step = move(position[agrees], step[agrees])
        corner = (span * position).astype(np.int64)
        place = hypothesis * width + corner - path[t] + reach
        ahead[t] = np.bincount(place, length, len(number) * width).reshape(len(number), width)
        agrees = corner == after
    return ahead
