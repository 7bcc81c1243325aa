"""The training loop: interruptions, and resuming to the bit."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import nnlite as nn
from nnlite import checkpoint, models
from nnlite.train.runs.log import LOG, read_log
from nnlite.train.runs.loop import CHECKPOINT
from tests.toy_training import outcome, toy_batch, trainer


def complete(run):
    """Run to the end of the budget or to a signal, with a parameter in the log; return the signal."""
    return run.run(lambda: {"parameter": float(run.parameters[0])})


def killed_at(last, folder):
    """Train in `folder` and die without warning within the given step (run in another process)."""

    def make_batch(step, indices):
        if step == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return toy_batch(step, indices)

    run = trainer(Path(folder), make_batch)
    complete(run)


def whole_run(folder):
    """Return the outcome of a run that nothing interrupts."""
    folder.mkdir()
    run = trainer(folder)
    assert complete(run) is None
    return outcome(folder)


def test_ten_steps_are_five_and_kill_and_five(tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    code = f"from {__name__} import killed_at; killed_at(5, {str(broken)!r})"
    paths = str(Path(__file__).parents[3])
    died = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": paths}, capture_output=True
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert checkpoint.load(broken / CHECKPOINT).position["step"] == 5

    run = trainer(broken)
    run.restore(checkpoint.load(broken / CHECKPOINT))
    assert complete(run) is None
    assert run.step == 10
    assert outcome(broken) == whole_run(tmp_path / "whole")


def test_a_run_that_dies_before_its_second_checkpoint_evaluates_its_beginning_once(tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()

    def make_batch(step, indices):
        if step == 4:
            raise KeyboardInterrupt
        return toy_batch(step, indices)

    with pytest.raises(KeyboardInterrupt):
        complete(trainer(broken, make_batch, save_every=1e9))
    saved = checkpoint.load(broken / CHECKPOINT)
    assert saved.position["step"] == 0
    run = trainer(broken)
    run.restore(saved)
    complete(run)
    assert outcome(broken) == whole_run(tmp_path / "whole")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_and_stops(number, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()

    def make_batch(step, indices):
        if step == 4:
            os.kill(os.getpid(), number)
        return toy_batch(step, indices)

    usual = signal.getsignal(number)
    run = trainer(broken, make_batch, save_every=1e9)
    assert complete(run) == number
    assert signal.getsignal(number) is usual
    assert checkpoint.load(broken / CHECKPOINT).position["step"] == 5  # the step at hand is finished

    run = trainer(broken)
    run.restore(checkpoint.load(broken / CHECKPOINT))
    complete(run)
    assert outcome(broken) == whole_run(tmp_path / "whole")


def test_muon_is_told_the_shapes_and_resumes(tmp_path):
    def run(folder, sequences, saved=None):
        folder.mkdir(exist_ok=True)
        nn.manual_seed(7)
        model = models.build("ae_conv", height=4, width=4, n_frames=2, n_features=2, n_memory=3, kernel=3)
        run = trainer(folder, model=model, optimiser="muon", sequences=sequences)
        assert run.config["shapes"][:2] == [(2, 2, 3, 3), (2,)]
        if saved:
            run.restore(saved)
        run.run()
        return outcome(folder)[0]

    half = run(tmp_path / "broken", 15)
    resumed = run(tmp_path / "broken", 30, checkpoint.load(tmp_path / "broken" / CHECKPOINT))
    assert resumed == run(tmp_path / "whole", 30) != half


def test_second_interrupt_is_immediate(tmp_path):
    def make_batch(step, indices):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return toy_batch(step, indices)

    # Where a shell has started the tests in the background they ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            trainer(tmp_path, make_batch).run()
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_of_the_main_thread_it_trains_without_handlers_and_says_so(tmp_path):
    (tmp_path / "threaded").mkdir()
    usual, outcomes = signal.getsignal(signal.SIGINT), []

    def train():
        with pytest.warns(RuntimeWarning, match="outside of the main thread: .* act as usual"):
            outcomes.append(complete(trainer(tmp_path / "threaded")))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join(30)
    assert outcomes == [None] and signal.getsignal(signal.SIGINT) is usual
    assert outcome(tmp_path / "threaded") == whole_run(tmp_path / "whole")


def test_restore_drops_what_was_logged_after_the_checkpoint(tmp_path):
    run = trainer(tmp_path)
    run.run()
    (tmp_path / LOG).open("a").write('{"step": 12, "loss": 1.0}\n{"step": 13, "lo')
    run = trainer(tmp_path)
    run.restore(checkpoint.load(tmp_path / CHECKPOINT))
    assert [line["step"] for line in read_log(tmp_path)] == [3, 6, 9, 10]


@pytest.mark.parametrize(
    "line, message",
    [
        ("5", "5 in place of an object"),
        ("{}", "no 'step' of type int"),
        ('{"step": 1.5}', "no 'step' of type int"),
        ('{"step": 2, "evaluation": 3}', "no 'evaluation' of type dict"),
        ('{"step": 2, "loss": "x"}', "no 'loss' of type float"),
        ("[" * 100_000, "no JSON .*recursion"),
    ],
)
def test_a_line_that_is_no_line_of_a_log_is_named(tmp_path, line, message):
    (tmp_path / LOG).write_text(f'{{"step": 1}}\n{line}\n')
    with pytest.raises(ValueError, match=rf"log\.jsonl is damaged \(line 2 has {message}"):
        read_log(tmp_path)


def test_a_damaged_log_is_named(tmp_path):
    (tmp_path / LOG).write_text('{"step": 1}\n{"st\n{"step": 3}\n{"cut o')
    with pytest.raises(ValueError, match=r"log\.jsonl is damaged \(line \d+ has no JSON.*: remove that line"):
        read_log(tmp_path)
