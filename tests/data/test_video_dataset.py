"""Every data set has the interface of `VideoDataset`, and its sequences do not depend on one another."""

import numpy as np
import pytest

from nnlite.data.camvid import CamVid
from nnlite.data.clips import Clips
from nnlite.data.drawn_digits import draw_digits
from nnlite.data.moving_mnist import MovingMNIST
from nnlite.data.moving_mnist_files import SequenceFile, save_sequences
from nnlite.data.moving_shapes import MovingShapes
from nnlite.data.moving_textures import MovingTextures
from nnlite.data.shapes import background_texture
from nnlite.data.video_dataset import VideoBatch
from tests.camvid_folders import SIZE, make_tutorial


def moving_mnist(folder):
    return MovingMNIST(draw_digits(20)[0], size=(40, 48), n_frames=4)


def sequence_file(folder):
    save_sequences(folder / "s.npy", moving_mnist(folder), 3)
    return SequenceFile(folder / "s.npy", n_frames=3)


def moving_shapes(folder):
    return MovingShapes(size=(16, 24), n_frames=3)


def moving_textures(folder):
    return MovingTextures(background_texture, (16, 24), n_frames=3)


def camvid_sequences(folder):
    make_tutorial(folder, [f"0016E5_{number:05d}" for number in range(7959, 7965, 2)])
    return CamVid(folder, SIZE).sequences("val", n_frames=2)


def clips(folder):
    pytest.importorskip("av")
    from tests.video_files import make_video, pictures

    return Clips([make_video(folder / "a.mp4", pictures(12))], 4, (12, 16), colour="rgb")


@pytest.mark.parametrize(
    "make", [moving_mnist, sequence_file, moving_shapes, moving_textures, camvid_sequences, clips]
)
def test_interface(make, tmp_path):
    data = make(tmp_path)
    batch = data.batch([2, 0])
    assert isinstance(batch, VideoBatch) and batch.frames.dtype == np.float32
    n_frames, n_sequences, channels, *size = batch.frames.shape
    assert (n_frames, n_sequences, tuple(size)) == (data.n_frames, 2, data.size) and channels in (1, 3)
    assert batch.frames.min() >= 0 and 0.1 < batch.frames.max() <= 1
    np.testing.assert_array_equal(data.batch(range(3)).frames[:, [2, 0]], batch.frames)
    assert not hasattr(data, "__len__") or len(data) == 3
