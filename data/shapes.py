"""Outlines and textures of the moving shapes, as formulas in a shape's own coordinates, in pixels."""

import numpy as np

#: Waves in the texture of a background.
_WAVES = 5


def _disc(draw, side):
    radius = _draw_between(draw, 0.15, 0.22) * side
    return lambda x, y: radius - np.hypot(x, y)


def _square(draw, side):
    half = _draw_between(draw, 0.14, 0.20) * side
    return lambda x, y: half - np.maximum(abs(x), abs(y))


def _triangle(draw, side):
    """Equilateral; `radius` is that of its inscribed circle."""
    radius = _draw_between(draw, 0.11, 0.15) * side
    return lambda x, y: radius - np.maximum(y, np.sqrt(0.75) * abs(x) - y / 2)


def _cross(draw, side):
    arm = _draw_between(draw, 0.19, 0.25) * side
    thick = 0.38 * arm

    def inside(x, y):
        x, y = abs(x), abs(y)
        return np.maximum(np.minimum(arm - x, thick - y), np.minimum(arm - y, thick - x))

    return inside


def _ring(draw, side):
    radius = _draw_between(draw, 0.16, 0.21) * side
    thick = 0.4 * radius
    return lambda x, y: thick - abs(np.hypot(x, y) - radius)


#: Class -> a function that draws a size and returns the outline: (x, y) -> distance from it, above 0 inside.
OUTLINES = {"Disc": _disc, "Square": _square, "Triangle": _triangle, "Cross": _cross, "Ring": _ring}

#: Class -> the pattern of its texture, from -1 to 1, in coordinates where a wavelength is 2π.
_PATTERNS = {
    "Disc": lambda x, y: np.cos(np.hypot(x, y)),
    "Square": lambda x, y: np.sin(x) * np.sin(y),
    "Triangle": lambda x, y: np.sin(x),
    "Cross": lambda x, y: np.tanh(3 * (np.cos(x) + np.cos(y) - 1)),
    "Ring": lambda x, y: np.sin(x + 1.5 * np.sin(y)),
}


def shape_texture(draw, name):
    """Return the texture of a shape of a class: (x, y) -> colours (..., 3), between two drawn colours."""
    wavelength = _draw_between(draw, 6.0, 9.0)
    first, second = _two_colours(draw)
    pattern = _PATTERNS[name]

    def texture(x, y):
        scale = 2 * np.pi / wavelength
        mix = (pattern(scale * x, scale * y)[..., None] + 1) / 2
        return first + mix * (second - first)

    return texture


def background_texture(draw):
    """Return the texture of a background: waves in random directions, between two drawn colours."""
    first, second = _two_colours(draw)
    directions, phases = 2 * np.pi * draw.random((2, _WAVES))
    frequencies = 2 * np.pi / (7.0 + 18.0 * draw.random(_WAVES))
    kx, ky = frequencies * np.cos(directions), frequencies * np.sin(directions)

    def texture(x, y):
        total = sum(np.sin(a * x + b * y + phase) for a, b, phase in zip(kx, ky, phases))
        mix = (np.tanh(total / np.sqrt(_WAVES)) + 1)[..., None] / 2
        return first + mix * (second - first)

    return texture


def _draw_between(draw, low, high):
    return low + (high - low) * draw.random()


def _two_colours(draw):
    """Return two colours (3,) in [0.05, 0.95], at least 0.3 apart in brightness; either may be brighter."""
    colours = 0.05 + 0.9 * draw.random((2, 3))
    mean = colours.mean(axis=1)
    while abs(mean[0] - mean[1]) < 0.3:
        colours = 0.05 + 0.9 * draw.random((2, 3))
        mean = colours.mean(axis=1)
    return colours
