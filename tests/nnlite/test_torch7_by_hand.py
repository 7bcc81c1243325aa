"""Torch7 files put together byte by byte: what older versions of Torch wrote, and what is damaged."""

import struct

import numpy as np
import pytest

from nnlite import limits, torch7
from tests import golden_cases as golden

FOLDER = golden.FOLDER / "serialization"
FILES = sorted(path.name for path in FOLDER.glob("*.t7"))


def integers(*values):
    return struct.pack(f"<{len(values)}i", *values)


def longs(*values):
    return struct.pack(f"<{len(values)}q", *values)


def text(string):
    return integers(len(string)) + string.encode()


def tensor(sizes, strides, offset, storage, name="torch.FloatTensor", version=True):
    """Return the bytes of a tensor with index 1."""
    head = integers(4, 1) + (text("V 1") if version else b"") + text(name)
    return head + integers(len(sizes)) + longs(*sizes, *strides) + longs(offset) + storage


def storage(values, name="torch.FloatStorage", version=True, count=None):
    """Return the bytes of a float storage with index 2."""
    head = integers(4, 2) + (text("V 1") if version else b"") + text(name)
    return head + longs(len(values) if count is None else count) + struct.pack(f"<{len(values)}f", *values)


def read(path, data, mode="auto"):
    """Write bytes to a file and load it."""
    (path / "hand.t7").write_bytes(data)
    return torch7.load(path / "hand.t7", mode)


def test_file_from_before_versioning(tmp_path):
    data = tensor([2], [1], 2, storage([1, 2, 3], version=False), version=False)
    np.testing.assert_array_equal(read(tmp_path, data), np.array([2, 3], np.float32))


def test_cuda_tensors_are_read_as_ordinary_ones(tmp_path):
    data = tensor([2], [1], 1, storage([1, 2], "torch.CudaStorage"), "torch.CudaTensor")
    np.testing.assert_array_equal(read(tmp_path, data), np.array([1, 2], np.float32))
    data = integers(4, 1) + text("V 1") + text("torch.CudaLongStorage") + longs(1, 7)
    assert read(tmp_path, data).array.tolist() == [7]


@pytest.mark.parametrize("kind", [6, 7, 8])
def test_functions_are_read_as_inert_objects(tmp_path, kind):
    """Code is skipped, whatever it says; what follows it is read on."""
    index = b"" if kind == 6 else integers(2)
    function = integers(kind) + index + text("\x1bLuaP os.execute") + integers(3, 3, 1) + entry(1, 5)
    got = read(tmp_path, integers(3, 1, 2) + entry("f", function) + entry("x", 7))
    assert got["x"] == 7
    assert got["f"].class_name == "function" and got["f"].contents == {1: 5}


def entry(key, value):
    """Return the bytes of a table entry; numbers and strings are converted, bytes are as they are."""
    pack = {
        int: lambda v: integers(1) + struct.pack("<d", v),
        float: lambda v: integers(1) + struct.pack("<d", v),
        str: lambda v: integers(2) + text(v),
        bytes: lambda v: v,
    }
    return pack[type(key)](key) + pack[type(value)](value)


def test_function_referred_to_twice(tmp_path):
    function = integers(8, 2) + text("code") + integers(0)
    got = read(tmp_path, integers(3, 1, 2) + entry("f", function) + entry("g", integers(8, 2)))
    assert got["f"] is got["g"]


FOUR = storage([1, 2, 3, 4])


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "the file is empty"),
        (integers(256), "256 is no type of object, at byte 0"),
        (integers(-256), "-256 is no type of object"),
        (
            integers(2, 5) + b"abc",
            "5 numbers of type int8 do not fit in the 3 bytes that are left, at byte 8",
        ),
        (integers(2, -1), "-1 numbers of type int8 do not fit"),
        (integers(1), "1 numbers of type float64 do not fit in the 0 bytes"),
        (integers(3, 1, -2), "a table announces -2 entries, at byte 0"),
        (integers(3, 1, 2**31 - 1), "1 numbers of type int32 do not fit"),
        (integers(3, 1, 1, 0, 0), "a table key is nil, at byte 12"),
        (integers(3, 1, 1) + entry(float("nan"), 1), "a table key is not a number, at byte 12"),
        (integers(3, 1, 2) + entry(1, 2) + entry(1, 3), "the table key 1 occurs twice"),
        (tensor([2, 3], [3, 1], 1, FOUR), "a tensor reaches entry 5 of a storage of 4, at byte 36"),
        (tensor([4], [1], 2, FOUR), "reaches entry 4 of a storage of 4"),
        (tensor([2**62], [2**62], 1, FOUR), "reaches entry"),
        (tensor([2**62, 4], [0, 1], 1, FOUR), "what its tensors hold together takes .* of memory"),
        (tensor([0, 2**62], [1, 1], 1, FOUR), "cannot be"),
        (tensor([-2], [1], 1, FOUR), r"negative sizes \[-2\]"),
        (tensor([2], [-1], 2, FOUR), r"strides \[-1\]"),
        (tensor([2], [1], 0, FOUR), "offset -1"),
        (tensor([2], [1], 1, integers(0)), "reaches entry 1 of a storage of 0"),
        (tensor([2], [1], 1, integers(5, 1)), "has a boolean for its storage"),
        (tensor([2], [1], 1, FOUR, "torch.IntTensor"), "a tensor of type int32 has a Storage of float32 for"),
        (tensor([2], [1], 1, storage([], count=2**61)), f"{2**61} numbers of type float32 do not fit"),
        (tensor([2], [1], 1, storage([], count=-5)), "a storage announces -5 entries"),
        (integers(4, 1) + text("torch.FloatTensor") + integers(-1), "announces -1 dimensions"),
        (integers(4, 1) + text("torch.FloatTensor") + integers(10**6), "announces 1000000 dimensions"),
        (b"".join(integers(3, i, 1) + entry(1, b"") for i in range(1, 20000)), "do not fit in the 0 bytes"),
        (b"4\n1\n3\nV 1\n18\ntorch.FloatStorage\n2\n1 x\n", "expected numbers of type float32"),
        (
            b"4\n1\n3\nV 1\n18\ntorch.FloatStorage\n2\n1\n2\n",
            "expected 2 numbers on a line, found 1, at byte 34",
        ),
        (b"4\n1\n3\nV 1\n18\ntorch.ShortStorage\n1\n70000\n", "expected numbers of type int16"),
        (b"4\n1\n3\nV 1\n18\ntorch.FloatStorage\n99999\n1 2\n", "99999 numbers of type float32 do not fit"),
        (b"4\n1\n3\n", r"do not fit in the 0 bytes that are left.*read as ascii"),
        (b"hello\n", r"expected numbers of type int32.*at byte 0 \(read as ascii\)"),
        (b"1\n15", "1 numbers without the end of their line, at byte 2"),
    ],
)
def test_damaged_file(tmp_path, data, message):
    with pytest.raises(ValueError, match=message) as caught:
        read(tmp_path, data)
    assert "hand.t7" in str(caught.value)


def test_tensors_that_repeat_one_number_count_in_full(tmp_path, monkeypatch):
    """All together, so that it does not help to have many of them."""
    first, second = tensor([10, 100], [0, 0], 1, FOUR), tensor([10, 100], [0, 0], 1, integers(4, 2))
    data = integers(3, 3, 2) + entry("a", first) + entry("b", integers(4, 4) + second[8:])
    monkeypatch.setenv(limits.VARIABLE, "8000")
    assert read(tmp_path, data)["b"].shape == (10, 100)
    monkeypatch.setenv(limits.VARIABLE, "7999")
    with pytest.raises(torch7.Torch7Error, match=r"hand\.t7: what its tensors hold .*NNLITE_LARGEST"):
        read(tmp_path, data)


@pytest.mark.parametrize("name", FILES)
def test_every_truncation_of_a_recorded_file_is_noticed(tmp_path, name):
    """Bytes and strings in ascii mode are complete without the end of the line behind them."""
    data = (FOLDER / name).read_bytes()
    end_in_bytes = ("Byte", "Char", "string", "moving_mnist_like_4", "nested", "cyclic")
    end = len(data) - (name.startswith(end_in_bytes) and "ascii" in name)
    for size in {*range(0, end, 1 + end // 200), *range(max(0, end - 20), end)}:
        with pytest.raises(ValueError, match=r"hand\.t7"):
            read(tmp_path, data[:size])


def test_random_damage_never_does_worse_than_value_error(tmp_path):
    rng = np.random.default_rng(0)
    refused = 0
    for name in (
        "nn_Sequential_flattened_binary.t7",
        "nested_table_ascii.t7",
        "shared_storage_table_binary.t7",
    ):
        data = np.frombuffer((FOLDER / name).read_bytes(), np.uint8)
        for _ in range(200):
            damaged = data.copy()
            damaged[rng.integers(0, data.size, 3)] = rng.integers(0, 256, 3)
            try:
                read(tmp_path, damaged.tobytes())
            except ValueError:
                refused += 1
    assert refused > 200
