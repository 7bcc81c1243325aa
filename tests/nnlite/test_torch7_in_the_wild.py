"""Torch7 files as strangers wrote them: other classes, other machines, several objects, other formats."""

import gzip
import io
import pickle
import struct
import zipfile

import h5py
import numpy as np
import pytest

from nnlite import torch7
from tests.nnlite.test_torch7_by_hand import entry, integers, longs, read, storage, tensor, text


def instance(index, name, body, version="V 1"):
    return integers(4, index) + text(version) + text(name) + body


def table(index, *entries):
    return integers(3, index, len(entries)) + b"".join(entries)


def number(value):
    return integers(1) + struct.pack("<d", value)


# ---- classes ----------------------------------------------------------------------------------------


def test_tds_containers_are_a_list_and_a_dict(tmp_path):
    vec = instance(2, "tds.Vec", longs(2) + number(5) + number(6), "V 0")
    hash = instance(3, "tds.Hash", longs(1) + entry("k", instance(4, "tds.Vec", longs(0), "V 0")), "V 0")
    got = read(
        tmp_path, table(1, entry("v", vec), entry("h", hash), entry("w", 1), entry("u", integers(4, 2)))
    )
    assert got == {"v": [5, 6], "h": {"k": []}, "w": 1, "u": [5, 6]}
    assert got["v"] is got["u"]


def test_tds_containers_are_written_as_tables(tmp_path):
    torch7.save(tmp_path / "a.t7", read(tmp_path, instance(1, "tds.Vec", longs(1) + number(5), "V 0")))
    assert torch7.load(tmp_path / "a.t7") == {1: 5}


@pytest.mark.parametrize(
    "body",
    [
        number(5),
        integers(2) + text("x"),
        integers(0),
        longs(3, 9),
        longs(7),
        integers(3, 1),
        struct.pack("<d", 0.5),
        b"\xff" * 5056,
    ],
)
def test_body_of_an_unknown_class_is_never_guessed(tmp_path, body):
    data = table(1, entry("a", instance(2, "torch.Generator", body)), entry("b", 1))
    with pytest.raises(torch7.Torch7Error, match=r"class torch\.Generator has a body of its own.*at byte"):
        read(tmp_path, data)
    words = b"3\n1\n1\n2\n1\na\n4\n2\n3\nV 1\n4\nmy.C\n0.5 0.25\n"
    with pytest.raises(torch7.Torch7Error, match=r"the class my\.C has a body of its own"):
        read(tmp_path, words)


def test_body_that_begins_like_a_table_is_told_at_the_end(tmp_path):
    two = instance(2, "my.Pair", table(3) + table(4))
    with pytest.raises(torch7.Torch7Error, match=r"objects of my\.Pair: a class with a body of its own"):
        read(tmp_path, table(1, entry("a", two), entry("b", 1)))


@pytest.mark.parametrize(
    "name", ["torch.FooTensor", "torch.FooStorage", "torch.Tensor", "torch.CudaFloatTensor"]
)
def test_tensor_class_that_does_not_exist(tmp_path, name):
    with pytest.raises(torch7.Torch7Error, match=f"there is no class {name} in Torch7"):
        read(tmp_path, tensor([2], [1], 1, storage([1, 2]), name))


@pytest.mark.parametrize("version, written", [("V 2", b"V 2"), ("V 1.5", b"V 1.5"), (None, b"V 0")])
def test_versions_of_classes_survive(tmp_path, version, written):
    head = integers(4, 1) + (text(version) if version else b"") + text("nn.Mine")
    got = read(tmp_path, head + table(2))
    assert got.class_name == "nn.Mine" and f"V {got.version}".encode() == written
    torch7.save(tmp_path / "a.t7", got)
    assert written + b"\x07\x00\x00\x00nn.Mine" in (tmp_path / "a.t7").read_bytes()
    assert torch7.load(tmp_path / "a.t7").version == got.version


# ---- keys -------------------------------------------------------------------------------------------


def test_tables_objects_and_tensors_are_keys(tmp_path):
    data = table(2, entry("x", 1))
    node = instance(3, "nngraph.Node", table(4))
    array = integers(4, 5) + text("V 1") + text("torch.FloatTensor") + integers(1) + longs(1, 1, 1)
    array += integers(4, 6) + text("V 1") + text("torch.FloatStorage") + longs(1) + struct.pack("<f", 7)
    entries = [
        entry(1, data),
        entry(integers(3, 2), 10),
        entry(node, 20),
        entry(array, 30),
        entry(2, node[:8]),
    ]
    got = read(tmp_path, table(1, *entries, entry("self", integers(3, 1)), entry(integers(3, 1), "loop")))
    assert got[torch7.Key(got[1])] == 10 and got[got[2]] == 20
    assert torch7.Key({"x": 1}) not in got and got[torch7.Key(got)] == "loop"
    torch7.save(tmp_path / "a.t7", got)
    again = torch7.load(tmp_path / "a.t7")
    assert again[torch7.Key(again[1])] == 10 and again[again[2]] == 20 and again[torch7.Key(again)] == "loop"
    keys = [key for key in again if isinstance(key, torch7.Key) and isinstance(key.value, np.ndarray)]
    assert again[keys[0]] == 30 and keys[0].value.tolist() == [7] and "ndarray" in repr(keys[0])


# ---- several objects --------------------------------------------------------------------------------


def test_bytes_after_the_first_object(tmp_path):
    several = table(1, entry("a", 1)) + number(5) + integers(3, 1) + integers(0)
    with pytest.raises(torch7.Torch7Error, match=r"24 bytes follow.*torch7\.load_all.*at byte 33"):
        read(tmp_path, several)
    got = torch7.load_all(tmp_path / "hand.t7")
    assert got == [{"a": 1}, 5, {"a": 1}, None] and got[2] is got[0]
    with pytest.raises(torch7.Torch7Error, match="3 bytes follow"):
        read(tmp_path, number(5) + b"abc")
    with pytest.raises(torch7.Torch7Error, match="is no type of object"):
        torch7.load_all(_written(tmp_path, number(5) + b"abcd"))


def _written(tmp_path, data):
    (tmp_path / "hand.t7").write_bytes(data)
    return tmp_path / "hand.t7"


def test_several_objects_as_text(tmp_path):
    path = _written(tmp_path, b"1\n5\n2\n3\nabc\n5\n1\n\n")
    assert torch7.load_all(path) == [5, "abc", True]
    with pytest.raises(torch7.Torch7Error, match=r"13 bytes follow"):
        torch7.load(path)
    assert read(tmp_path, b"1\n5\n\n \n") == 5


# ---- machines with longs of 4 bytes ---------------------------------------------------------------------


def narrow(sizes, strides, offset, values, kind="Float"):
    """Return a tensor with longs of 4 bytes, with the indices 1 and 2."""
    code = {"Float": "f", "Long": "i"}[kind]
    data = integers(4, 2) + text("V 1") + text(f"torch.{kind}Storage") + integers(len(values))
    data += struct.pack(f"<{len(values)}{code}", *values)
    head = integers(4, 1) + text("V 1") + text(f"torch.{kind}Tensor") + integers(len(sizes))
    return head + integers(*sizes, *strides, offset) + data


@pytest.mark.parametrize("kind, dtype", [("Float", np.float32), ("Long", np.int64)])
def test_file_of_a_32_bit_machine(tmp_path, kind, dtype):
    got = read(tmp_path, narrow([2, 3], [3, 1], 2, [9, 1, 2, 3, 4, 5, 6], kind))
    np.testing.assert_array_equal(got, np.array([[1, 2, 3], [4, 5, 6]], dtype))
    assert got.dtype == dtype
    vec = instance(1, "tds.Vec", integers(2) + number(5) + integers(5, 1), "V 0")
    assert read(tmp_path, vec) == [5, True]
    assert read(tmp_path, instance(1, "torch.LongStorage", integers(2, 7, 8))).array.tolist() == [7, 8]
    with pytest.raises(torch7.Torch7Error, match=r"reaches entry 6 of a storage of 6.*longs of 4 bytes"):
        read(tmp_path, narrow([2, 3], [3, 1], 2, [1, 2, 3, 4, 5, 6], kind))


def test_damaged_file_is_not_taken_for_one_of_a_32_bit_machine(tmp_path):
    """Each would make sense with the upper halves of its longs taken for something else."""
    vec = instance(1, "tds.Vec", longs(2) + number(5) + number(6), "V 0")
    for data in (
        tensor([2, 5], [5, 1], 1, storage(range(10))),
        instance(1, "torch.LongStorage", longs(3, 0, 4, 5)),
        vec,
        table(1, entry("a", vec[:4] + integers(2) + vec[8:])),
    ):
        for size in range(4, len(data)):
            with pytest.raises(torch7.Torch7Error, match=r"\(read as binary\)"):
                read(tmp_path, data[:size])


# ---- other formats ----------------------------------------------------------------------------------


def _bytes_of(write):
    with io.BytesIO() as file:
        write(file)
        return file.getvalue()


def _zip_of(*names):
    def write(file):
        with zipfile.ZipFile(file, "w") as archive:
            for name in names:
                archive.writestr(name, b"x")

    return _bytes_of(write)


def _hdf5(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
    return (tmp_path / "a.h5").read_bytes()


FOREIGN = {
    "a Git LFS pointer.*git lfs pull": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n",
    r"a PyTorch file.*torch\.load": _zip_of("archive/data.pkl", "archive/data/0"),
    r"NumPy arrays \(\.npz\).*numpy\.load": _zip_of("a.npy", "b.npy"),
    "a zip archive: .*unzip": _zip_of("model.t7"),
    "a damaged zip archive.*again": b"PK\x03\x04",
    r"a Python pickle.*torch\.load.*trust": pickle.dumps([1], 2),
    r"a NumPy array.*numpy\.load": _bytes_of(lambda file: np.save(file, np.zeros(3))),
    "compressed by gzip.*gunzip": gzip.compress(b"x"),
    "a web page.*direct link": b"\n<!DOCTYPE html>\n<html><body>404</body></html>",
    "a web page, not the file behind it: .*link": b"\xef\xbb\xbf<!-- saved from -->\n<html></html>",
    "an error message of a web server.*link": b"404: Not Found",
    r"a Python pickle of protocol 0 or 1.*pickle\.load.*trust": pickle.dumps({"a": [1]}, 0),
    r"a Python pickle of protocol 0 or 1: .*trust": pickle.dumps([1], 1),
    "a Python pickle of protocol 0 or 1: open it": pickle.dumps(np.zeros(3), 0),
    r"JSON: open it with json\.load": b'\n{"weight": [1, 2]}\n',
    r"JSON: .*json\.load": b"[[1, 2], [3, 4]]",
    "a PDF document": b"%PDF-1.5\n",
    "a safetensors file.*safetensors": (64).to_bytes(8, "little") + b'{"w":{"dtype":"F32","shape":[1]}}',
    "a 7z archive.*7z x": b"7z\xbc\xaf\x27\x1c\0\4",
    "a rar archive.*unrar": b"Rar!\x1a\x07\x01\0",
    "a tar archive.*tar xf": b"model.t7".ljust(257, b"\0") + b"ustar\0" + bytes(300),
}


@pytest.mark.parametrize("mode", ["auto", "binary", "ascii"])
@pytest.mark.parametrize("what", list(FOREIGN))
def test_other_formats_are_named_with_the_way_to_open_them(tmp_path, what, mode):
    with pytest.raises(torch7.Torch7Error, match=r"hand\.t7: no Torch7 file but " + what):
        read(tmp_path, FOREIGN[what], mode)


@pytest.mark.parametrize("value", ['{"a": 1}', "<html>", "404: Not Found", 7.3e10])
@pytest.mark.parametrize("format", ["binary", "ascii"])
def test_texts_in_torch7_files_are_not_taken_for_other_formats(tmp_path, value, format):
    torch7.save(tmp_path / "a.t7", value, format)
    assert torch7.load(tmp_path / "a.t7") == value


def test_hdf5_is_named(tmp_path):
    with pytest.raises(torch7.Torch7Error, match="an HDF5 file: open it with h5py"):
        read(tmp_path, _hdf5(tmp_path))


def test_the_error_is_a_value_error_of_one_sentence():
    assert issubclass(torch7.Torch7Error, ValueError)
    assert torch7.Torch7Error.__doc__.count(".") == 2  # that of ".t7" is one
