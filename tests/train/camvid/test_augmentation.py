"""Random changes of training sequences: frames and labels alike, from the number of the sequence alone."""

from types import SimpleNamespace

import numpy as np
import pytest

from nnlite.data.labelled_video import LabelledVideo
from nnlite.train.camvid.augmentation import augmented

HEIGHT, WIDTH = 12, 16


def settings(mirror=False, zoom=(1.0, 1.0), light=0.0, seed=0):
    return SimpleNamespace(mirror=mirror, zoom=zoom, light=light, seed=seed)


def ramp(n=6, steps=2):
    """Return video whose red is its column and whose green its row, and whose labels number the pixels."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    frame = np.stack([x / WIDTH, y / HEIGHT, np.full_like(x, 0.5, float)]).astype(np.float32)
    frames = np.broadcast_to(frame, (steps, n, *frame.shape)).copy()
    labels = np.broadcast_to(y * WIDTH + x, (steps, n, HEIGHT, WIDTH)).copy()
    visible = labels.copy()
    visible[:-1] = -1
    return LabelledVideo(frames, visible, labels)


def test_without_changes_it_is_the_video_itself():
    video = ramp()
    assert augmented(video, settings(), range(6)) is video


def test_half_of_the_sequences_are_mirrored_whole():
    video = ramp(n=20)
    found = augmented(video, settings(mirror=True), range(20))
    mirrored = [bool(found.frames[0, n, 0, 0, 0] > 0.5) for n in range(20)]
    assert 4 <= sum(mirrored) <= 16
    for n, flipped in enumerate(mirrored):
        for name in ("frames", "visible_labels", "true_labels"):
            expected = getattr(video, name)[:, n]
            np.testing.assert_array_equal(
                getattr(found, name)[:, n], expected[..., ::-1] if flipped else expected
            )


@pytest.mark.parametrize("zoom", [(2.0, 2.0), (0.5, 0.5), (0.7, 1.6)])
def test_labels_stay_with_their_pixels(zoom):
    found = augmented(ramp(), settings(mirror=True, zoom=zoom), range(3, 9))
    labels, counted = found.true_labels, found.true_labels >= 0
    column, row = found.frames[:, :, 0] * WIDTH, found.frames[:, :, 1] * HEIGHT
    assert abs(column - labels % WIDTH)[counted].max() <= 0.51
    assert abs(row - labels // WIDTH)[counted].max() <= 0.51
    np.testing.assert_array_equal(found.visible_labels[-1], labels[-1])
    assert (found.visible_labels[0] == -1).all()
    if zoom == (2.0, 2.0):
        assert counted.all() and len(np.unique(labels[0, 0])) == HEIGHT * WIDTH / 4
    if zoom == (0.5, 0.5):
        assert 0.2 < counted.mean() < 0.3


def test_light_is_one_factor_of_a_sequence():
    video = ramp()
    factors = augmented(video, settings(light=0.3), range(6)).frames[:, :, 2] / 0.5
    assert abs(factors - factors[:1, :, :1, :1]).max() < 1e-6
    logarithms = np.log(factors[0, :, 0, 0])
    assert 0.05 < abs(logarithms).max() <= 0.3 and len(np.unique(logarithms)) == 6
    assert augmented(video, settings(light=2.0), range(6)).frames.max() == 1


def test_a_sequence_is_changed_by_its_number_and_the_seed():
    chosen = settings(mirror=True, zoom=(0.8, 1.5), light=0.2)
    video, alone = ramp(), ramp(n=1)
    found = augmented(video, chosen, range(40, 46))
    np.testing.assert_array_equal(augmented(alone, chosen, [43]).frames[:, 0], found.frames[:, 3])
    chosen.seed = 1
    assert not np.array_equal(augmented(alone, chosen, [43]).frames[:, 0], found.frames[:, 3])
