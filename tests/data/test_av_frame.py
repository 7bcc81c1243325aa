"""Frames as arrays: colours against the formulas of the standards, transparency, and side data."""

import io
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

av = pytest.importorskip("av")
from nnlite.data.av_frame import FrameConverter, display_matrix  # noqa: E402
from nnlite.data.video import decode  # noqa: E402
from tests.video_files import pictures  # noqa: E402

#: The weights of red and blue in luminance, by the number of a matrix in ITU-T H.273; 2: unspecified.
WEIGHTS = {1: (0.2126, 0.0722), 2: (0.299, 0.114), 5: (0.299, 0.114), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}


def flat(form, *levels):
    """Return a frame of 64 x 48 pixels whose planes have these levels."""
    frame = av.VideoFrame(64, 48, form)
    for plane, level in zip(frame.planes, levels, strict=True):
        plane.update(bytes([level]) * plane.buffer_size)
    return frame


@pytest.mark.parametrize("form", ["yuv420p", "yuvj420p", "yuv444p"])
@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("stated_range", [0, 1, 2])
def test_matrix_and_range_of_the_file(form, matrix, stated_range):
    luma, blue_difference, red_difference = 120, 90, 200
    frame = flat(form, luma, blue_difference, red_difference)
    frame.colorspace, frame.color_range = matrix, stated_range
    full = form == "yuvj420p" or stated_range == 2
    grey = luma / 255 if full else (luma - 16) / 219
    of_red, of_blue = WEIGHTS[matrix]
    chroma = 255 if full else 224
    red = grey + 2 * (1 - of_red) * (red_difference - 128) / chroma
    blue = grey + 2 * (1 - of_blue) * (blue_difference - 128) / chroma
    green = (grey - of_red * red - of_blue * blue) / (1 - of_red - of_blue)
    want = np.clip(255 * np.array([red, green, blue]), 0, 255)
    for size in (None, (12, 16)):
        assert np.abs(FrameConverter(size, "rgb")(frame)[:, 3, 3] - want).max() <= 2
        assert np.abs(FrameConverter(size, "grey")(frame)[0, 3, 3] - 255 * grey) <= 1
    assert (frame.colorspace, frame.color_range) == (matrix, stated_range)


@pytest.mark.parametrize("block", [2, 4, 8])
@pytest.mark.parametrize("size", [(48, 64), (24, 32), (12, 16)])
def test_shrinking_saturated_colours(block, size):
    """Each colour within three levels of the mean over the area of a pixel."""
    shape = (96 // block, 128 // block)
    colours = np.random.default_rng(0).choice([64, 192], (2, *shape)).astype(np.uint8)
    frame = av.VideoFrame(128, 96, "yuv420p")
    planes = [np.full((96, 128), 120, np.uint8)]
    planes += [c.repeat(block // 2, 0).repeat(block // 2, 1) for c in colours]
    for plane, values in zip(frame.planes, planes, strict=True):
        rows = np.zeros((plane.height, plane.line_size), np.uint8)
        rows[:, : plane.width] = values
        plane.update(rows)
    luma, blue, red = [p if len(p) == 96 else p.repeat(2, 0).repeat(2, 1) for p in planes]
    grey = (luma - 16.0) / 219
    r, b = grey + 1.402 * (red - 128.0) / 224, grey + 1.772 * (blue - 128.0) / 224
    whole = 255 * np.clip([r, (grey - 0.299 * r - 0.114 * b) / 0.587, b], 0, 1)
    height, width = size
    want = whole.reshape(3, height, 96 // height, width, 128 // width).mean((2, 4))
    assert np.abs(FrameConverter(size, "rgb")(frame) - want).max() <= 3


@pytest.mark.parametrize("width", [36, 100, 360, 366, 484])
@pytest.mark.parametrize("form", ["yuv420p", "yuv422p", "yuvj420p"])
def test_all_columns_of_a_colour_picture_are_written(form, width):
    """Memory holds other values before, so that what is not written shows."""
    for level in (60, 200, 90, 160):
        before = [av.VideoFrame(width, 100, "gbrp") for _ in range(3)]
        for plane in (plane for frame in before for plane in frame.planes):
            plane.update(bytes(range(256)) * (plane.buffer_size // 256) + bytes(plane.buffer_size % 256))
        del before, plane
        frame = av.VideoFrame(width, 100, form)
        for k, plane in enumerate(frame.planes):
            plane.update(bytes([128 if k else level]) * plane.buffer_size)
        picture = FrameConverter(None, "rgb")(frame).astype(int)
        full = form.startswith("yuvj")
        assert np.abs(picture - (level if full else (level - 16) * 255 / 219)).max() <= 2
        small = FrameConverter((50, 60), "rgb")(frame).astype(int)
        assert np.abs(small - picture[:, 0, 0, None, None].reshape(3, 1, 1)).max() <= 1


# ---- transparency -----------------------------------------------------------------------------------------


def test_what_is_transparent_is_black():
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[..., :3] = 200
    pixels[:4, :, 3], pixels[4:, :4, 3] = 255, 128
    frame = av.VideoFrame.from_ndarray(pixels, format="rgba")
    want = np.array([[200, 200], [100, 0]]).repeat(4, 0).repeat(4, 1)
    for colour in ("grey", "rgb"):
        assert np.abs(FrameConverter(None, colour)(frame) - want).max() <= 1


def test_transparent_surroundings_of_a_gif(tmp_path):
    """Black, as Pillow shows them."""
    image = Image.new("P", (16, 16), 0)
    image.putpalette([255, 255, 255, 200, 40, 40])
    image.paste(1, (4, 4, 12, 12))
    image.save(
        tmp_path / "a.gif", transparency=0, save_all=True, append_images=[image.rotate(90)], duration=40
    )
    for frame in decode(tmp_path / "a.gif", colour="rgb"):
        assert np.abs(frame.picture[:, 8, 8].astype(int) - [200, 40, 40]).max() <= 1
        assert not frame.picture[:, 0, 0].any()


# ---- side data --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "orientation, want", [(1, [[1, 0], [0, 1]]), (5, [[0, 1], [1, 0]]), (6, [[0, 1], [-1, 0]])]
)
def test_side_data_without_a_name(orientation, want):
    """PyAV 18.1 has no name for Exif and then raises as soon as any side data are listed."""
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x112] = orientation
    Image.fromarray(pictures(1)[0]).save(file, "JPEG", exif=exif)
    (frame,) = av.CodecContext.create("mjpeg", "r").decode(av.Packet(file.getvalue()))
    assert (np.sign(display_matrix(frame)) == want).all()


def test_video_with_exif(tmp_path):
    """MJPEG in AVI, as cameras write it."""
    exif = Image.Exif()
    exif[0x112] = 6
    with av.open(str(tmp_path / "a.avi"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for k, pixels in enumerate(pictures(3)):
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "JPEG", exif=exif)
            packet = av.Packet(file.getvalue())
            packet.stream, packet.pts, packet.dts, packet.is_keyframe = stream, k, k, True
            packet.time_base = Fraction(1, 25)
            container.mux(packet)
    found = [frame.picture for frame in decode(tmp_path / "a.avi")]
    for pixels, picture in zip(pictures(3), found, strict=True):
        assert np.abs(np.rot90(pixels[..., 0], -1).astype(int) - picture[0]).max() <= 6
