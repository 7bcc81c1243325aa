"""Moving textures: frames that their flow warps into each other, still backgrounds, real pictures."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from nnlite.data.moving_textures import MovingTextures, picture_texture
from nnlite.data.shapes import background_texture


def moving(**options):
    return MovingTextures(background_texture, **{"size": (40, 48), "n_frames": 4} | options)


def warped(video, t, n, flow):
    """Return frame t moved along `flow` (2, H, W) at the pixels of frame t + 1."""
    y, x = np.mgrid[: flow.shape[1], : flow.shape[2]]
    return np.stack([map_coordinates(c, [y - flow[1], x - flow[0]], order=3) for c in video.frames[t, n]])


def test_shapes_and_types():
    video = moving().batch([3, 0])
    assert video.frames.shape == (4, 2, 3, 40, 48) and video.frames.dtype == np.float32
    assert video.frames.min() >= 0 and video.frames.max() <= 1
    assert video.flow.shape == video.flow_at_target.shape == (3, 2, 2, 40, 48)
    assert video.hidden.shape == video.hidden_at_target.shape == (3, 2, 40, 48)
    assert video.hidden.dtype == bool and video.flow.dtype == np.float32


def test_the_flow_is_exact():
    video = moving(still=0).batch(range(12))
    flow, visible = video.true_flow("target")
    errors = {factor: [] for factor in (1.0, 0.8, 0.0)}
    for (t, n), (factor, found) in ((place, item) for place in np.ndindex(3, 12) for item in errors.items()):
        error = abs(warped(video, t, n, factor * flow[t, n]) - video.frames[t + 1, n])
        found.append(error[:, visible[t, n]].ravel())
    errors = {factor: np.concatenate(found) for factor, found in errors.items()}
    assert np.median(errors[1.0]) < 1e-3 and np.quantile(errors[1.0], 0.9) < 0.01
    assert errors[1.0].mean() < 0.15 * errors[0.8].mean() < 0.15 * errors[0.0].mean()
    # Hidden pixels cannot be had from the frame before.
    hidden = [
        abs(warped(video, t, n, flow[t, n]) - video.frames[t + 1, n])[:, ~visible[t, n]].ravel()
        for t, n in np.ndindex(3, 12)
    ]
    assert 0.005 < 1 - visible.mean() < 0.3 and np.concatenate(hidden).mean() > 20 * errors[1.0].mean()


def test_what_moves_and_how_fast():
    video = moving(speed=3.0, most_layers=0, n_frames=9).batch(range(60))
    still = (video.flow == 0).all(axis=(0, 2, 3, 4))
    assert 18 <= still.sum() <= 42 and not video.hidden[:, still].any()
    assert (video.frames[0][still] == video.frames[-1][still]).all()
    centre = np.hypot(*np.moveaxis(video.flow[4], 1, 0))[~still, 20, 24]
    # Turn and zoom add at most 0.034 of the distance from the centre of motion, which is under 63 pixels.
    assert centre.max() < 3 * (1 + 1 / 16) + 0.04 * 63 and centre.max() > 1.5
    # Rates change over time, all of them smoothly.
    steps = np.diff(video.flow[:, ~still], axis=0)
    assert 0 < abs(steps).max() < 1.0


def test_layers_have_motions_of_their_own():
    video = moving(still=1.0, n_frames=2).batch(range(40))
    moves = (video.flow[0] != 0).any(axis=1).mean(axis=(1, 2))
    assert (moves == 0).sum() >= 5 and ((moves > 0.02) & (moves < 0.9)).sum() >= 15
    assert not (moving(still=1.0, most_layers=0).batch(range(8)).flow).any()


def test_a_turn_and_a_zoom_are_there():
    video = moving(speed=0.0, still=0.0, most_layers=0, n_frames=2).batch(range(20))
    du_dx, dv_dy = np.diff(video.flow[0, :, 0], axis=2).mean((1, 2)), np.diff(video.flow[0, :, 1], axis=1)
    du_dy, dv_dx = np.diff(video.flow[0, :, 0], axis=1).mean((1, 2)), np.diff(video.flow[0, :, 1], axis=2)
    np.testing.assert_allclose(du_dx, dv_dy.mean((1, 2)), atol=1e-4)  # zoom
    np.testing.assert_allclose(du_dy, -dv_dx.mean((1, 2)), atol=1e-4)  # turn
    assert 0.003 < du_dx.std() < 0.02 and 0.008 < du_dy.std() < 0.03


def test_sequences_follow_from_seed_and_number():
    video = moving(seed=1).batch([5, 2])
    again = moving(seed=1).batch([2, 7, 5])
    for name in ("frames", "flow", "hidden", "flow_at_target", "hidden_at_target"):
        np.testing.assert_array_equal(getattr(video, name), getattr(again, name)[:, [2, 0]])
    for other in ({"seed": 2}, {"seed": 1, "split": "test"}):
        assert abs(moving(**other).batch([5]).frames - video.frames[:, :1]).max() > 0.1


def test_a_picture_is_its_own_texture():
    picture = np.random.default_rng(0).random((2, 7, 10)).astype(np.float32)
    texture = picture_texture(picture)
    y, x = np.mgrid[:7, :10].astype(float)
    read = texture(x - 4.5, y - 3)
    np.testing.assert_allclose(np.moveaxis(read, -1, 0), picture, atol=1e-6)
    np.testing.assert_allclose(texture(-x - 4.5, y - 3), read, atol=1e-6)  # mirrored at the left border
    grey = np.full((1, 5, 5), 0.25)
    np.testing.assert_allclose(picture_texture(grey)(x + 0.3, y - 20), 0.25)


def test_frames_of_pictures():
    pictures = np.random.default_rng(0).random((3, 1, 30, 40)).repeat(2, -1).repeat(2, -2)
    video = MovingTextures(lambda random: picture_texture(pictures[random.integers(3)]), (24, 32), 3).batch(
        range(4)
    )
    assert video.frames.shape == (3, 4, 1, 24, 32) and video.frames.std() > 0.1


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": (4, 48)}, "at least 8 x 8 pixels and 2 frames are needed, got 4 x 48 and 4"),
        ({"n_frames": 1}, "got 40 x 48 and 1"),
        ({"speed": -1.0}, "speed and most_layers must be at least 0, got -1.0 and 2"),
        ({"still": 1.5}, "still must be a share from 0 to 1, got 1.5"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        moving(**options)


def test_bad_picture():
    with pytest.raises(ValueError, match=r"a picture must be \(C, H, W\) .*, got shape \(4, 5\)"):
        picture_texture(np.zeros((4, 5)))
