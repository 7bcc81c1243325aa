"""Moving digits: motion, bounces, overlay, true flow, and reproducibility."""

import numpy as np
import pytest

from nnlite.data.drawn_digits import draw_digits
from nnlite.data.moving_mnist import MovingMNIST, load_digits

DIGITS = draw_digits(50)[0]


def srivastava(position, angle, length, size, speed):
    """The published generator for one digit, step by step: move, bounce, record. Returns corners (y, x)."""
    corners, (y, x) = [], position
    vy, vx = np.sin(angle) * speed / (size - 28), np.cos(angle) * speed / (size - 28)
    for _ in range(length):
        y, x = y + vy, x + vx
        if x <= 0:
            x, vx = 0.0, -vx
        if x >= 1:
            x, vx = 1.0, -vx
        if y <= 0:
            y, vy = 0.0, -vy
        if y >= 1:
            y, vy = 1.0, -vy
        corners.append((int((size - 28) * y), int((size - 28) * x)))
    return np.array(corners)


def test_moves_as_published():
    data = MovingMNIST(DIGITS, n_frames=40)
    sequences = data.batch([3, 11])
    for n, index in enumerate((3, 11)):
        y, x, turn, _, _ = data._draw(index)
        for d in range(2):
            expected = srivastava((y[d], x[d]), 2 * np.pi * turn[d], 40, 64, 3.6)
            np.testing.assert_array_equal(sequences.corners[:, n, d], expected)


def test_frames_are_the_digits_at_their_corners():
    sequences = MovingMNIST(DIGITS, size=(40, 40), n_frames=6).batch(range(4))
    assert sequences.frames.shape == (6, 4, 1, 40, 40) and sequences.frames.dtype == np.float32
    expected = np.zeros((6, 4, 1, 40, 40))
    for t in range(6):
        for n in range(4):
            for d in range(2):
                y, x = sequences.corners[t, n, d]
                region = expected[t, n, 0, y : y + 28, x : x + 28]
                np.maximum(region, sequences.digits[n, d], out=region)
    np.testing.assert_array_equal(sequences.frames, expected)


def test_a_canvas_need_not_be_square():
    """On either axis a digit moves as on a square of that side."""
    wide, small, large = (
        MovingMNIST(DIGITS, size=size).batch(range(3)) for size in ((40, 64), (40, 40), (64, 64))
    )
    assert wide.frames.shape == (11, 3, 1, 40, 64)
    np.testing.assert_array_equal(wide.corners[..., 0], small.corners[..., 0])
    np.testing.assert_array_equal(wide.corners[..., 1], large.corners[..., 1])


def test_digits_are_binarised_at_one_half():
    images = np.zeros((1, 28, 28), np.uint8)
    images[0, 10, 10], images[0, 10, 11] = 127, 128
    frames = MovingMNIST(images, n_digits=1).batch([0]).frames
    assert (frames.sum(axis=(2, 3, 4)) == 1).all()


def test_grey_digits_are_overlaid_by_maximum():
    """The same motion, and the same sequences where they are binarised."""
    options = {"size": (36, 40), "n_digits": 2, "n_frames": 6}
    grey, binary = MovingMNIST(DIGITS, **options, grey=True), MovingMNIST(DIGITS, **options)
    found, plain = grey.batch(range(8)), binary.batch(range(8))
    np.testing.assert_array_equal(found.corners, plain.corners)
    np.testing.assert_array_equal(found.digits, plain.digits)
    np.testing.assert_array_equal(found.frames * 255 > 127.5, plain.frames > 0)
    for mine, theirs in zip(found.true_flow(), plain.true_flow(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    pool = {(digit > 127).tobytes(): digit for digit in DIGITS}
    expected = np.zeros((6, 8, 36, 40), np.uint8)
    for n in range(8):
        for d in range(2):
            digit = pool[found.digits[n, d].tobytes()]
            for t in range(6):
                y, x = found.corners[t, n, d]
                window = expected[t, n, y : y + 28, x : x + 28]
                window[...] = np.maximum(window, digit)
    assert found.frames.dtype == np.float32
    np.testing.assert_array_equal(np.rint(255 * found.frames[:, :, 0]), expected)
    assert len(np.unique(expected)) > 50


def test_a_sequence_depends_on_seed_split_and_number_alone():
    data = MovingMNIST(DIGITS, seed=5)
    many, one = data.batch([7, 2, 9]), data.batch([2])
    np.testing.assert_array_equal(many.frames[:, 1], one.frames[:, 0])
    np.testing.assert_array_equal(many.corners[:, 1], one.corners[:, 0])
    for other in (MovingMNIST(DIGITS, seed=6), MovingMNIST(DIGITS, seed=5, split="test")):
        assert (other.batch([2]).corners != one.corners).any()
    # Recorded: the same on any machine.
    np.testing.assert_array_equal(
        one.corners[::5, 0], [[[18, 10], [12, 4]], [[29, 24], [11, 22]], [[31, 36], [10, 32]]]
    )


@pytest.mark.parametrize("speed, low, high", [(3.6, 3.6, 3.6), (0.0, 0.0, 0.0), ((1.0, 4.0), 1.0, 4.0)])
def test_speed(speed, low, high):
    corners = MovingMNIST(DIGITS, size=(128, 128), speed=speed).batch(range(200)).corners
    length = np.linalg.norm(corners[-1] - corners[0], axis=-1) / 10
    free = length[~((corners == 0) | (corners >= 99)).any(axis=(0, 3))]  # never at the border
    assert len(free) > 50
    assert low - 0.15 <= free.min() and free.max() <= high + 0.15
    if low < high:
        assert free.min() < low + 0.4 and free.max() > high - 0.4


def test_directions_and_starts_are_uniform():
    corners = MovingMNIST(DIGITS, size=(128, 128), n_digits=1, n_frames=4, speed=5).batch(range(2000)).corners
    motion = (corners[3] - corners[0])[:, 0]
    sectors = np.floor(np.arctan2(*motion.T) / (np.pi / 4)).astype(int) % 8
    assert abs(np.bincount(sectors, minlength=8) - 250).max() < 75
    assert abs(np.histogram(corners[0, :, 0, 1], 4, (0, 100))[0] - 500).max() < 100


def test_true_flow_warps_each_frame_into_the_next():
    """Content that leaves pixel p with flow (u, v) is at p + (v, u) in the next frame, and nowhere else."""
    sequences = MovingMNIST(DIGITS, size=(48, 48), n_digits=1, n_frames=8).batch(range(5))
    flow, known = sequences.true_flow()
    assert flow.shape == (7, 5, 2, 48, 48) and flow.dtype == np.float32
    assert known.shape == (7, 5, 48, 48) and known.dtype == bool
    np.testing.assert_array_equal(known, sequences.frames[:-1, :, 0] == 1)
    moved = np.zeros((7, 5, 48, 48), np.float32)
    t, n, y, x = np.nonzero(known)
    u, v = flow[t, n, :, y, x].astype(int).T
    moved[t, n, y + v, x + u] = 1
    np.testing.assert_array_equal(moved, sequences.frames[1:, :, 0])
    assert np.abs(flow).max() > 2
    assert not flow.transpose(0, 1, 3, 4, 2)[~known].any()


def test_true_flow_at_the_target():
    """Content that is at pixel p in the next frame came from p - (v, u)."""
    sequences = MovingMNIST(DIGITS, size=(48, 48), n_digits=1, n_frames=8).batch(range(5))
    flow, known = sequences.true_flow(at="target")
    np.testing.assert_array_equal(known, sequences.frames[1:, :, 0] == 1)
    came = np.zeros((7, 5, 48, 48), np.float32)
    t, n, y, x = np.nonzero(known)
    u, v = flow[t, n, :, y, x].astype(int).T
    came[t, n, y - v, x - u] = 1
    np.testing.assert_array_equal(came, sequences.frames[:-1, :, 0])


def test_true_flow_leaves_overlaps_out():
    sequences = MovingMNIST(DIGITS, size=(36, 36), n_frames=3).batch(range(20))
    flow, known = sequences.true_flow()
    lit = np.zeros(known.shape, int)
    for d in range(2):
        for t, n in np.ndindex(2, 20):
            y, x = sequences.corners[t, n, d]
            lit[t, n, y : y + 28, x : x + 28] += sequences.digits[n, d]
    assert (lit == 2).any()
    np.testing.assert_array_equal(known, lit == 1)
    # Where the motion is known it is that of one of the two digits.
    motion = np.diff(sequences.corners, axis=0)[..., ::-1]
    t, n, y, x = np.nonzero(known)
    assert (flow[t, n, :, y, x][:, None] == motion[t, n]).all(axis=2).any(axis=1).all()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": (28, 64)}, "size must be above 28 x 28, .* got 28 x 64"),
        ({"n_digits": 0}, "at least 1 digit and 2 frames are needed, got 0"),
        ({"n_frames": 1}, "got 2 and 1"),
        (
            {"speed": (3.0, 1.0)},
            r"speed must be 0 <= min <= max < infinity pixels a frame, got 3\.0 and 1\.0",
        ),
        ({"speed": -1.0}, "speed must be"),
        ({"speed": float("inf")}, "speed must be .* got inf and inf"),
        ({"split": "valid"}, "split must be one of"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        MovingMNIST(DIGITS, **options)


def test_bad_anchor():
    with pytest.raises(ValueError, match="'source' or 'target', got 'middle'"):
        MovingMNIST(DIGITS).batch([0]).true_flow(at="middle")


def test_load_digits(monkeypatch, tmp_path):
    monkeypatch.delenv("NNLITE_DATA", raising=False)
    train, test, source = load_digits()
    assert train.shape[1:] == test.shape[1:] == (28, 28) and source == "drawn"
    assert len(train) > len(test) > 1000
    for name, count in (("train", 4), ("t10k", 3)):
        for kind, sizes in (("images-idx3", (count, 28, 28)), ("labels-idx1", (count,))):
            content = b"\0\0\x08" + bytes([len(sizes)]) + np.array(sizes, ">u4").tobytes()
            (tmp_path / f"{name}-{kind}-ubyte").write_bytes(content + bytes(int(np.prod(sizes))))
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path))
    train, test, source = load_digits()
    assert (len(train), len(test), source) == (4, 3, str(tmp_path))
    assert load_digits("drawn")[2] == "drawn"
