"""Converts frames as PyAV decodes them to arrays: upright, resized, grey or in colour.

PyAV is the extra `video`; this file can be imported without it.
"""

import numpy as np

#: PyAV's pixel format and the number of channels.
COLOURS = {"grey": ("gray", 1), "rgb": ("rgb24", 3)}


def load_av():
    """Return the module `av`; RuntimeError that says how to install it if it is missing."""
    try:
        import av
    except ImportError as error:
        raise RuntimeError(
            "reading and writing video needs PyAV, which is the extra `video`: pip install av"
        ) from error
    return av


def check_format(size, colour):
    """Raise ValueError unless `size` is None or (height, width) and `colour` is "grey" or "rgb"."""
    integer = (int, np.integer)
    if size is not None and (len(size) != 2 or not all(isinstance(n, integer) and n > 0 for n in size)):
        raise ValueError(f"size must be (height, width) in pixels or None, got {size!r}")
    if colour not in COLOURS:
        raise ValueError(f"colour must be one of {sorted(COLOURS)}, got {colour!r}")


class FrameConverter:
    """Converts the frames of one file to arrays (C, H, W), uint8.

    size: (height, width) of the upright result; None for the file's own. The aspect ratio is not preserved.
    Downscaling averages over the area of each pixel (swscale's AREA, which interpolates linearly where it
    enlarges); for grey the result is within one level of the exact mean.
    colour: "grey" (the luminance, white is 255) or "rgb".
    """

    def __init__(self, size, colour):
        check_format(size, colour)
        self.size = size
        self.format, self.channels = COLOURS[colour]
        # Shared by all frames: it caches the tables that it computes for a pair of sizes.
        self._reformatter = load_av().video.reformatter.VideoReformatter()

    def __call__(self, frame):
        matrix = _display_matrix(frame)
        height, width = self.size or (None, None)
        if _swaps_axes(matrix):
            height, width = width, height
        frame = self._reformatter.reformat(frame, width, height, self.format, interpolation="AREA")
        picture = frame.to_ndarray()
        picture = picture.reshape(*picture.shape[:2], self.channels).transpose(2, 0, 1)
        return np.ascontiguousarray(upright(picture, matrix))


def upright(picture, matrix):
    """Return the picture (C, H, W) rotated by quarter turns and mirrored as the display `matrix` says.

    matrix: 2x2, in the convention of MP4: the content at (x, y) goes to (x, y) @ matrix, up to a shift;
    y points down. Other angles are rounded to the nearest of these eight orientations.
    """
    if _swaps_axes(matrix):
        picture = picture.swapaxes(1, 2)
        to_x, to_y = matrix[1, 0], matrix[0, 1]
    else:
        to_x, to_y = matrix[0, 0], matrix[1, 1]
    return picture[:, :: -1 if to_y < 0 else 1, :: -1 if to_x < 0 else 1]


def _swaps_axes(matrix):
    return abs(matrix[0, 1]) > abs(matrix[0, 0])


def _display_matrix(frame):
    """Return the 2x2 matrix that displays a frame upright; the identity if the file has none."""
    content = frame.side_data.get("DISPLAYMATRIX")
    if content is None:
        return np.eye(2)
    return np.frombuffer(content, np.int32).reshape(3, 3)[:2, :2].astype(float)
