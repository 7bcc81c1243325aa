"""Converts frames as PyAV decodes them to arrays: upright, resized, grey or in colour.

PyAV is the extra `video`; this file can be imported without it.
"""

from contextlib import contextmanager
from fractions import Fraction

import numpy as np

#: The number of channels.
COLOURS = {"grey": 1, "rgb": 3}
#: swscale's number of a matrix by the number in a file (ITU-T H.273); BT.601 is taken for all others.
_MATRICES = {1: 1, 4: 4, 7: 7, 9: 9, 10: 9}
#: BT.601 has two numbers. The result gets the other one: PyAV 16 ignores ranges if both sides are equal.
_BT601, _BT601_OF_RESULT = 6, 5
_VIDEO_RANGE, _FULL_RANGE = 1, 2
#: Formats with less chroma than luminance, and those with as much. From the former swscale goes to planar
#: RGB by code that leaves the last columns of some widths as they were in memory, such as 8 of 360.
_WHOLE_CHROMA = {
    "yuv420p": "yuv444p",
    "yuv422p": "yuv444p",
    "yuvj420p": "yuvj444p",
    "yuvj422p": "yuvj444p",
}
_SAFE_WIDTH = 16
#: Side data are numbered from 0; FFmpeg 9 has 32 kinds.
_MOST_KINDS = 64


def load_av():
    """Return the module `av`; RuntimeError that says how to install it if it is missing."""
    try:
        import av
    except ImportError as error:
        raise RuntimeError(
            "reading and writing video needs PyAV, which is the extra `video`: pip install av"
        ) from error
    return av


@contextmanager
def naming(path):
    """Let errors of PyAV, which often lack it, begin with the file's name: a context."""
    try:
        yield
    except (ValueError, OSError, OverflowError, load_av().FFmpegError) as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: {error}") from error


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
    enlarges); grey is within one level of the exact mean, and each of red, green and blue within three.
    colour: "grey" or "rgb". The matrix and the range that the file states apply. Grey is the file's own
    luminance, from 0 for black to 255 for white; of RGB pictures that of BT.601. Transparent parts are shown
    on black.
    """

    def __init__(self, size, colour):
        check_format(size, colour)
        self.size, self.channels = size, COLOURS[colour]
        # Shared by all frames: each caches the tables that it computes for a pair of sizes.
        make = load_av().video.reformatter.VideoReformatter
        self._to_colours, self._resize, self._to_whole_chroma = make(), make(), make()

    def __call__(self, frame, matrix=None):
        """Return the picture of a frame; matrix: what displays it upright, if the frame does not say."""
        matrix = display_matrix(frame) if matrix is None else matrix
        height, width = self.size or (None, None)
        if _swaps_axes(matrix):
            height, width = width, height
        if _may_be_transparent(frame):
            frame = _on_black(frame)
        if self.channels == 1:
            # Whatever the matrix is, luminance stays as it is if both sides have the same.
            own, frame.colorspace = frame.colorspace, _BT601
            picture = self._convert(self._resize, frame, "gray", width, height).to_ndarray()[..., None]
            frame.colorspace = own
        else:
            # Planes of their own are not subsampled, as swscale does with the chroma of packed RGB.
            if frame.width % _SAFE_WIDTH and frame.format.name in _WHOLE_CHROMA:
                frame = self._with_whole_chroma(frame)
            frame = self._convert(self._to_colours, frame, "gbrp")
            picture = self._convert(self._resize, frame, "gbrp", width, height).to_ndarray()
        return np.ascontiguousarray(upright(picture.transpose(2, 0, 1), matrix))

    def _with_whole_chroma(self, frame):
        """Return a frame with as much chroma as luminance, its matrix and range as they were."""
        form = _WHOLE_CHROMA[frame.format.name]
        whole = self._to_whole_chroma.reformat(frame, format=form, interpolation="AREA")
        whole.colorspace, whole.color_range = frame.colorspace, frame.color_range
        return whole

    def _convert(self, reformatter, frame, form, width=None, height=None):
        has_matrix = _has_chroma(frame.format)
        full = frame.color_range == _FULL_RANGE or frame.format.name.startswith("yuvj")
        return reformatter.reformat(
            frame,
            width,
            height,
            form,
            src_colorspace=_MATRICES.get(frame.colorspace, _BT601) if has_matrix else _BT601,
            dst_colorspace=_BT601_OF_RESULT,
            interpolation="AREA",
            src_color_range=_FULL_RANGE if full or not has_matrix else _VIDEO_RANGE,
            dst_color_range=_FULL_RANGE,
        )


def _has_chroma(form):
    """Return whether a pixel format has luminance and chroma, rather than RGB, a palette or grey alone."""
    return not (form.is_rgb or form.has_palette) and sum(not part.is_alpha for part in form.components) > 1


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


def display_matrix(frame):
    """Return the 2x2 matrix that displays a frame upright; the identity if the file has none."""
    try:
        content = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV lists none of them if it has no name for one (Exif, in 18.1)
        content = _with_known_side_data(frame).side_data.get("DISPLAYMATRIX")
    if content is None:
        return np.eye(2)
    return np.frombuffer(content, np.int32).reshape(3, 3)[:2, :2].astype(float)


def _with_known_side_data(frame):
    """Return the frame without the side data that PyAV has no name for."""
    known = {kind.value for kind in load_av().sidedata.sidedata.Type}
    filters = [("sidedata", f"mode=delete:type={n}") for n in range(_MOST_KINDS) if n not in known]
    graph = filter_graph(frame, filters)
    graph.push(frame)
    return graph.pull()


def filter_graph(frame, filters):
    """Return FFmpeg's filters, (name, arguments) pairs, one after the other for frames like this one."""
    graph = load_av().filter.Graph()
    last = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format.name,
        time_base=frame.time_base or Fraction(1, 25),
    )
    for name, arguments in [*filters, ("buffersink", None)]:
        added = graph.add(name, arguments)
        last.link_to(added)
        last = added
    graph.configure()
    return graph


def _may_be_transparent(frame):
    return frame.format.has_palette or any(part.is_alpha for part in frame.format.components)


def _on_black(frame):
    """Return the frame in RGB, its colours multiplied by its opacity."""
    pixels = frame.reformat(format="rgba", dst_color_range=_FULL_RANGE).to_ndarray()
    shown = pixels[..., :3] * (pixels[..., 3:] / np.float32(255))
    return load_av().VideoFrame.from_ndarray(np.rint(shown).astype(np.uint8), format="rgb24")
