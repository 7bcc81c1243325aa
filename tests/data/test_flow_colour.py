"""The Middlebury colour code: recorded colours, scale, unknown flow, the legend."""

import zlib

import numpy as np
import pytest

from nnlite.data.flow import known_flow
from nnlite.data.flow_colour import colour_wheel, flow_colours, wheel_colours


def random_flow(height=5, width=7, seed=0):
    return np.random.default_rng(seed).normal(0, 20, (height, width, 2)).astype(np.float32)


#: (u, v) of length 2 at full colour. These and the checksums below were recorded from the public C
#: implementation, `computeColor` in colorcode.cpp of D. Scharstein's flow-code, compiled as C by gcc 12.
COLOURS = {
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


#: Flow of these lengths in 40 directions, and its colours: recorded from flow_vis 0.1 (PyPI), function
#: `flow_uv_to_colors`, NumPy 2.4, in float32; in float64 it gives the same.
LENGTHS = (0.05, 0.25, 0.5, 0.8, 0.99, 1.5)
FLOW_VIS = bytes.fromhex(
    "fff2f2fff3f2fff4f2fff5f2fff6f2fff8f2fff9f2fffaf2fffbf2fffcf2fffdf2fffef2fcfff2f9fff2f6fff2f3fff2"
    "f2fff4f2fff8f2fffdf2fefff2fcfff2fbfff2f9fff2f7fff2f6fff2f4fff2f3fff2f2fff4f2fff5f2fff6f2fff8f2ff"
    "f9f2fffaf2fffbf2fffdf2fffef2fffff2fdfff2f9fff2f7ffbfbfffc4bfffcabfffd0bfffd6bfffdbbfffe1bfffe7bf"
    "ffedbffff2bffff8bffffebff2ffbfe4ffbfd5ffbfc7ffbfbfffc8bfffdebffff3bffbffbff3ffbfebffbfe4ffbfdcff"
    "bfd4ffbfccffbfc4ffc1bfffc8bfffcebfffd5bfffdbbfffe2bfffe8bfffefbffff6bffffcbfffffbff4ffbfe6ffbfd8"
    "ff7f7fff8a7fff967fffa17fffad7fffb87fffc47fffcf7fffdb7fffe67ffff27ffffd7fe5ff7fc8ff7facff7f8fff7f"
    "7fff927fffbd7fffe87ff7ff7fe8ff7fd8ff7fc8ff7fb8ff7fa9ff7f99ff7f8aff837fff907fff9e7fffab7fffb87fff"
    "c57fffd27fffe07fffed7ffffb7fffff7feaff7fceff7fb1ff3232ff4533ff5732ff6a32ff7c33ff8e32ffa133ffb332"
    "ffc532ffd833ffea32fffc33d6ff32a8ff327aff334cff3233ff5132ff9632ffdb33f3ff32daff33c1ff32a8ff328eff"
    "3376ff325dff3344ff3932ff4f32ff6333ff7932ff8e33ffa332ffb832ffce33ffe232fff833ffff32deff32b0ff3383"
    "ff0202ff1902ff2f02ff4602ff5d02ff7402ff8a02ffa102ffb802ffcf02ffe502fffc02ccff0294ff025aff0222ff02"
    "02ff2702ff7d02ffd202f0ff02d1ff02b2ff0293ff0274ff0255ff0236ff0217ff0b02ff2502ff3e02ff5902ff7302ff"
    "8d02ffa702ffc202ffdc02fff702ffff02d7ff029eff0265bf0000bf1100bf2200bf3300bf4400bf5600bf6700bf7800"
    "bf8900bf9a00bfac00bfbd0099bf006ebf0042bf0018bf0000bf1c00bf5c00bf9d00b4bf009cbf0085bf006ebf0056bf"
    "003ebf0027bf0010bf0600bf1a00bf2d00bf4100bf5500bf6900bf7d00bf9100bfa400bfb900bfbf00a1bf0076bf004b"
)


def around(lengths):
    """Return flow of each length in 40 directions, (lengths, 40, 2), rounded so that machines agree on it."""
    angle = np.deg2rad(np.arange(0, 360, 9))
    directions = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return np.round(np.multiply.outer(np.array(lengths), directions), 3).astype(np.float32)


def test_colours_of_flow_vis():
    """It computes in float64 what the C program computes in float32: now and then that is one level apart."""
    recorded = np.frombuffer(FLOW_VIS, np.uint8).reshape(len(LENGTHS), 40, 3)
    apart = np.abs(flow_colours(around(LENGTHS), 1.0).astype(int) - recorded)
    assert apart.max() == 1 and (apart > 0).sum() == 2


def test_every_colour_of_flow_vis():
    flow_vis = pytest.importorskip(
        "flow_vis", reason="flow_vis is not installed; recorded values are compared"
    )
    flow = np.random.default_rng(0).normal(0, 0.6, (700, 700, 2)).astype(np.float32)
    apart = np.abs(
        flow_colours(flow, 1.0).astype(int) - flow_vis.flow_uv_to_colors(flow[..., 0], flow[..., 1])
    )
    assert apart.max() <= 1 and (apart > 0).mean() < 1e-4


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
