"""Checkpoints: missing, truncated, damaged, foreign, older and newer files."""

import errno

import h5py
import numpy as np
import pytest

import nnlite as nn
from nnlite import checkpoint, limits
from tests.toy_checkpoint import assert_same, model, parameters


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no checkpoint .*a\.h5"):
        checkpoint.load(tmp_path / "a.h5")


def test_file_that_is_not_hdf5(tmp_path):
    (tmp_path / "a.h5").write_text("no HDF5 at all")
    with pytest.raises(ValueError, match=r"a\.h5 is not a checkpoint, or is truncated or damaged"):
        checkpoint.load(tmp_path / "a.h5")


@pytest.mark.parametrize("kept", [0, 10, 600, 0.5, 0.99])
def test_truncated_file(tmp_path, kept):
    path = tmp_path / "a.h5"
    checkpoint.save(path, model(), optimiser={"m": np.zeros(1000)})
    data = path.read_bytes()
    path.write_bytes(data[: kept if isinstance(kept, int) else int(kept * len(data))])
    with pytest.raises(ValueError, match=r"a\.h5 is not a checkpoint, or is truncated or damaged"):
        checkpoint.load(path)


def opened(path):
    """Open a checkpoint to change it; it loses its digest, as files of earlier versions have none."""
    path.write_bytes(path.read_bytes()[checkpoint.BLOCK :])
    return h5py.File(path, "r+")


@pytest.mark.parametrize("save", [checkpoint.save, checkpoint.save_parameters])
def test_whatever_is_damaged_is_noticed(tmp_path, save):
    """Also where HDF5 would read zeros, or never end."""
    path, random = tmp_path / "a.h5", np.random.default_rng(0)
    save(path, nn.Linear(40, 50))
    whole = path.read_bytes()
    for place in [0, checkpoint.BLOCK - 1, *random.integers(len(whole), size=40)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << random.integers(8)
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.h5 is not a checkpoint, or is truncated or damaged: its? "):
            checkpoint.load(path)


def test_file_of_an_earlier_version(tmp_path):
    """It has no digest."""
    net, other = model(1), model(2)
    checkpoint.save(tmp_path / "a.h5", net)
    opened(tmp_path / "a.h5").close()
    checkpoint.load_parameters(other, checkpoint.load(tmp_path / "a.h5"))
    assert_same(parameters(other), parameters(net))


def test_dataset_larger_than_memory(tmp_path):
    checkpoint.save(tmp_path / "a.h5", model())
    with opened(tmp_path / "a.h5") as file:
        file.create_dataset("parameters/large", (10**8, 10**8), np.float32, chunks=(1000, 1000))
    with pytest.raises(ValueError, match=r"a\.h5: what it holds takes 40,000,000,000 MB of memory"):
        checkpoint.load(tmp_path / "a.h5")


@pytest.mark.parametrize(
    "shape, chunks, maxshape", [((10**6,), None, None), ((10**6,), (10,), None), ((1,), (10**6,), (None,))]
)
def test_a_claim_is_checked_before_anything_is_read(tmp_path, monkeypatch, shape, chunks, maxshape):
    """Nothing of it is on the disk; in the last case it is one chunk, inflated as a whole, that is large."""
    path = tmp_path / "a.h5"
    checkpoint.save(path, model())
    monkeypatch.setenv(limits.VARIABLE, "1000")
    checkpoint.load(path)  # a file may always ask for its own size
    with opened(path) as file:
        file.create_dataset("buffers/x", shape, np.float64, chunks=chunks, maxshape=maxshape)
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda *_: pytest.fail("it was read"))
    with pytest.raises(ValueError, match=r"a\.h5: what it holds takes 8 MB of memory.*NNLITE_LARGEST"):
        checkpoint.load(path)


def link(file, other):
    file["parameters/x"] = h5py.ExternalLink(other.name, "x")


def raw_data(file, other):
    file.create_dataset("parameters/x", (3,), np.float32, external=[(str(other), 0, 12)])


def virtual(file, other):
    layout = h5py.VirtualLayout((3,), np.float32)
    layout[:] = h5py.VirtualSource(str(other), "x", (3,))
    file.create_virtual_dataset("parameters/x", layout)


def second_name(file, other):
    file["parameters/x"] = file["parameters/0.weight"]


def soft_link(file, other):
    file["parameters/x"] = h5py.SoftLink("/parameters/0.weight")


@pytest.mark.parametrize("plant", [link, raw_data, virtual, second_name, soft_link])
def test_a_checkpoint_brings_nothing_but_its_own_bytes(tmp_path, plant):
    path, other = tmp_path / "a.h5", tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = np.arange(3, dtype=np.float32)
    checkpoint.save(path, model())
    with opened(path) as file:
        plant(file, other)
    other.unlink()  # whoever opens it gets another error
    with pytest.raises(ValueError, match=r"a\.h5: the entry parameters/x "):
        checkpoint.load(path)


def test_a_filter_that_hdf5_would_look_for_is_refused(tmp_path):
    checkpoint.save(tmp_path / "a.h5", model())
    with opened(tmp_path / "a.h5") as file:
        file.create_dataset("parameters/x", data=np.arange(9.0), compression="lzf")
    with pytest.raises(ValueError, match=r"a\.h5: the entry parameters/x is compressed by another method"):
        checkpoint.load(tmp_path / "a.h5")


def test_a_file_that_may_not_be_read_is_not_damaged(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    checkpoint.save(path, model())

    def forbidden(name, *_):
        raise PermissionError(errno.EACCES, "Permission denied", str(name))

    monkeypatch.setattr("builtins.open", forbidden)
    with pytest.raises(PermissionError, match=r"Permission denied: .*a\.h5"):
        checkpoint.load(path)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "5",
        "[" * 100_000,
        '{"architecture": {}}',
        '{"x": {"$array": "/nowhere"}}',
        '{"x": {"$array": "/state"}}',
    ],
)
def test_damaged_state(tmp_path, text):
    path = tmp_path / "a.h5"
    checkpoint.save(path, model())
    with opened(path) as file:
        del file["state"]
        file["state"] = text
    with pytest.raises(ValueError, match=r"a\.h5 is not a checkpoint, or is truncated or damaged"):
        checkpoint.load(path)


def test_foreign_and_newer_files(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(ValueError, match=r"a\.h5 is an HDF5 file, but not a checkpoint of nnlite"):
        checkpoint.load(path)
    checkpoint.save(path, model())
    with opened(path) as file:
        file.attrs["version"] = 2
    with pytest.raises(ValueError, match=r"a\.h5 has format version 2; this nnlite reads version 1: update"):
        checkpoint.load(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("save", [checkpoint.save, checkpoint.save_parameters])
def test_running_statistics_that_are_not_finite_are_not_written(tmp_path, save, value):
    """Those of a net that saw one such pixel: ReLU hides it from outputs, loss and gradients."""
    net = nn.Sequential(nn.SpatialBatchNormalization(2), nn.ReLU())
    save(tmp_path / "a.h5", net)
    before = (tmp_path / "a.h5").read_bytes()
    net[0].running_mean[1] = value
    with pytest.raises(
        FloatingPointError, match=r"a\.h5 was not written: values in buffers/0\.running_mean are"
    ):
        save(tmp_path / "a.h5", net)
    assert (tmp_path / "a.h5").read_bytes() == before


@pytest.mark.parametrize(
    "given, place",
    [
        ({"optimiser": {"m": np.array([0, np.nan])}}, "optimiser/m"),
        ({"optimiser": {"t": [1.0, float("inf")]}}, "optimiser/t/1"),
        ({"position": {"sums": {"loss": float("nan")}}}, "position/sums/loss"),
        ({"position": {"score": np.float32("nan")}}, "position/score"),
    ],
)
def test_whatever_training_goes_on_from_is_finite(tmp_path, given, place):
    with pytest.raises(FloatingPointError, match=rf"values in {place} are not finite"):
        checkpoint.save(tmp_path / "a.h5", model(), **given)
    checkpoint.save(tmp_path / "a.h5", model(), metadata={"max_jump": float("inf")})


@pytest.mark.parametrize("entry", ["parameters/0.weight", "buffers/1.running_mean"])
def test_values_that_are_not_finite_are_not_read(tmp_path, entry):
    """Checkpoints of earlier versions may hold them."""
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNormalization(2))
    checkpoint.save(tmp_path / "a.h5", net)
    with opened(tmp_path / "a.h5") as file:
        file[entry][0] = np.nan
    with pytest.raises(ValueError, match=rf"a\.h5 holds values that are not finite .*, in {entry}"):
        checkpoint.load(tmp_path / "a.h5")
