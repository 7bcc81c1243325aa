"""The training loop: order of the data, the step, the log."""

import json

import numpy as np
import pytest

import nnlite as nn
from nnlite import checkpoint
from nnlite.train.runs.loop import CHECKPOINT, LOG, batch_indices, loss_and_gradient, read_log
from nnlite.train.runs.loop_options import LoopOptions
from nnlite.train.runs.run import early_end
from tests.toy_training import Toy, toy_batch, trainer


def test_log_and_checkpoint(tmp_path):
    run = trainer(tmp_path)
    run.run(lambda: {"score": run.step})
    log = read_log(tmp_path)
    assert [line["evaluation"]["score"] for line in log if "evaluation" in line] == [*range(9), 10]
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
        input, target = toy_batch(step, batch_indices(step, 3, 10, 0))
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
    input, target = toy_batch(0, batch_indices(0, 3, 10, 0))
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
    assert "--minutes 0 ended it after 3 of 30 clips. Continue" in early_end(run, "clips", "resume it")
    assert checkpoint.load(tmp_path / CHECKPOINT).position["step"] == 1


def test_divergence_keeps_the_last_checkpoint(tmp_path):
    def make_batch(step, indices):
        input, target = toy_batch(step, indices)
        return input * (np.nan if step == 4 else 1), target

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
        penalises, value = True, np.float32(12.0)

    trainer(tmp_path, model=WithPenalty(), sequences=3).run()
    assert json.loads((tmp_path / LOG).read_text().splitlines()[-1])["penalty"] == 4.0


def test_learning_rate_cools_down_at_the_end(tmp_path):
    run = trainer(tmp_path, sequences=30, epoch=1000, learning_rate=2.0, lr_decay_fraction=0.5)
    rates = []
    for run.step in range(10):
        rates.append(run._learning_rate())
    assert rates[:5] == [2.0] * 5
    np.testing.assert_allclose(rates[5:], 2.0 * (0.1 + 0.9 * np.array([1.0, 0.8, 0.6, 0.4, 0.2])), rtol=1e-12)


def test_flow_keeps_still_at_first(tmp_path):
    class WithFlow(Toy):
        """A toy that notes at every forward pass whether its flow is held."""

        hold_flow, noted = False, []

        def update_output(self, input):
            self.noted.append(self.hold_flow)
            return super().update_output(input)

    run = trainer(tmp_path, model=WithFlow(), sequences=15, flow_warmup=9, minutes=1.0)
    said = []
    for _ in range(5):
        run.train_step()
        assert run.model.hold_flow is False  # whoever looks at it sees the whole model
        said.append(early_end(run, "clips", "resume it"))
    assert "after 6 of 15 clips; during 6 of these 6 the flow was held at zero" in said[1]
    assert "after 12 of 15 clips; during 9 of these 12 the flow" in said[3]
    assert "with\n  resume it --minutes 2\n" in said[3] and said[4] == ""
    assert run.model.noted == [True] * 3 + [False] * 2


def test_a_model_without_flow_has_nothing_to_keep_still(tmp_path):
    run = trainer(tmp_path, sequences=6, flow_warmup=6)
    run.run()
    assert not hasattr(run.model, "hold_flow") and run.parameters[0] != 0
