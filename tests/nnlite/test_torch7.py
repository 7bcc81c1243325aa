"""Torch7 files: every recorded one, and round trips."""

import json

import numpy as np
import pytest

from nnlite import torch7
from tests import golden_cases as golden

FOLDER = golden.FOLDER / "serialization"
MANIFEST = {entry["file"]: entry for entry in json.loads((FOLDER / "manifest.json").read_text())}
FILES = sorted(MANIFEST)

#: The cases of f_serialization.h5, with values of the files of that name.
VALUES = [
    "ByteTensor_2x5",
    "DoubleTensor_2x3x2",
    "DoubleTensor_special",
    "FloatTensor_3x4",
    "IntTensor_2x2",
    "LongTensor_2x3",
    "moving_mnist_like_4x5x1x8x8",
    "moving_mnist_like_float",
    "narrowed_2x3",
    "noncontiguous_transposed_5x4",
]
GOLDEN = [*FILES, *VALUES]

DTYPES = {"Byte": "u1", "Char": "i1", "Short": "i2", "Int": "i4", "Long": "i8", "Float": "f4", "Double": "f8"}
ALL_DTYPES = [*DTYPES.values(), "f2"]


# ---- recorded files ---------------------------------------------------------------------------------


def assert_content(got, want):
    """Compare a loaded object with the manifest's description of it."""
    if not isinstance(want, dict):
        assert got == want and isinstance(got, bool) == isinstance(want, bool)
        return
    kind = want["type"]
    if kind == "table":
        assert len(got) == len(want["items"])
        for key, value in want["items"]:
            if value == "<back reference to the table itself>":
                assert got[key] is got
            else:
                assert_content(got[key], value)
    elif kind == "torch.LongStorage":
        assert isinstance(got, torch7.Storage) and got.array.dtype == np.int64
        assert got.array.tolist() == want["values"]
    elif kind == "nn.Sequential":
        assert got.class_name == kind and len(got.contents["modules"]) == 4
    else:
        dtype = np.dtype(DTYPES[kind.removeprefix("torch.").removesuffix("Tensor")])
        assert isinstance(got, np.ndarray) and got.dtype == dtype
        assert list(got.shape) == (want["size"] or [0])
        if want["size"]:
            assert [stride // got.itemsize for stride in got.strides] == want["stride"]
        if "values" in want:
            np.testing.assert_array_equal(got.ravel(), np.array(want["values"], np.float64).astype(dtype))


@pytest.mark.parametrize("name", FILES)
def test_recorded_file(name):
    assert_content(torch7.load(FOLDER / name), MANIFEST[name]["content"])


@pytest.mark.parametrize("mode", ["binary", "ascii"])
@pytest.mark.parametrize("case", VALUES)
def test_recorded_values(case, mode):
    got, want = torch7.load(FOLDER / f"{case}_{mode}.t7"), golden.load("f_serialization", case)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)


#: Files with a tensor that alone shows a part of its storage, or shows it transposed.
LONE_VIEWS = ("narrowed", "noncontiguous", "shared_storage_table_unreferenced")


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith(LONE_VIEWS)])
def test_recorded_file_is_written_back_byte_for_byte(name, tmp_path):
    mode = MANIFEST[name]["mode"]
    torch7.save(tmp_path / "a.t7", torch7.load(FOLDER / name), mode)
    # (In an unreferenced file every object is distinct, so that it too comes out as it was.)
    assert (tmp_path / "a.t7").read_bytes() == (FOLDER / name).read_bytes()


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(LONE_VIEWS)])
def test_recorded_lone_view_is_written_contiguous(name, tmp_path):
    want = torch7.load(FOLDER / name)
    torch7.save(tmp_path / "a.t7", want, MANIFEST[name]["mode"])
    got = torch7.load(tmp_path / "a.t7")
    for key in want if isinstance(want, dict) else [...]:
        np.testing.assert_array_equal(got[key], want[key])
        assert got[key].flags.c_contiguous and got[key].base.size == want[key].size


def counterparts():
    """Return the files recorded in both modes, except those with tables: Lua's own order varies."""
    tables = ("nn_", "nested", "shared", "cyclic", *LONE_VIEWS)
    stems = {name.removesuffix("_ascii.t7") for name in FILES if name.endswith("_ascii.t7")}
    return sorted(stem for stem in stems if not stem.startswith(tables))


@pytest.mark.parametrize("stem", counterparts())
@pytest.mark.parametrize("modes", [("binary", "ascii"), ("ascii", "binary")])
def test_recorded_file_in_the_other_mode(stem, modes, tmp_path):
    torch7.save(tmp_path / "a.t7", torch7.load(FOLDER / f"{stem}_{modes[0]}.t7"), modes[1])
    assert (tmp_path / "a.t7").read_bytes() == (FOLDER / f"{stem}_{modes[1]}.t7").read_bytes()


def test_recorded_nan_and_negative_zero_keep_their_signs():
    for mode in ("binary", "ascii"):
        values = torch7.load(FOLDER / f"DoubleTensor_special_{mode}.t7")
        assert np.signbit(values).tolist() == [True, False, True, True, False, False, False]
        assert np.isnan(values[0]) and values[4] == 9.9999999999999694e-311


def test_recorded_sharing():
    table = torch7.load(FOLDER / "shared_storage_table_binary.t7")
    assert table["a"] is table["b"]
    table["a"][1, 0] = 99
    assert table["c"][0] == 99
    table = torch7.load(FOLDER / "shared_storage_table_unreferenced_binary.t7")
    table["a"][1, 0] = 99
    assert table["b"][1, 0] == 6 and table["c"][0] == 6


# ---- round trips ------------------------------------------------------------------------------------


def round_trip(obj, path, mode):
    """Write and read an object."""
    torch7.save(path / "a.t7", obj, mode)
    return torch7.load(path / "a.t7", mode)


@pytest.fixture(params=["binary", "ascii"])
def mode(request):
    return request.param


@pytest.mark.parametrize("dtype", ALL_DTYPES)
def test_every_type_of_tensor_and_storage(tmp_path, mode, dtype):
    values = np.array([[0, 1, 9], [10, 13, 127]]).astype(dtype)
    got = round_trip({"t": values, "s": torch7.Storage(values[0].copy()), "e": values[:0]}, tmp_path, mode)
    assert got["t"].dtype == got["s"].array.dtype == got["e"].dtype == np.dtype(dtype)
    np.testing.assert_array_equal(got["t"], values)
    np.testing.assert_array_equal(got["s"].array, values[0])
    assert got["e"].shape == (0,) and got["t"].flags.writeable


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_floats_round_trip_exactly(tmp_path, mode, dtype):
    bits = np.random.default_rng(0).integers(0, 2**16, (200, np.dtype(dtype).itemsize // 2), np.uint16)
    values = bits.view(dtype).ravel()
    got = round_trip(values, tmp_path, mode)
    np.testing.assert_array_equal(got, values)
    np.testing.assert_array_equal(np.signbit(got), np.signbit(values))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -3,
        2**53 - 1,
        0.1,
        -0.0,
        float("inf"),
        1e300,
        "",
        "a\nb\0",
        "rö",
        "\udcff\udc80",
        {},
    ],
)
def test_values(tmp_path, mode, value):
    got = round_trip({"x": value, 1: "after"}, tmp_path, mode)
    assert got["x"] == value and type(got["x"]) is type(value) and got[1] == "after"
    assert not isinstance(value, float) or np.signbit(got["x"]) == np.signbit(value)


def test_list_is_written_as_a_table(tmp_path, mode):
    got = round_trip([10, "x", (True,)], tmp_path, mode)
    assert got == {1: 10, 2: "x", 3: {1: True}}
    assert torch7.as_list(got) == [10, "x", {1: True}]
    assert torch7.as_list({1: "a", 3: "c", "n": 2}) == ["a"]


def test_references_are_kept(tmp_path, mode):
    base = np.arange(20.0).reshape(4, 5)
    inner = {"n": 1}
    obj = torch7.TorchObject("my.Class", {"one": inner, "two": inner})
    obj.contents["self"] = obj
    views = {"base": base, "again": base, "row": base[1], "t": base.T, "narrow": base[1:3, 2:]}
    got = round_trip({**views, "obj": obj, "storage": torch7.Storage(base.reshape(-1))}, tmp_path, mode)
    assert got["base"] is got["again"]
    assert got["obj"].class_name == "my.Class" and got["obj"].contents["self"] is got["obj"]
    assert got["obj"].contents["one"] is got["obj"].contents["two"]
    for name, view in views.items():
        np.testing.assert_array_equal(got[name], view)
    got["base"][1, 2] = 99
    assert got["row"][2] == got["t"][2, 1] == got["narrow"][0, 0] == got["storage"].array[7] == 99


def test_views_write_the_whole_array_only_where_they_share_it(tmp_path):
    base = np.zeros((100, 100))
    torch7.save(tmp_path / "alone.t7", {"row": base[0], "again": {1: 2}})
    torch7.save(tmp_path / "shared.t7", {"row": base[0], "column": base[:, 0]})
    assert (tmp_path / "alone.t7").stat().st_size < 1_100
    assert 80_000 < (tmp_path / "shared.t7").stat().st_size < 81_000
    got = torch7.load(tmp_path / "shared.t7")
    got["row"][0] = 7
    assert got["column"][0] == 7 and got["column"].strides == (800,)


@pytest.mark.parametrize(
    "view",
    [
        np.arange(6.0)[::-1],
        np.arange(24, dtype=np.float32).reshape(2, 3, 4)[:, ::2, ::-1],
        np.broadcast_to(np.arange(3.0), (2, 3)),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
        np.arange(4, dtype=">f8"),
        np.arange(8, dtype=np.int32).view(np.int16)[::2],
    ],
)
def test_unusual_views(tmp_path, mode, view):
    got = round_trip(view, tmp_path, mode)
    np.testing.assert_array_equal(got, view)
    assert got.flags.c_contiguous and got.base.size == view.size


@pytest.mark.parametrize(
    "value, error, message",
    [
        (print, TypeError, "builtin_function_or_method has no place"),
        ({"f": torch7.TorchObject("function", None)}, TypeError, "TorchObject has no place"),
        (np.zeros(()), TypeError, "no 0-dimensional tensors"),
        (np.zeros(2, bool), TypeError, "no tensors of bool; it has uint8, int8"),
        ({(1, 2): 3}, TypeError, r"table key must be a number, a string, an object or a Key, got \(1, 2\)"),
        (
            torch7.TorchObject("a.B", [1]),
            TypeError,
            r"contents of TorchObject\('a\.B'\) must be a dict",
        ),
        (np.broadcast_to(np.float64(1), (2**40, 2**10)), torch7.Torch7Error, "does not fit into memory"),
        (10**400, torch7.Torch7Error, "too large for a Lua number"),
    ],
)
def test_what_cannot_be_written(tmp_path, value, error, message):
    with pytest.raises(error, match=message):
        torch7.save(tmp_path / "a.t7", value)
    assert not (tmp_path / "a.t7").exists()


def test_nesting_has_no_limit(tmp_path, mode):
    """Graphs of nngraph, whose nodes refer to their neighbours, are nested as deeply as they are long."""
    deep = {}
    for i in range(20000):
        deep = {1: deep} if i % 2 else torch7.TorchObject("my.Class", {1: deep})
    got = round_trip(deep, tmp_path, mode)
    for i in reversed(range(20000)):
        got = (got if i % 2 else got.contents)[1]
    assert got == {}


def test_failed_save_leaves_the_earlier_file(tmp_path, monkeypatch):
    torch7.save(tmp_path / "a.t7", 1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match=r"a\.t7"):
        torch7.save(tmp_path / "a.t7", 2)
    assert torch7.load(tmp_path / "a.t7") == 1 and [p.name for p in tmp_path.iterdir()] == ["a.t7"]


def test_wrong_mode(tmp_path):
    with pytest.raises(ValueError, match="read as binary"):
        torch7.load(FOLDER / "number_ascii.t7", "binary")
    with pytest.raises(ValueError, match="read as ascii"):
        torch7.load(FOLDER / "number_binary.t7", "ascii")
    with pytest.raises(ValueError, match="mode must be auto, binary or ascii, got 'text'"):
        torch7.load(FOLDER / "number_binary.t7", "text")
    with pytest.raises(ValueError, match="mode must be binary or ascii, got 'auto'"):
        torch7.save(tmp_path / "a.t7", 1, "auto")
    with pytest.raises(FileNotFoundError):
        torch7.load(tmp_path / "missing.t7")
