"""Checkpoints: missing, truncated, damaged, foreign, older and newer files."""

import h5py
import numpy as np
import pytest

import nnlite as nn
from nnlite import checkpoint
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
    with pytest.raises(ValueError, match=r"a\.h5 is not a checkpoint, or is truncated or damaged"):
        checkpoint.load(tmp_path / "a.h5")


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"architecture": {}}', '{"x": {"$array": "/nowhere"}}', '{"x": {"$array": "/state"}}'],
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
