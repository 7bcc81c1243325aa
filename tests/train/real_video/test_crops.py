"""Crops to train on: exact parts of the frames, where something moves, the same for the same seed."""

import numpy as np
import pytest

from nnlite.train.real_video.crops import drawn_numbers, random_crops


def numbered(count=5, clips=3, channels=2, height=20, width=30):
    """Return clips whose every value tells where it comes from."""
    shape = (count, clips, channels, height, width)
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def test_crops_are_parts_of_their_clips():
    frames = numbered()
    crops = random_crops(frames, (8, 12), np.random.default_rng(0))
    assert crops.shape == (5, 3, 2, 8, 12) and crops.dtype == np.float32
    for n in range(3):
        crop = crops[:, n]
        if crop[0, 0, 0, 0] > crop[0, 0, 0, -1]:
            crop = crop[..., ::-1]
        _, _, _, y, x = np.argwhere(frames == crop[0, 0, 0, 0])[0]
        np.testing.assert_array_equal(crop, frames[:, n, :, y : y + 8, x : x + 12])


def test_both_ways_and_all_places_come_up():
    frames, random = numbered(2, 1, 1, 6, 6), np.random.default_rng(0)
    crops = [random_crops(frames, (5, 5), random)[0, 0, 0] for _ in range(100)]
    assert {crop[0].min() for crop in crops} == {0, 1, 6, 7}
    assert {bool(crop[0, 0] > crop[0, 1]) for crop in crops} == {False, True}


def test_in_all_directions_the_eight_views_and_both_times_come_up():
    frames, random = numbered(2, 1, 1, 6, 9), np.random.default_rng(0)
    seen = set()
    for _ in range(400):
        crop = random_crops(frames, (4, 5), random, all_directions=True)[:, 0, 0]
        down, across = crop[0, 1, 0] - crop[0, 0, 0], crop[0, 0, 1] - crop[0, 0, 0]
        seen.add((down, across, crop[1, 0, 0] - crop[0, 0, 0]))
        rows = np.arange(4)[:, None] * down + np.arange(5) * across
        np.testing.assert_array_equal(crop - crop[:, :1, :1], np.stack([rows, rows]))
    upright = {(down, across) for down in (-9, 9) for across in (-1, 1)}
    swapped = {(across, down) for down, across in upright}
    assert seen == {(*view, time) for view in upright | swapped for time in (-54, 54)}


@pytest.mark.parametrize("all_directions", [False, True])
def test_a_share_of_a_batch_gets_the_crops_of_the_whole(all_directions):
    frames = numbered(3, 5)
    whole = random_crops(frames, (8, 12), np.random.default_rng(1), 0, all_directions)
    share = random_crops(frames[:, 2:4], (8, 12), np.random.default_rng(1), 2, all_directions)
    np.testing.assert_array_equal(share, whole[:, 2:4])


def test_the_same_for_the_same_seed():
    frames = numbered()
    first, again, other = (random_crops(frames, (8, 12), np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_whole_frames_are_crops_too():
    frames = numbered(2, 1)
    crop = random_crops(frames, (20, 30), np.random.default_rng(0))
    assert np.array_equal(np.sort(crop.ravel()), frames.ravel())


def test_where_something_moves_is_preferred():
    frames = np.zeros((2, 1, 1, 40, 40), np.float32)
    frames[1, 0, 0, :10, :10] = 1
    random = np.random.default_rng(0)
    moving = np.mean([random_crops(frames, (10, 10), random)[1].any() for _ in range(300)])
    # One place at random sees some of it with probability (10/31)² = 0.10, the best of four 0.36.
    assert 0.25 < moving < 0.47


@pytest.mark.parametrize("share, expected", [(0.0, 0), (0.3, 300), (0.5, 500), (1.0, 1000)])
def test_the_share_of_drawn_sequences_and_their_numbers(share, expected):
    numbers = drawn_numbers(0, 1000, share)
    drawn = [number for number in numbers if number is not None]
    assert drawn == list(range(expected))
    # Batches are parts of the same row, whatever their size.
    assert [number for first in range(0, 1000, 4) for number in drawn_numbers(first, 4, share)] == numbers
    assert all(sum(n is not None for n in numbers[k : k + 10]) == 10 * share for k in range(0, 990, 10))
