"""The training loop: order of the data, the step, the log."""

import json

import numpy as np
import pytest

import nnlite as nn
from nnlite import checkpoint, models
from nnlite.train.runs.log import LOG, read_log
from nnlite.train.runs.loop import CHECKPOINT
from nnlite.train.runs.loop_options import LoopOptions
from nnlite.train.runs.loss import loss_and_gradient
from nnlite.train.runs.order import batch_indices
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


def test_a_learning_rate_beyond_all_numbers_is_refused(tmp_path):
    run = trainer(tmp_path, sequences=60, epoch=3, decay=1e200, decay_epochs=1)
    run.step = 4
    with pytest.raises(ValueError, match=r"optim\.\w+: learning_rate must be finite, got inf"):
        run.train_step()


def test_minutes_end_the_training(tmp_path):
    run = trainer(tmp_path, minutes=0.0)
    assert run.run() is None and run.step == 1
    assert "--minutes 0 ended it after 3 of 30 clips. Continue" in early_end(run, "clips", "resume it")
    assert checkpoint.load(tmp_path / CHECKPOINT).position["step"] == 1


def test_divergence_keeps_the_last_checkpoint(tmp_path):
    def make_batch(step, indices):
        if step == 4:
            run.parameters.fill(np.nan)
        return toy_batch(step, indices)

    run = trainer(tmp_path, make_batch)
    with pytest.raises(
        FloatingPointError, match=r"diverged after 4 steps: .* became nan; try a lower learning rate"
    ):
        run.run()
    saved = checkpoint.load(tmp_path / CHECKPOINT)
    assert saved.position["step"] == 3 and np.isfinite(saved.parameters["weight"]).all()


def test_parameters_out_of_proportion_are_divergence(tmp_path):
    def make_batch(step, indices):
        if step == 4:
            run.parameters += 1e4
        return toy_batch(step, indices)

    run = trainer(tmp_path, make_batch)
    with pytest.raises(
        FloatingPointError, match="after 5 steps: the root mean square of the parameters grew"
    ):
        run.run()
    assert abs(checkpoint.load(tmp_path / CHECKPOINT).parameters["weight"]).max() < 1


def test_a_loss_out_of_proportion_is_divergence_and_so_is_the_checkpoint_that_it_came_from(tmp_path):
    def make_batch(step, indices):
        input, target = toy_batch(step, indices)
        return input, target * (1e4 if step == 4 else 1)

    run = trainer(tmp_path, make_batch)
    run.criterion = nn.MSECriterion(size_average=False)
    with pytest.raises(FloatingPointError, match=r"after 5 steps: the loss grew from 0\.2\d* to .*e\+07"):
        run.run()
    assert checkpoint.load(tmp_path / CHECKPOINT).position["step"] == 3  # not 4, whose loss it was
    assert not [path for path in tmp_path.iterdir() if "previous" in path.name]


def test_a_resumed_run_measures_by_its_own_beginning(tmp_path):
    trainer(tmp_path, sequences=15).run()
    run = trainer(tmp_path)
    run.restore(checkpoint.load(tmp_path / CHECKPOINT))
    assert set(run.divergence.start.values()) != {0} and len(run.divergence.start) == 2
    run.divergence.start["loss"] = 1e-9  # LEAST counts
    run.run()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["input", "target"])
def test_a_batch_that_is_not_finite_is_named(tmp_path, name, value):
    def make_batch(step, indices):
        batch = toy_batch(step, indices)
        batch[name == "target"][-1 if name == "target" else 0] = value if step == 1 else 0
        return batch

    run = trainer(tmp_path, make_batch)
    with pytest.raises(
        ValueError, match=rf"the {name} of the training sequences \d, \d, \d holds values that"
    ):
        run.run()
    assert run.step == 1


def test_settings_with_which_nothing_is_learned_are_said():
    assert LoopOptions(sequences=1).warning is None
    options = LoopOptions(sequences=1, learning_rate=0.0, clip=0.0)
    assert options.warning == "With --lr and --clip at 0 nothing will be learned."


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


def test_low_memory_takes_the_same_steps(tmp_path):
    """Parameters after some steps, with the flow held and without, and the log."""
    ends = []
    for memory in ("full", "low"):
        nn.manual_seed(1)
        options = {"height": 4, "width": 4, "n_features": 2, "n_memory": 2, "kernel": 3, "flow_kernel": 3}
        model = models.build("ae_convlstm_flow", **options)
        run = trainer(
            tmp_path / memory, long_batch, model, memory=memory, sequences=12, flow_warmup=6, optimiser="sgd"
        )
        run.folder.mkdir()
        run.run()
        ends.append((run.parameters, [line["loss"] + line["penalty"] for line in read_log(run.folder)[1:]]))
    for full, low in zip(*ends):
        np.testing.assert_allclose(full, low, rtol=1e-4, atol=1e-6)


def long_batch(step, indices):
    """Return input and target (5, N, 1, 4, 4)."""
    frames = np.stack([np.random.default_rng(i).random((6, 1, 4, 4)) for i in indices], axis=1)
    return frames[:-1].astype(np.float32), frames[1:].astype(np.float32)
