"""The Middlebury colour code: recorded colours, scale, unknown flow, the legend."""

import zlib

import numpy as np
import pytest

from data.flow import known_flow
from data.flow_colour import colour_wheel, flow_colours, wheel_colours


def random_flow(height=5, width=7, seed=0):
    return np.random.default_rng(seed).normal(0, 20, (height, width, 2)).astype(np.float32)


COLOURS = {  # (u, v) of length 2 at full colour: recorded from the public C implementation
    (0, 0): (255, 255, 255),
    (1, 0): (255, 127, 127),
    (0, 1): (255, 242, 127),
    (-1, 0): (127, 232, 255),
    (0, -1): (171, 127, 255),
    (2, 0): (255, 0, 0),
    (0, 2): (255, 229, 0),
    (-2, 0): (0, 209, 255),
    (0, -2): (87, 0, 255),
    (1.5, -1.2): (239, 10, 255),
    (-0.3, 0.1): (214, 255, 247),
    (-1.1, 1.7): (81, 191, 0),
    (0.9, 1.1): (255, 165, 73),
    (3, -4): (147, 0, 191),
    (-2.5, 1e-3): (0, 156, 191),
}


def test_recorded_colours():
    flow = np.array([list(COLOURS)], np.float32)
    np.testing.assert_array_equal(flow_colours(flow, 2.0)[0], list(COLOURS.values()))


@pytest.mark.parametrize("longest, checksum", [(1.0, 0x63C1E576), (2.5, 0xEB3DD3F2), (4.7, 0x3C97ACC1)])
def test_every_byte_of_a_recorded_picture(longest, checksum):
    axis = np.arange(-100, 101, dtype=np.float32) * np.float32(0.037)
    flow = np.stack(np.broadcast_arrays(axis, axis[:, None]), axis=-1)
    assert zlib.crc32(flow_colours(flow, longest).tobytes()) == checksum


def test_wheel_colours():
    colours = wheel_colours()
    assert colours.shape == (55, 3)
    corners = [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]]
    np.testing.assert_array_equal(colours[[0, 15, 21, 25, 36, 49]], 255 * np.array(corners))
    np.testing.assert_array_equal(colours[[1, 16, 54]], [[255, 17, 0], [213, 255, 0], [255, 0, 43]])


def test_automatic_scale_is_the_longest_known_flow():
    flow = random_flow()
    flow[0, 0], flow[0, 1] = 1e10, (np.nan, 1)
    longest = np.hypot(*flow[known_flow(flow)].T).max()
    picture = flow_colours(flow)
    np.testing.assert_array_equal(picture, flow_colours(flow, longest))
    np.testing.assert_array_equal(picture[0, :2], 0)
    assert picture.dtype == np.uint8 and picture[1:].any(axis=-1).all()


def test_colours_of_nothing():
    np.testing.assert_array_equal(flow_colours(np.zeros((2, 3, 2))), np.full((2, 3, 3), 255))
    np.testing.assert_array_equal(flow_colours(np.full((2, 3, 2), 1e10)), np.zeros((2, 3, 3)))
    assert flow_colours(np.zeros((0, 3, 2))).shape == (0, 3, 3)


def test_bad_colours():
    with pytest.raises(ValueError, match=r"flow must have shape \(\.\.\., H, W, 2\), got \(2, 4, 5\)"):
        flow_colours(np.zeros((2, 4, 5)))
    with pytest.raises(ValueError, match="longest must be above 0, got 0"):
        flow_colours(np.zeros((4, 5, 2)), 0)


def test_colour_wheel():
    wheel = colour_wheel(41)
    assert wheel.shape == (41, 41, 3)
    np.testing.assert_array_equal(wheel[[0, 0, -1, -1, 20], [0, -1, 0, -1, 20]], 255)
    for (y, x), (v, u) in {(20, 40): (0, 2), (40, 20): (2, 0), (20, 0): (0, -2), (0, 20): (-2, 0)}.items():
        assert np.abs(wheel[y, x] - np.array(COLOURS[u, v])).max() <= 0.03 * 255
