"""Moving shapes: frames that the flow warps into each other, occlusion, labels, noise, reproducibility."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, map_coordinates

from nnlite.data.label_colours import colours_from_labels
from nnlite.data.moving_shapes import CLASSES, PALETTE, MovingShapes

CLEAN = {"noise": 0, "lost": 0}


def positions(motion, sign=1):
    """Return where (y, x) the pixels of an image are carried to by a motion (2, H, W)."""
    y, x = np.mgrid[: motion.shape[1], : motion.shape[2]]
    return np.array([y + sign * motion[1], x + sign * motion[0]])


def away_from_edges(video, t, n, margin):
    """Return the mask of the pixels of frame t that are not within `margin` of an outline.

    Outlines of shapes of one class that overlap show in no label map, but in the flow, which jumps there.
    """
    flow = video.flow[min(t, len(video.flow) - 1), n]
    edges = np.zeros(flow.shape[1:], bool)
    for array, step in ((video.true_labels[t, n][None], 0.5), (flow, 0.15)):
        for axis in (1, 2):
            jump = (abs(np.diff(array, axis=axis)) > step).any(axis=0)
            before = np.zeros_like(edges)
            before[tuple(slice(0, size) for size in jump.shape)] = jump
            edges |= before | np.roll(before, 1, axis - 1)
    return ~binary_dilation(edges, iterations=margin)


def warp_error(video, t, n, at_target=False):
    """Return |warped - true| and |unmoved - true| at pixels that both frames show, off outlines.

    The flow warps frame t + 1 to frame t or, with `at_target`, frame t to frame t + 1.
    """
    shown, other = (t + 1, t) if at_target else (t, t + 1)
    motion, visible = video.true_flow("target" if at_target else "source")
    at = positions(motion[t, n], -1 if at_target else 1)
    good = visible[t, n] & away_from_edges(video, shown, n, 2)
    good &= map_coordinates(away_from_edges(video, other, n, 3).astype(float), at, order=1) == 1
    warped = np.stack([map_coordinates(channel, at, order=3) for channel in video.frames[other, n]])
    true, unmoved = video.frames[shown, n], video.frames[other, n]
    return abs(warped - true)[:, good], abs(unmoved - true)[:, good]


def test_shapes_and_types():
    video = MovingShapes(size=(48, 64), n_frames=4).batch([0, 1, 2])
    assert video.frames.shape == (4, 3, 3, 48, 64) and video.frames.dtype == np.float32
    assert video.visible_labels.shape == video.true_labels.shape == (4, 3, 48, 64)
    assert video.visible_labels.dtype == video.true_labels.dtype == np.int64
    assert (
        video.flow.shape == video.flow_at_target.shape == (3, 3, 2, 48, 64) and video.flow.dtype == np.float32
    )
    assert video.hidden.shape == video.hidden_at_target.shape == (3, 3, 48, 64)
    assert video.frames.min() >= 0 and video.frames.max() <= 1


@pytest.mark.parametrize("at_target", [False, True])
def test_flow_warps_one_frame_into_the_other(at_target):
    video = MovingShapes(n_frames=3, **CLEAN).batch(range(8))
    warped, unmoved = zip(*(warp_error(video, t, n, at_target) for t in range(2) for n in range(8)))
    warped, unmoved = np.concatenate(warped, axis=1), np.concatenate(unmoved, axis=1)
    assert warped.shape[1] > 0.3 * 16 * 64 * 64
    assert np.quantile(warped, 0.99) < 0.02 and warped.mean() < 0.03 * unmoved.mean()
    # A motion that is a fifth too short, or reversed, is distinguished from the true one.
    for factor in (0.8, -1.0):
        wrong = MovingShapes(n_frames=3, **CLEAN).batch(range(8))
        wrong.flow[:], wrong.flow_at_target[:] = factor * wrong.flow, factor * wrong.flow_at_target
        errors = np.concatenate([warp_error(wrong, 0, n, at_target)[0] for n in range(8)], axis=1)
        assert errors.mean() > 5 * warped.mean()


def test_hidden_pixels_are_those_that_the_next_frame_does_not_show():
    """At visible pixels the label moves along; hidden ones are outside, or something else is there."""
    video = MovingShapes(n_frames=4, n_shapes=5, **CLEAN).batch(range(12))
    agree = {True: [], False: []}
    for t, n in np.ndindex(3, 12):
        at = positions(video.flow[t, n])
        y, x = at
        inside = (y >= 0) & (y <= 63) & (x >= 0) & (x <= 63)
        assert video.hidden[t, n][~inside].all()
        moved = map_coordinates(video.true_labels[t + 1, n], at, order=0)
        far = map_coordinates(away_from_edges(video, t + 1, n, 1).astype(float), at, order=1) == 1
        for hidden in (True, False):
            selected = (video.hidden[t, n] == hidden) & inside & far
            agree[hidden].append((moved == video.true_labels[t, n])[selected])
    assert np.concatenate(agree[False]).all()
    hidden = np.concatenate(agree[True])
    # A shape may be covered by another of its class.
    assert hidden.size > 300 and hidden.mean() < 0.3
    assert 0.01 < video.hidden.mean() < 0.25


def test_motion_there_and_back():
    """Where content is visible, the motion with which it arrives is the one with which it left."""
    video = MovingShapes(n_frames=3, **CLEAN).batch(range(6))
    for t, n in np.ndindex(2, 6):
        at = positions(video.flow[t, n])
        inner = map_coordinates(away_from_edges(video, t + 1, n, 2).astype(float), at, order=1) == 1
        good = ~video.hidden[t, n] & inner
        arrived = np.stack([map_coordinates(part, at, order=1) for part in video.flow_at_target[t, n]])
        np.testing.assert_allclose(arrived[:, good], video.flow[t, n][:, good], atol=1e-4)


def test_speed():
    """A shape's centre moves at the given speed; turning adds at most 0.06 times the distance from it."""
    video = MovingShapes(n_shapes=1, speed=(2.0, 2.0), n_frames=3, **CLEAN).batch(range(60))
    speed = np.hypot(*np.moveaxis(video.flow, 2, 0))
    for n in range(60):
        shape = video.true_labels[0, n] > 0
        border = shape.copy()
        border[1:-1, 1:-1] = False
        if shape.any() and not border.any():  # whole, so that its mean motion is nearly its centre's
            mean = video.flow[0, n][:, shape].mean(axis=1)
            assert abs(np.hypot(*mean) - 2.0) < 0.05
    shapes, background = speed[video.true_labels[:-1] > 0], speed[video.true_labels[:-1] == 0]
    assert shapes.min() > 2.0 - 0.06 * 16 and shapes.max() < 2.0 + 0.06 * 17
    assert 0.4 < background.mean() and background.max() < 1.0 + 0.01 * 64 * 1.5


def test_depth_order():
    """One shape more is painted over the others and changes nothing else."""
    data = MovingShapes(n_shapes=6, n_frames=2, **CLEAN)
    crowded = data.batch(range(20)).true_labels
    assert (np.bincount(crowded.ravel(), minlength=6) > 0.02 * crowded.size).all()
    alone = MovingShapes(n_shapes=5, n_frames=2, **CLEAN).batch(range(20))
    # The draws of the first five are the same, so the sixth only covers.
    changed = crowded != alone.true_labels
    sixth = MovingShapes(n_shapes=6, n_frames=2, **CLEAN).batch(range(20)).true_labels[changed]
    assert changed.any() and (sixth > 0).all()


def test_labels_that_training_may_see():
    video = MovingShapes(n_frames=4, visible=(1, -1)).batch([0, 5])
    np.testing.assert_array_equal(video.visible_labels[[1, 3]], video.true_labels[[1, 3]])
    assert (video.visible_labels[[0, 2]] == -1).all() and (video.true_labels >= 0).all()
    np.testing.assert_array_equal(video.withheld_labels[[0, 2]], video.true_labels[[0, 2]])
    assert (video.withheld_labels[[1, 3]] == -1).all()
    every = MovingShapes(n_frames=4, visible=None).batch([0, 5])
    np.testing.assert_array_equal(every.visible_labels, every.true_labels)


def test_degradation_changes_the_frames_alone():
    clean, degraded = (MovingShapes(noise=s, lost=p).batch(range(6)) for s, p in ((0, 0), (0.05, 0.2)))
    for name in ("true_labels", "flow", "hidden", "flow_at_target", "hidden_at_target"):
        np.testing.assert_array_equal(getattr(clean, name), getattr(degraded, name))
    noisy = MovingShapes(noise=0.05, lost=0).batch(range(6)).frames
    inner = (clean.frames > 0.2) & (clean.frames < 0.8)  # where it cannot be cut off at 0 and 1
    difference = (noisy - clean.frames)[inner]
    assert abs(difference.std() - 0.05) < 0.001 and abs(difference.mean()) < 0.001


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_lost_share(share):
    lost = MovingShapes(noise=0, lost=share).batch(range(60)).frames
    grey = (lost == 0.5).all(axis=2)
    assert abs(grey.mean() - share) < 0.04
    # Not the same place twice: of what is lost in one frame the next has about 1 - share.
    assert abs(grey[1:][grey[:-1]].mean() - share) < 0.08


def test_colours_say_nothing_about_the_class():
    """The mean colour of a class over sequences is that of every other: within sequences they differ."""
    video = MovingShapes(n_frames=2, n_shapes=6, **CLEAN).batch(range(150))
    frames, labels = np.moveaxis(video.frames[0], 1, -1), video.true_labels[0]
    means = np.array([frames[labels == k].mean(axis=0) for k in range(6)])
    deviations = np.array([frames[labels == k].std(axis=0) for k in range(6)])
    assert abs(means - means.mean(axis=0)).max() < 0.07 and deviations.min() > 0.15


def test_a_sequence_depends_on_seed_split_and_number_alone():
    data = MovingShapes(seed=5)
    many, one = data.batch([7, 2, 9]), data.batch([2])
    for name in ("frames", "true_labels", "flow"):
        np.testing.assert_array_equal(getattr(many, name)[:, 1], getattr(one, name)[:, 0])
    for other in (MovingShapes(seed=6), MovingShapes(seed=5, split="test")):
        assert (other.batch([2]).true_labels != one.true_labels).any()
    # Recorded: the same on any machine.
    np.testing.assert_array_equal(
        np.bincount(one.true_labels[0].ravel(), minlength=6), [2562, 326, 146, 0, 0, 1062]
    )
    np.testing.assert_allclose(one.flow[0, 0, :, 10, 10], [-0.90316266, 0.5227951], rtol=1e-5)


def test_palette():
    assert len(PALETTE) == len(CLASSES) == 6 and len(np.unique(PALETTE, axis=0)) == 6
    video = MovingShapes(n_frames=2).batch([0])
    picture = colours_from_labels(video.visible_labels[:, 0], PALETTE)
    assert picture.shape == (2, 64, 64, 3) and not picture[0].any()
    np.testing.assert_array_equal(picture[1], PALETTE[video.true_labels[1, 0]])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": (8, 64)}, "at least 16 x 16, got 8 x 64"),
        ({"n_shapes": -1}, "at least 0 shapes and 2 frames are needed, got -1"),
        ({"n_frames": 1}, "got 4 and 1"),
        ({"speed": (3.0, 1.0)}, "speed must be"),
        ({"speed": (0.0, float("inf"))}, "speed must be"),
        ({"noise": float("nan")}, "noise must be"),
        ({"lost": 1.0}, "lost from 0 to 0.9"),
        ({"noise": -0.1}, "noise must be at least 0"),
        ({"split": "valid"}, "split must be one of"),
        ({"visible": (6,)}, r"visible must be indices of the 6 frames, got \(6,\)"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        MovingShapes(**options)


def test_bad_anchor():
    with pytest.raises(ValueError, match="'source' or 'target', got 'middle'"):
        MovingShapes(n_frames=2).batch([0]).true_flow("middle")
