"""Lucas-Kanade flow on motions that are known, and extrapolation with it."""

import numpy as np
import pytest

from nnlite.data.moving_shapes import MovingShapes
from nnlite.train.real_video.baselines import extrapolate_all, motion_between
from nnlite.train.report.lucas_kanade import carry_on, optical_flow, warp

HEIGHT, WIDTH = 60, 80


def texture(move=(0.0, 0.0)):
    """Return a picture (H, W) in [0, 1] whose content lies by `move` = (u, v) to the right and down."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    x, y = x - move[0], y - move[1]
    waves = np.sin(x / 3.1 + y / 7) + np.sin(x / 9 - y / 4.2) + np.sin(x / 17 + 2) + np.sin(y / 13 + 1)
    return 0.5 + waves / 8


def off_border(flow, border=8):
    return flow[border:-border, border:-border]


@pytest.mark.parametrize("move", [(0.0, 0.0), (0.4, -0.3), (2.5, 1.5), (-6.0, 3.0), (9.0, -7.0)])
def test_shifts(move):
    flow = optical_flow(texture(), texture(move))
    assert flow.shape == (HEIGHT, WIDTH, 2) and flow.dtype == np.float32
    assert np.abs(off_border(flow, 12) - move).mean() < 0.05


def test_a_turn():
    # The content of a pixel at offset r from the centre moves by R r - r.
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    cx, cy, angle = (WIDTH - 1) / 2, (HEIGHT - 1) / 2, 0.05
    u = np.cos(angle) * (x - cx) - np.sin(angle) * (y - cy) + cx - x
    v = np.sin(angle) * (x - cx) + np.cos(angle) * (y - cy) + cy - y
    # What is at x in the second picture was at the place that the turn back leads to.
    back = np.stack(
        [
            np.cos(angle) * (x - cx) + np.sin(angle) * (y - cy) + cx - x,
            -np.sin(angle) * (x - cx) + np.cos(angle) * (y - cy) + cy - y,
        ],
        axis=-1,
    )
    flow = optical_flow(texture(), warp(texture(), back))
    assert np.abs(off_border(flow - np.stack([u, v], axis=-1))).mean() < 0.1


def test_nothing_to_see_is_no_motion():
    grey = np.full((HEIGHT, WIDTH), 0.5, np.float32)
    assert (optical_flow(grey, grey) == 0).all()
    assert np.isfinite(optical_flow(grey, np.zeros_like(grey))).all()


def test_small_and_odd_sizes():
    assert optical_flow(texture()[:9, :11], texture()[:9, :11]).shape == (9, 11, 2)
    assert optical_flow(texture()[:51, :77], texture((1, 0))[:51, :77]).shape == (51, 77, 2)


def test_warp_reads_where_the_flow_points():
    flow = np.zeros((HEIGHT, WIDTH, 2), np.float32)
    flow[..., 0] = 2
    picture = texture().astype(np.float32)[None]
    read = warp(picture, flow)
    np.testing.assert_allclose(read[:, :, :-2], picture[:, :, 2:], rtol=1e-6)
    np.testing.assert_allclose(read[:, :, -2:], picture[:, :, -1:].repeat(2, axis=2), rtol=1e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_extrapolation_continues_the_motion(channels):
    before, last, following = (
        np.repeat(texture((k * 2.0, k * -1.5))[None], channels, axis=0).astype(np.float32) for k in range(3)
    )
    predicted = extrapolate_all(
        np.stack([before, last])[:, None], motion_between(np.stack([before, last])[:, None])
    )
    np.testing.assert_array_equal(predicted[0, 0], before)
    predicted = predicted[1, 0]
    wrong, copied = (np.abs(frame - following)[:, 8:-8, 8:-8].mean() for frame in (predicted, last))
    assert wrong < 0.1 * copied


def test_the_motion_is_carried_on_for_several_steps():
    before, last, *following = (texture((k * 2.0, k * -1.5))[None].astype(np.float32) for k in range(6))
    carried = carry_on(last, optical_flow(last[0], before[0]), 4)
    for predicted, frame in zip(carried, following, strict=True):
        wrong, copied = (np.abs(found - frame)[:, 12:-12, 12:-12].mean() for found in (predicted, last))
        assert wrong < 0.15 * copied


def test_the_flow_is_moved_along_by_itself():
    """On a ramp and a flow that grows evenly, where reading between pixels is exact."""
    x = np.arange(30, dtype=np.float32)
    ramp, flow = np.tile(x, (1, 4, 1)), np.zeros((4, 30, 2), np.float32)
    flow[..., 0] = -0.1 * x
    first, second = carry_on(ramp, flow, 2)
    np.testing.assert_allclose(first[0, 2], 0.9 * x, rtol=1e-5)
    # f'(x) = f(x + f(x)) = -0.09 x, and from there f once more: 0.91 x - 0.091 x.
    np.testing.assert_allclose(second[0, 2], 0.819 * x, rtol=1e-5)


def test_moving_shapes_have_the_flow_that_they_were_drawn_with():
    video = MovingShapes((64, 64), n_shapes=2, speed=(1.0, 2.0), n_frames=2, noise=0, lost=0).batch(range(4))
    errors, lengths = [], []
    for n in range(4):
        first, second = video.frames[:, n].mean(axis=1)
        truth = np.moveaxis(video.flow[0, n], 0, -1)
        seen = ~video.hidden[0, n]
        errors.append(np.hypot(*np.moveaxis(optical_flow(first, second) - truth, -1, 0))[seen].mean())
        lengths.append(np.hypot(*np.moveaxis(truth, -1, 0))[seen].mean())
    assert np.mean(errors) < 0.4 * np.mean(lengths)
