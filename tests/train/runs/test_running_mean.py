"""The mean of the weights: what it is, that it changes no step, and that it is what is kept and scored."""

import json

import numpy as np
import pytest

from nnlite import checkpoint, models
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.runs.experiment import load_trained
from nnlite.train.runs.log import read_log
from nnlite.train.runs.loop import CHECKPOINT
from tests.toy_table1 import less_work
from tests.toy_training import outcome, toy_batch, trainer

N = 4
TOY = ["--preset", "tiny", "--data", "drawn", "--device", "cpu", "--model", "ae_conv"]
TOY += ["--sequences", "48", "--test-sequences", "4", "--mean-over", "3"]


def flat(arrays):
    """Return arrays {path: array} of the toy as one."""
    return np.concatenate([arrays[name].ravel() for name in ("weight", "bias")])


def path_of(folder, **options):
    """Train a toy; return its parameters after each step, the scores in its log, and its checkpoint."""
    folder.mkdir()
    run, path = trainer(folder, **options), []
    taken = run.train_step

    def step(batch):
        taken(batch)
        path.append(run.parameters.copy())

    run.train_step = step
    run.run(lambda: {"parameter": float(run.parameters[0])})
    scores = [line["evaluation"]["parameter"] for line in read_log(folder) if "evaluation" in line]
    return np.array(path), scores, checkpoint.load(folder / CHECKPOINT)


def test_the_mean_is_kept_and_scored_and_changes_no_step(tmp_path):
    path, _, saved = path_of(tmp_path / "without")
    assert "parameters" not in saved.position
    again, scores, saved = path_of(tmp_path / "mean", mean_over=N)
    np.testing.assert_array_equal(again, path)
    np.testing.assert_array_equal(saved.position["parameters"], path[-1])
    mean = path[:N].astype(np.float64).mean(axis=0)
    means = [path[: k + 1].mean(axis=0) for k in range(N)]
    for later in path[N:]:
        mean = (1 - 1 / N) * mean + later / N
        means.append(mean)
    np.testing.assert_allclose(flat(saved.parameters), mean, rtol=1e-5)
    assert abs(mean - path[-1]).max() > 1e-4
    # scored at the first step, where there is no mean yet, and after each but the ninth
    np.testing.assert_allclose(scores[1:], [row[0] for k, row in enumerate(means) if k != 8], rtol=1e-5)


def test_resumed_is_the_same_to_the_bit(tmp_path):
    def make_batch(step, indices):
        if step == 6:
            raise KeyboardInterrupt
        return toy_batch(step, indices)

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    path_of(whole, mean_over=N)
    broken.mkdir()
    with pytest.raises(KeyboardInterrupt):
        trainer(broken, make_batch, mean_over=N).run(lambda: {"parameter": 0.0})
    run = trainer(broken, mean_over=N)
    run.restore(checkpoint.load(broken / CHECKPOINT))
    run.run()
    assert outcome(broken)[0] == outcome(whole)[0]
    ends = [checkpoint.load(folder / CHECKPOINT).position["parameters"] for folder in (broken, whole)]
    np.testing.assert_array_equal(*ends)


def test_what_comes_of_a_run_is_of_the_mean(tmp_path):
    """Its result, a model that is loaded, and a run that begins with its weights."""
    run = tmp_path / "run"
    with less_work():
        assert moving_mnist.main([*TOY, "--out", str(run)]) == 0
        assert moving_mnist.main(["--evaluate", str(run), "--out", str(tmp_path / "again")]) == 0
        on = [*TOY, "--weights", str(run), "--seed", "1", "--lr", "0", "--out", str(tmp_path / "on")]
        assert moving_mnist.main(on) == 0
    found = [json.loads((path / "result.json").read_text()) for path in (run, tmp_path / "again")]
    assert found[0]["scores"] == found[1]["scores"] and found[0]["options"]["mean_over"] == 3
    saved = checkpoint.load(run / CHECKPOINT)
    for model in (load_trained(MovingDigits, run)[1], models.load(run), models.load(tmp_path / "on")):
        for name, weight, _ in model.named_parameters():
            np.testing.assert_array_equal(weight, saved.parameters[name])
