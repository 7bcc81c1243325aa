"""Training with CUDA graphs is the same as without, on the double of CuPy and where there is a GPU, on it."""

import numpy as np
import pytest

from nnlite import backend, checkpoint
from nnlite.benchmarks.gpu.agreement import moved
from nnlite.benchmarks.nnlite_contestant import NnliteContestant
from nnlite.models.feedback import FeedbackWithGradient
from nnlite.ops import cupy_ops
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.runs.loop import CHECKPOINT
from tests import cupy_double
from tests.nnlite.test_device_path import frames, losses, small, trainer

pytestmark = pytest.mark.usefixtures("library")


def same_but_for_atomics(one, other, model):
    """Compare to the bit; but on a GPU the sampler of a model with flow adds up in any order."""
    if model == "ae_convlstm_flow" and not cupy_double.is_installed():
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    else:
        np.testing.assert_array_equal(one, other)


def trained(folder, model, graph):
    """Return parameters and sums after each of seven steps: rates fall, the flow starts, scores are made."""
    run = trainer("cuda", folder, model, sequences=14, flow_warmup=4, lr_decay_fraction=0.6, cuda_graph=graph)
    cupy_ops.use_cublas()  # so that both multiply alike
    evaluated, history = moved(frames(3, 3), "cuda"), []
    for step in range(7):
        if step % 3 == 0:
            run.model.evaluate()
            run.model.forward(evaluated)
            run.model.training()
        run.train_step()
        history += [run.parameters.get(), float(run.sums["loss"]), float(run.sums["penalty"])]
    return history


@pytest.mark.parametrize(
    "name, algorithm, options",
    [
        ("ae_convlstm_flow", "gemm", {}),
        ("ae_convlstm_flow", "spectral", {}),
        ("ae_convlstm_flow", None, {"untied": True}),
        ("ae_convlstm", None, {}),
        ("ae_conv", None, {}),
        ("ae_fclstm", None, {}),
    ],
)
def test_training_is_the_same(tmp_path, name, algorithm, options):
    histories = []
    for graph in (False, True):
        model = small(name, **options)
        if algorithm:
            model.memory.algorithm = algorithm
        histories.append(trained(tmp_path / str(graph), model, graph))
    for plain, graphed in zip(*histories, strict=True):
        same_but_for_atomics(graphed, plain, name)
    assert len({x for x in histories[0] if isinstance(x, float)}) > 7


@pytest.mark.parametrize("name", ["ae_convlstm", "ae_convlstm_flow"])
def test_training_with_feedback_is_the_same(tmp_path, name):
    histories = [
        trained(tmp_path / str(graph), FeedbackWithGradient(small(name), 2), graph) for graph in (False, True)
    ]
    for plain, graphed in zip(*histories, strict=True):
        same_but_for_atomics(graphed, plain, name)
    assert len({x for x in histories[0] if isinstance(x, float)}) > 7


def test_a_sequence_longer_than_eight_frames(tmp_path):
    """CuPy joins more than eight arrays by a list of their places, which it uploads."""
    run = trainer("cuda", tmp_path, small("ae_convlstm_flow", untied=True), length=10, cuda_graph=True)
    run.train_step()
    assert np.isfinite(run.parameters.get()).all()


def test_a_step_waits_for_nothing(tmp_path, synchronisations):
    run = trainer("cuda", tmp_path, sequences=100, cuda_graph=True)
    run.train_step()
    synchronisations.clear()
    for _ in range(2):
        run.train_step()
    assert synchronisations == []


def test_training_goes_on_from_a_checkpoint(tmp_path):
    whole = trainer("cuda", tmp_path / "whole", cuda_graph=True)
    whole.run()
    begun = trainer("cuda", tmp_path / "begun", cuda_graph=True)
    for _ in range(2):
        begun.train_step()
    begun.save()
    resumed = trainer("cuda", tmp_path / "begun", cuda_graph=True)
    resumed.restore(checkpoint.load(tmp_path / "begun" / CHECKPOINT))
    resumed.run()
    same_but_for_atomics(resumed.parameters.get(), whole.parameters.get(), "ae_convlstm_flow")
    same_but_for_atomics(losses(tmp_path / "begun"), losses(tmp_path / "whole"), "ae_convlstm_flow")


@pytest.mark.parametrize("options", [{}, {"tf32": True}, {"cuda_graph": True}])
def test_tf32_and_graphs_need_cublas_itself(tmp_path, monkeypatch, options):
    monkeypatch.setenv("CUPY_TF32", "0")
    trainer("cuda", tmp_path, **options)
    assert cupy_ops.use_cublas(False) is bool(options)
    assert backend.uses_tf32() is ("tf32" in options)


def test_the_command_line(tmp_path, capsys):
    command = ["--preset", "tiny", "--data", "drawn", "--device", "cpu", "--cuda-graph"]
    assert moving_mnist.main([*command, "--out", str(tmp_path)]) == 2
    assert "CUDA graphs need a GPU" in capsys.readouterr().err
    command += ["--model", "ae_convlstm", "--steps-ahead", "2"]
    assert moving_mnist.main([*command, "--out", str(tmp_path)]) == 2
    assert "--feedback data with --cuda-graph" in capsys.readouterr().err


def test_benchmark(tmp_path, monkeypatch):
    model = small("ae_convlstm_flow")
    monkeypatch.setattr("nnlite.models.build", lambda *_, **__: model.clone())
    np.savez(tmp_path / "parameters.npz", **{path: weight for path, weight, _ in model.named_parameters()})
    np.savez(tmp_path / "frames.npz", frames=frames(4))
    came_to, memory = [], []
    for graph in (False, True):
        contestant = NnliteContestant("train", "ae_convlstm_flow", "cuda", tmp_path, {"cuda_graph": graph})
        came_to.append(contestant.warm_up(2))
        memory.append(contestant.peak_memory()["device"])
    assert came_to[1] == pytest.approx(came_to[0], rel=1e-6)
    assert memory[1] > memory[0]
