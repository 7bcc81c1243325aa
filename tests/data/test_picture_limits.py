"""Pictures and videos that take more memory than a file may ask for."""

import contextlib
import errno
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnlite import limits
from nnlite.data.image_sequence import decode_images
from nnlite.data.pictures import open_picture
from nnlite.data.video import read_frames
from tests.video_files import make_video


@pytest.fixture
def picture(tmp_path):
    """A PNG of 16 bits that is far smaller on the disk than in memory."""
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((100, 50), np.uint16)).save(path)
    assert path.stat().st_size < 1000
    return path


@pytest.mark.parametrize("read", [open_picture, lambda path: list(decode_images(path.parent))])
def test_a_picture_that_asks_for_too_much_is_not_decoded(picture, monkeypatch, read):
    monkeypatch.setenv(limits.VARIABLE, "40000")
    read(picture)
    monkeypatch.setenv(limits.VARIABLE, "39999")
    with pytest.raises(ValueError, match=r"a\.png: a picture of 50 x 100 pixels takes .*NNLITE_LARGEST"):
        read(picture)


def test_so_with_a_size_that_pillow_does_not_see(picture, monkeypatch):
    monkeypatch.setenv(limits.VARIABLE, "1000")
    monkeypatch.setattr(Image, "open", lambda *_: 1 / 0)
    with pytest.raises(ValueError, match=r"a\.png: the PNG is broken"):
        list(decode_images(picture.parent))


def test_so_with_a_piece_that_claims_to_be_large(picture):
    """What is read for it is no more than there is."""
    content = bytearray(picture.read_bytes())
    content[33:37] = (2**31 - 1).to_bytes(4, "big")
    picture.write_bytes(content)
    tracemalloc.start()
    with contextlib.suppress(ValueError):
        open_picture(picture)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_so_with_a_video(tmp_path, monkeypatch):
    path = make_video(tmp_path / "a.mp4", [np.zeros((64, 96, 3), np.uint8)] * 2)
    assert path.stat().st_size < 8 * 64 * 96
    monkeypatch.setenv(limits.VARIABLE, "49151")
    with pytest.raises(ValueError, match=r"a\.mp4: a picture of 96 x 64 pixels takes .*NNLITE_LARGEST"):
        list(read_frames(path))
    monkeypatch.setenv(limits.VARIABLE, "49152")
    assert len(list(read_frames(path))) == 2


def test_a_picture_that_may_not_be_read_is_not_damaged(picture, monkeypatch):
    def forbidden(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(PermissionError, match=r"Permission denied: .*a\.png"):
        open_picture(picture)


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_texts_in_a_png_are_not_inflated(picture, kind):
    """One that cannot be would make the decoder stop, so it does not try to."""
    content = picture.read_bytes()
    text = kind + b"key\0\0no zlib at all"
    chunk = (len(text) - 4).to_bytes(4, "big") + text + zlib.crc32(text).to_bytes(4, "big")
    picture.write_bytes(content[:33] + chunk + content[33:])
    (found,) = decode_images(picture.parent)
    assert found.shape == (1, 100, 50)
