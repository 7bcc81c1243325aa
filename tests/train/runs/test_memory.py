"""Out of memory: how much was asked for, by what, and the way out; what cannot fit is refused at once."""

import re

import numpy as np
import pytest

import nnlite as nn
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.real_video.experiment import RealVideo
from nnlite.train.runs import memory
from nnlite.train.runs.loop import Trainer

TOY = ["--preset", "tiny", "--data", "drawn", "--test-sequences", "2", "--sequences", "8", "--device", "cpu"]
FLAGS = "--batch, --model-option, --size, --frames"


def shortage(*_, **__):
    raise MemoryError("Unable to allocate 7.45 GiB for an array with shape (1000000000,) and data type int64")


@pytest.mark.parametrize(
    "options, message",
    [
        (
            ["--batch", "1000000000"],
            r"a batch of 1000000000 sequences of \d+ frames of \d+x\d+ takes at least",
        ),
        (["--frames", "9007199254740992"], r"of 9007199254740992 frames of"),
        (
            ["--size", "1000000"],
            r"frames of 1000000x1000000 takes at least [\d,.]+ GiB of memory, and the cpu",
        ),
    ],
)
def test_what_cannot_fit_is_refused_before_any_work(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(MovingDigits, "load", lambda self: pytest.fail("it has begun to work"))
    assert moving_mnist.main([*TOY, *options, "--out", str(tmp_path / "run")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and all(flag in line for flag in FLAGS.split(", "))
    assert re.search(message, line)
    assert not list(tmp_path.iterdir())


def test_the_order_of_very_many_sequences_is_refused_too(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(MovingDigits, "load", lambda self: None)
    command = [*TOY, "--train-sequences", "9007199254740992", "--out", str(tmp_path / "run")]
    assert moving_mnist.main(command) == 2
    assert "order of 9007199254740992 sequences takes at least" in capsys.readouterr().err


def test_a_shortage_names_how_much_by_what_and_the_way_out():
    class Large(nn.Identity):
        def update_output(self, input):
            shortage()

    with pytest.raises(MemoryError) as caught:
        nn.Sequential(nn.Tanh(), Large()).forward(np.zeros(3, np.float32))
    text = memory.describe_shortage(caught.value, "--batch")
    assert text.startswith("out of memory (Unable to allocate 7.45 GiB for an array with shape")
    assert text.endswith("data type int64) in nn.Large: make it smaller with --batch")
    text = memory.describe_shortage(MemoryError(), "--size")
    assert text.startswith("out of memory (no more could be allocated)")


@pytest.mark.parametrize("place, status", [((MovingDigits, "load"), 2), ((Trainer, "run"), 1)])
def test_a_command_that_runs_out_of_memory_ends_with_one_line(place, status, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(*place, shortage)
    assert moving_mnist.main([*TOY, "--out", str(tmp_path / "run")]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: out of memory (Unable to allocate 7.45 GiB") and FLAGS in line


def test_whatever_is_held_for_every_step_ahead_is_among_the_ways_out():
    assert "--steps" in RealVideo.settings_type.memory_flags()
