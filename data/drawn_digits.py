"""Handwriting-like digits drawn from strokes: a stand-in for MNIST that needs no download.

A digit is a few strokes through control points (`_TEMPLATES`). Each drawing moves the control points a
little, applies a random slant, rotation and aspect ratio, fits the result into a 20x20 box centred by its ink
in 28x28 as MNIST does, and inks it with a round pen of random width. Everything is a function of (seed,
split): digit i does not depend on how many are drawn, and training and test digits never share a stream.
"""

import numpy as np
from scipy.interpolate import CubicSpline

SIZE = 28
SPLITS = {"train": 0, "test": 1}
_STYLE = 3  # pairs of random numbers for the style of the whole digit, beside those of the control points

# Label -> its variants. Strokes are separated by "|"; each is a smooth curve through points "x,y" in percent
# of the digit's box, y downwards. Equal points are one point, so that strokes stay joined when points are
# moved; a stroke that ends where it began is closed smoothly.
_TEMPLATES = {
    0: [
        "50,0 20,17 10,50 20,85 50,100 80,83 90,50 78,15 50,0",
        "60,3 25,20 10,60 30,97 70,85 90,45 75,8 50,2",
    ],
    1: [
        "50,0 50,50 50,100",
        "50,0 50,50 50,100 | 32,20 42,12 50,0",
        "50,0 50,50 50,100 | 30,20 42,12 50,0 | 25,100 50,100 75,100",
    ],
    2: [
        "12,25 30,4 60,2 80,22 65,50 35,78 10,98 | 10,98 50,96 92,96",
        "15,22 40,0 72,12 70,42 45,78 20,96 8,84 25,76 55,92 95,95",
    ],
    3: [
        "15,12 45,0 78,14 72,36 42,47 | 42,47 76,56 86,78 60,98 30,98 10,86",
        "15,4 45,2 80,2 | 80,2 62,22 45,42 | 45,42 78,50 86,74 60,97 30,98 12,88",
    ],
    4: [
        "22,0 16,28 12,50 | 12,50 45,54 85,50 | 76,2 72,50 70,100",
        "68,0 40,32 8,66 | 8,66 50,66 95,64 | 68,0 68,50 68,100",
    ],
    5: [
        "85,2 55,2 25,4 | 25,4 21,24 18,44 | 18,44 50,38 82,56 80,84 50,99 12,92",
        "90,4 60,0 34,6 25,25 40,42 72,56 76,82 45,99 12,90",
    ],
    6: [
        "72,0 42,18 20,52 20,84 46,100 76,86 74,62 48,53 22,72",
        "50,0 28,30 18,66 34,97 66,94 80,72 62,55 36,62 24,82",
    ],
    7: [
        "10,6 50,5 86,3 | 86,3 60,45 40,100",
        "10,16 14,5 50,5 84,6 | 84,6 70,40 50,100",
        "10,6 50,5 86,3 | 86,3 62,45 42,100 | 30,50 55,49 82,48",
    ],
    8: [
        "74,12 48,0 22,16 34,38 60,54 82,78 52,100 20,80 38,54 66,36 74,12",
        "50,46 24,24 50,0 78,22 50,46 | 50,46 82,74 50,100 16,74 50,46",
    ],
    9: [
        "76,14 50,0 22,18 28,44 56,44 76,14 | 76,14 74,55 66,100",
        "76,18 50,0 22,20 30,44 58,42 76,18 | 76,18 78,55 66,90 40,100 18,92",
    ],
}


def draw_digits(n_digits, seed=0, split="train"):
    """Return images (n_digits, 28, 28) uint8, ink 255 on 0, and labels (n_digits,) 0, 1, ..., 9, 0, 1, ...

    The splits "train" and "test" are different random streams of the same `seed`.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {sorted(SPLITS)}, got {split!r}")
    shape_noise, choice = (
        np.random.Generator(np.random.PCG64([seed, SPLITS[split], stream])) for stream in (0, 1)
    )
    widest = max(len(points) for points, _ in _VARIANTS.values())
    noise = shape_noise.standard_normal((n_digits, widest + _STYLE, 2))
    uniform = choice.random(n_digits)
    labels = np.arange(n_digits) % 10
    variants = (uniform * np.array([len(_TEMPLATES[label]) for label in range(10)])[labels]).astype(np.int64)

    images = np.zeros((n_digits, SIZE, SIZE), np.uint8)
    for (label, variant), template in _VARIANTS.items():
        members = np.flatnonzero((labels == label) & (variants == variant))
        for start in range(0, len(members), 512):  # in chunks, to bound memory
            chunk = members[start : start + 512]
            images[chunk] = _ink(*_strokes(template, noise[chunk]))
    return images, labels


def _compile(variant):
    """Return (control points (K, 2), [curve matrix (P, K) of each stroke]): a curve is matrix @ points."""
    strokes = [stroke.split() for stroke in variant.split("|")]
    points = sorted({point for stroke in strokes for point in stroke})
    curves = []
    for stroke in strokes:
        closed = stroke[0] == stroke[-1]
        knots = np.eye(len(points))[[points.index(point) for point in stroke]]
        spline = CubicSpline(np.arange(len(stroke)), knots, bc_type="periodic" if closed else "natural")
        curves.append(spline(np.linspace(0, len(stroke) - 1, 7 * (len(stroke) - 1) + 1)))
    return np.array([point.split(",") for point in points], float) / 100, curves


_VARIANTS = {
    (label, number): _compile(variant)
    for label, variants in _TEMPLATES.items()
    for number, variant in enumerate(variants)
}


def _strokes(template, noise):
    """Return N drawings in pixels: segments' centres (N, P, 2) and lengths (N, P), pen radii, edges (N,)."""
    points, curves = template
    style = noise[:, :_STYLE].reshape(len(noise), -1)
    points = points + 0.042 * noise[:, _STYLE : _STYLE + len(points)]
    slant = 0.1 + 0.25 * style[:, 0]
    angle = np.radians(8.0) * style[:, 1]
    aspect = 0.85 * np.exp(0.17 * style[:, 2])
    radius = np.clip(1.3 + 0.28 * style[:, 3], 0.7, 2.1)
    edge = 1.2 + 0.3 * np.abs(style[:, 4])

    # x right, y down: narrow, slant to the right at the top, rotate.
    x, y = points[..., 0] * aspect[:, None], points[..., 1]
    x = x - slant[:, None] * y
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    points = np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)

    curves = [np.matmul(curve, points) for curve in curves]
    low = np.min([curve.min(axis=1) for curve in curves], axis=0)
    high = np.max([curve.max(axis=1) for curve in curves], axis=0)
    scale = (20.0 - 2 * radius) / np.max(high - low, axis=1)
    centres = np.concatenate([(curve[:, 1:] + curve[:, :-1]) / 2 for curve in curves], axis=1)
    lengths = np.concatenate([np.linalg.norm(np.diff(curve, axis=1), axis=2) for curve in curves], axis=1)
    centre_of_ink = np.sum(centres * lengths[..., None], axis=1) / lengths.sum(axis=1)[:, None]
    centres = (centres - centre_of_ink[:, None]) * scale[:, None, None] + (SIZE - 1) / 2
    return centres, lengths * scale[:, None], radius, edge


def _ink(centres, lengths, radius, edge):
    """Return the drawings (N, 28, 28) as uint8; the ink fades over `edge` pixels around the pen's radius.

    The sum over short segments of length · exp(-d²/2σ²) / (√(2π) σ) is exp(-r²/2σ²) at distance r from a
    straight stroke, so that r = σ √(-2 log field) is a distance to the strokes that is smooth where they
    meet. The field is a matrix product, because exp(-d²/2σ²) is separable in x and y.
    """
    sigma = 1.0
    pixels = np.arange(SIZE)
    columns, rows = (np.exp(-((pixels - centres[..., axis, None]) ** 2) / (2 * sigma**2)) for axis in (0, 1))
    rows *= lengths[..., None] / (np.sqrt(2 * np.pi) * sigma)
    field = np.matmul(rows.transpose(0, 2, 1), columns)
    # Fields above 1, where strokes cross, are inside the pen in any case.
    distance = sigma * np.sqrt(-2 * np.log(np.clip(field, 1e-30, 1.0)))
    ink = np.clip((radius[:, None, None] - distance) / edge[:, None, None] + 0.5, 0.0, 1.0)
    return np.rint(255 * ink).astype(np.uint8)
