"""The training loop: order of the data, the step, the log, interruptions, and resuming to the bit."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import models
import nnlite as nn
from nnlite import checkpoint
from nnlite.random import default_generator
from train.loop import CHECKPOINT, LOG, LoopOptions, Trainer, batch_indices, loss_and_gradient, read_log


class Toy(nn.Module):
    """p = sigmoid(w x + b + noise) on every pixel, a predictor that draws random numbers."""

    def __init__(self):
        super().__init__()
        self.config = {"name": "toy", "options": {}}
        self.add_parameter("weight", (1,))
        self.add_parameter("bias", (1,))

    def update_output(self, input):
        noise = np.float32(default_generator.normal(0, 0.1))
        self.output = 1 / (1 + np.exp(-(self.weight * input + self.bias + noise)))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.grad_input = self.weight * grad_output * self.output * (1 - self.output)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        inner = grad_output * self.output * (1 - self.output)
        self.grad_weight += scale * (inner * input).sum()
        self.grad_bias += scale * inner.sum()


def toy_batch(indices):
    """Return input and target (2, N, 1, 4, 4), each sequence a function of its number."""
    frames = np.stack([np.random.default_rng(i).random((3, 1, 4, 4)) > 0.5 for i in indices], axis=1)
    frames = frames.astype(np.float32)
    return frames[:-1], frames[1:]


def trainer(folder, make_batch=toy_batch, model=None, **options):
    """Return a trainer of a toy on ten sequences."""
    nn.manual_seed(7)
    options = {"sequences": 30, "epoch": 10, "batch": 3, "log_every": 3, "save_every": 0.0} | options
    criterion = nn.BCECriterion(size_average=False)
    return Trainer(model or Toy(), criterion, make_batch, LoopOptions(**options), folder, {"note": "a toy"})


def killed_at(step, folder):
    """Train in `folder` and die without warning within the given step (run in another process)."""

    def make_batch(indices):
        if run.step == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return toy_batch(indices)

    run = trainer(Path(folder), make_batch)
    run.run(lambda: {"parameter": float(run.parameters[0])})


def outcome(folder):
    """Return parameters, optimiser state and log (without times) of a run."""
    saved = checkpoint.load(folder / CHECKPOINT)
    log = [{name: value for name, value in line.items() if name != "seconds"} for line in read_log(folder)]
    arrays = {**saved.parameters, **{k: np.asarray(v) for k, v in saved.optimiser.items()}}
    return {name: array.tobytes() for name, array in arrays.items()}, log


def whole_run(folder):
    folder.mkdir()
    run = trainer(folder)
    assert run.run(lambda: {"parameter": float(run.parameters[0])}) is None
    return outcome(folder)


def test_ten_steps_are_five_and_kill_and_five(tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    code = f"import test_loop; test_loop.killed_at(5, {str(broken)!r})"
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    died = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": paths}, capture_output=True
    )
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    assert checkpoint.load(broken / CHECKPOINT).position["step"] == 5

    run = trainer(broken)
    run.restore(checkpoint.load(broken / CHECKPOINT))
    assert run.run(lambda: {"parameter": float(run.parameters[0])}) is None
    assert run.step == 10
    assert outcome(broken) == whole_run(tmp_path / "whole")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_and_stops(number, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()

    def make_batch(indices):
        if run.step == 4:
            os.kill(os.getpid(), number)
        return toy_batch(indices)

    usual = signal.getsignal(number)
    run = trainer(broken, make_batch, save_every=1e9)
    assert run.run(lambda: {"parameter": float(run.parameters[0])}) == number
    assert signal.getsignal(number) is usual
    assert checkpoint.load(broken / CHECKPOINT).position["step"] == 5  # the step at hand is finished

    run = trainer(broken)
    run.restore(checkpoint.load(broken / CHECKPOINT))
    run.run(lambda: {"parameter": float(run.parameters[0])})
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
    def make_batch(indices):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return toy_batch(indices)

    # Where a shell has started the tests in the background they ignore interrupts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            trainer(tmp_path, make_batch).run()
    finally:
        signal.signal(signal.SIGINT, before)


def test_restore_drops_what_was_logged_after_the_checkpoint(tmp_path):
    run = trainer(tmp_path)
    run.run()
    (tmp_path / LOG).open("a").write('{"step": 12, "loss": 1.0}\n{"step": 13, "lo')
    run = trainer(tmp_path)
    run.restore(checkpoint.load(tmp_path / CHECKPOINT))
    assert [line["step"] for line in read_log(tmp_path)] == [3, 6, 9, 10]


def test_a_damaged_log_is_named(tmp_path):
    (tmp_path / LOG).write_text('{"step": 1}\n{"st\n{"step": 3}\n{"cut o')
    with pytest.raises(ValueError, match=r"log\.jsonl is damaged .*: remove the lines that are not JSON"):
        read_log(tmp_path)


def test_log_and_checkpoint(tmp_path):
    run = trainer(tmp_path)
    run.run(lambda: {"score": run.step})
    log = read_log(tmp_path)
    assert [line["evaluation"]["score"] for line in log if "evaluation" in line] == [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        10,
    ]
    lines = [line for line in log if "loss" in line]
    assert [line["sequences"] for line in lines] == [9, 18, 27, 30]
    assert all(
        0 < line["loss"] < 1 and line["penalty"] == 0 and line["learning_rate"] == 1e-3 for line in lines
    )
    saved = checkpoint.load(tmp_path / CHECKPOINT)
    assert saved.architecture["name"] == "toy" and saved.metadata["note"] == "a toy"
    assert LoopOptions(**saved.metadata["loop"]) == run.options


def test_logged_loss_is_the_mean_over_steps_and_pixels(tmp_path):
    """With the learning rate zero the loss of each batch is known."""
    silent = Toy()
    run = trainer(tmp_path, model=silent, learning_rate=0.0, sequences=9)
    run.run()
    nn.manual_seed(7)
    losses = []
    for step in range(3):
        input, target = toy_batch(batch_indices(step, 3, 10, 0))
        losses.append(nn.BCECriterion().forward(silent.forward(input), target))
    assert read_log(tmp_path)[-1]["loss"] == pytest.approx(np.mean(losses), rel=1e-6)


def test_step_is_the_clipped_mean_gradient(tmp_path):
    run = trainer(tmp_path, optimiser="sgd", learning_rate=0.5, clip=0.1)
    start = run.parameters.copy()
    run.train_step()
    twin = Toy()
    flat, grad = twin.get_parameters()
    flat[...] = start
    nn.manual_seed(7)
    input, target = toy_batch(batch_indices(0, 3, 10, 0))
    criterion = nn.BCECriterion(size_average=False)
    output = twin.forward(input)
    criterion.forward(output, target)
    twin.backward(input, criterion.backward(output, target))
    assert abs(grad / 3).max() > 0.1  # so that clipping matters
    np.testing.assert_allclose(run.parameters, start - 0.5 * np.clip(grad / 3, -0.1, 0.1), rtol=1e-6)


def test_learning_rate_decays_by_epochs(tmp_path):
    run = trainer(tmp_path, sequences=60, epoch=6, decay=0.5, decay_epochs=2, log_every=1)
    run.run()
    rates = [line["learning_rate"] for line in read_log(tmp_path)]
    assert rates == [1e-3 * 0.5 ** (step * 3 // 6 // 2) for step in range(20)]


def test_minutes_end_the_training(tmp_path):
    run = trainer(tmp_path, minutes=0.0)
    assert run.run() is None and run.step == 1
    assert checkpoint.load(tmp_path / CHECKPOINT).position["step"] == 1


def test_divergence_keeps_the_last_checkpoint(tmp_path):
    def make_batch(indices):
        input, target = toy_batch(indices)
        return input * (np.nan if run.step == 4 else 1), target

    run = trainer(tmp_path, make_batch)
    with pytest.raises(
        FloatingPointError, match=r"diverged after 4 steps: .* became nan; try a lower learning rate"
    ):
        run.run()
    saved = checkpoint.load(tmp_path / CHECKPOINT)
    assert saved.position["step"] == 4 and np.isfinite(saved.parameters["weight"]).all()


def test_every_epoch_sees_every_sequence_once():
    indices = [i for step in range(8) for i in batch_indices(step, 5, 20, seed=3)]
    assert sorted(indices[:20]) == sorted(indices[20:]) == list(range(20))
    assert indices[:20] != indices[20:] and indices[:20] != list(range(20))
    # Batches that do not divide an epoch reach into the next one.
    uneven = [i for step in range(14) for i in batch_indices(step, 3, 20, seed=3)]
    assert uneven[:40] == indices
    assert batch_indices(0, 20, 20, seed=4) != indices[:20]


def test_loss_at_last_step_only():
    rng = np.random.default_rng(0)
    output = rng.uniform(0.1, 0.9, (4, 2, 1, 3, 3)).astype(np.float32)
    target = (rng.random(output.shape) > 0.5).astype(np.float32)
    criterion = nn.BCECriterion(size_average=False)
    loss, grad, elements = loss_and_gradient(criterion, output, target, "last")
    assert loss == pytest.approx(criterion.forward(output[-1:], target[-1:])) and elements == 18
    assert not grad[:-1].any()
    np.testing.assert_array_equal(grad[-1:], criterion.backward(output[-1:], target[-1:]))
    whole, every, elements = loss_and_gradient(criterion, output, target, "all")
    assert whole > loss and every[:-1].all() and elements == 72


def test_a_model_with_one_output_predicts_the_last_frame():
    target = np.ones((4, 2, 1, 3, 3), np.float32)
    target[-1] = 0
    output = np.full((1, 2, 1, 3, 3), 0.5, np.float32)
    loss, grad, elements = loss_and_gradient(nn.BCECriterion(size_average=False), output, target, "all")
    assert elements == 18 and (grad > 0).all() and loss == pytest.approx(18 * np.log(2), rel=1e-6)


def test_penalty_is_logged_per_sequence(tmp_path):
    class WithPenalty(Toy):
        def find_modules(self, name):
            assert name == "SmoothHuberPenalty"
            return [type("Penalty", (), {"value": np.float32(6.0)})()] * 2

    trainer(tmp_path, model=WithPenalty(), sequences=3).run()
    assert json.loads((tmp_path / LOG).read_text().splitlines()[-1])["penalty"] == 4.0


def test_learning_rate_cools_down_at_the_end(tmp_path):
    run = trainer(tmp_path, sequences=30, epoch=1000, learning_rate=2.0, cooldown=0.5)
    rates = []
    for run.step in range(10):
        rates.append(run._learning_rate())
    assert rates[:5] == [2.0] * 5
    np.testing.assert_allclose(rates[5:], 2.0 * (0.1 + 0.9 * np.array([1.0, 0.8, 0.6, 0.4, 0.2])), rtol=1e-12)


def test_flow_keeps_still_at_first(tmp_path):
    class WithFlow(Toy):
        """A toy that notes at every forward pass whether it is to keep still."""

        still, noted = False, []

        def update_output(self, input):
            self.noted.append(self.still)
            return super().update_output(input)

    run = trainer(tmp_path, model=WithFlow(), sequences=15, still=9)
    for _ in range(5):
        run.train_step()
        assert run.model.still is False  # whoever looks at it sees the whole model
    assert run.model.noted == [True] * 3 + [False] * 2


def test_a_model_without_flow_has_nothing_to_keep_still(tmp_path):
    run = trainer(tmp_path, sequences=6, still=6)
    run.run()
    assert not hasattr(run.model, "still") and run.parameters[0] != 0
