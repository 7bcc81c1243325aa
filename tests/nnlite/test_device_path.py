"""What runs on a GPU gives the CPU's numbers: on a strict double of CuPy and, where there is a GPU, on it."""

import json

import numpy as np
import pytest

import nnlite as nn
from nnlite import backend, checkpoint, gradcheck, models, optim, table
from nnlite.benchmarks.gpu import agreement
from nnlite.benchmarks.gpu.agreement import moved, passes
from nnlite.benchmarks.nnlite_contestant import NnliteContestant
from nnlite.ops.spectral import SpectralConvolution
from nnlite.recurrent import spectral_conv_lstm
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist import experiment as moving_mnist_experiment
from nnlite.train.runs.log import read_log
from nnlite.train.runs.loop import CHECKPOINT, Trainer
from nnlite.train.runs.loop_options import LoopOptions
from tests import cupy_double

#: The largest difference between the devices, over the largest entry of an array (but at least 0.05). The
#: double computes as the CPU does, by algorithms estimated to be fast on a GPU; a GPU adds up in
#: another order and has another tanh.
TOLERANCE = {"double": 2e-5, "gpu": 1e-4}

SMALL = {"height": 12, "width": 16, "n_features": 3, "n_memory": 4, "kernel": 3}
OPTIONS = {"ae_conv": {"n_frames": 3}, "ae_convlstm_flow": {"flow_kernel": 5}}


pytestmark = pytest.mark.usefixtures("library")


def tolerance():
    """Return TOLERANCE of the library that `import cupy` gives."""
    return TOLERANCE["double" if cupy_double.is_installed() else "gpu"]


def same(cpu, gpu, what):
    """Compare arrays, or tables of arrays, of the two devices."""
    for a, b in zip(table.leaves(cpu), table.leaves(gpu), strict=True):
        assert backend.device_of(b) == "cuda", what
        assert b.dtype == a.dtype and b.shape == a.shape, what
        scale = np.abs(a).max(initial=0.05)
        np.testing.assert_allclose(b.get(), a, rtol=0, atol=tolerance() * scale, err_msg=what)


LABELS = list(agreement.cases())


@pytest.mark.parametrize(
    "label, dtype", [(label, "float32") for label in LABELS] + [(label, "float64") for label in LABELS[::6]]
)
def test_case(label, dtype):
    """Every module and criterion that gradients are checked of, with the inputs of that check."""
    errors = agreement.differences(label, dtype)
    assert len(errors) >= 2 and max(errors.values()) < min(tolerance(), agreement.TOLERANCE[dtype]), errors


def test_all_modules_have_a_case():
    classes = {**gradcheck.public_classes("nnlite"), **gradcheck.public_classes("nnlite.models")}
    assert set(classes) <= {label.split()[0] for label in agreement.cases()}


def frames(steps=3, batch=2, seed=1, height=12, width=16):
    """Return binary frames (T, N, 1, H, W)."""
    return np.random.default_rng(seed).integers(0, 2, (steps, batch, 1, height, width)).astype(np.float32)


def small(name, **options):
    """Return a small model whose memory and flow are far from zero."""
    nn.manual_seed(3)
    model = models.build(name, **SMALL, **OPTIONS.get(name, {}), **options)
    for part in ("memory", "regressor"):
        if hasattr(model, part):
            getattr(model, part).reset(0.3)
    return model


@pytest.mark.parametrize("name", models.names())
def test_model(name):
    model = small(name)
    twin, x = model.clone(), frames()
    there = passes(twin, x, "cuda")
    for what, array in passes(model, x, "cpu").items():
        same(array, there[what], what)
    model.evaluate()
    twin.evaluate()
    same(model.forward(x), twin.forward(moved(x, "cuda")), "evaluating")
    if hasattr(model, "flow"):
        same(model.flow, twin.flow, "flow")


@pytest.mark.parametrize("algorithm, tile", [("gemm", None), ("spectral", 13), ("spectral", 5)])
def test_seq_conv_lstm(algorithm, tile, monkeypatch):
    """Two sequences that follow one another, in training and in evaluation; maps that tiles do not divide."""
    monkeypatch.setattr(spectral_conv_lstm, "choose_tile", lambda *sizes: tile)
    model = nn.SeqConvLSTM(2, 3, 5, 3, algorithm=algorithm).remember("both")
    twin, rng = model.clone(), np.random.default_rng(0)
    twin.cuda()
    for training in (True, False):
        for module in (model, twin):
            module.training() if training else module.evaluate()
        for _ in range(2):
            x, g = rng.standard_normal((2, 3, 2, 3, 9, 13)).astype(np.float32)
            x, g_there = x[:, :, :2], moved(g, "cuda")
            same(model.forward(x), twin.forward(moved(x, "cuda")), "output")
            if training:
                same(model.backward(x, g), twin.backward(moved(x, "cuda"), g_there), "grad_input")
    for (path, _, grad), (_, _, grad_there) in zip(
        model.named_parameters(), twin.named_parameters(), strict=True
    ):
        same(grad, grad_there, path)


@pytest.mark.parametrize("chunk, padding", [(None, None), (2, None), (2, 2)])
@pytest.mark.parametrize("anew", [False, True])
def test_spectral_convolution(chunk, padding, anew):
    """The GPU takes all frequencies at once where the CPU takes them piece by piece."""
    rng, results = np.random.default_rng(0), []
    weight, bias = rng.standard_normal((4, 3, 3, 5)), rng.standard_normal(4)
    side = 10 if padding is None else 6
    u, dz = rng.standard_normal((3, side, side, 3, 5)), rng.standard_normal((3, 6, 6, 4, 5))
    for device in ("cpu", "cuda"):
        xp = backend.array_module(device)
        kind = np.dtype(np.float32), xp, chunk, padding, anew
        convolution = SpectralConvolution(3, 4, (3, 5), 6, 5, 3, *kind)
        convolution.set_weight(moved(weight, device), moved(bias, device))
        z, du, gradients = xp.empty(dz.shape, np.float32), xp.empty(u.shape, np.float32), []
        for t in range(3):
            convolution.forward(moved(u[t], device), z[t], t)
        for t in (2, 1, 0):
            convolution.backward(moved(dz[t], device), du[t], t, moved(u[t], device))
            if t % convolution.chunk == 0:
                gradients += convolution.weight_gradient(t)
        results.append([z, du, *gradients])
    for cpu, gpu in zip(*results, strict=True):
        same(cpu, gpu, "z, du or a gradient")


@pytest.mark.parametrize("name", optim.__all__)
def test_optimiser(name):
    """Three steps of each optimiser, or one clipping of each kind."""
    x, g = np.random.default_rng(0).standard_normal((2, 50)).astype(np.float32)
    x_there, g_there = moved(x, "cuda"), moved(g, "cuda")
    if name.startswith("clip"):
        for array in (g, g_there):
            getattr(optim, name)(array, 0.5)
        same(g, g_there, name)
        return
    for start, gradient in ((x, g), (x_there, g_there)):
        state, config = {}, {"learning_rate": 0.1} if name != "adadelta" else {}
        if name == "sgd":
            config |= {"momentum": 0.9, "learning_rates": np.linspace(0.1, 1, 50)}
        if name == "muon":
            config["shapes"] = [(5, 4), (6,), (3, 2, 2), (2, 5), (2,)]
        for _ in range(3):
            getattr(optim, name)(lambda _, g=gradient: (0.0, g), start, config, state)
    same(x, x_there, name)


def test_checkpoint(tmp_path):
    model = small("ae_convlstm_flow").cuda()
    checkpoint.save(tmp_path / "a.h5", model, optimiser={"m": moved(np.arange(3.0), "cuda")})
    saved = checkpoint.load(tmp_path / "a.h5")
    np.testing.assert_array_equal(saved.optimiser["m"], np.arange(3.0))
    twin = models.build("ae_convlstm_flow", **SMALL, flow_kernel=5).cuda()
    checkpoint.load_parameters(twin, saved)
    for (path, a, _), (_, b, _) in zip(model.named_parameters(), twin.named_parameters(), strict=True):
        same(a.get(), b, path)


def trainer(device, folder, model=None, length=4, **options):
    """Return a trainer of a small model, by default one with flow, on a few sequences of `length` frames."""
    folder.mkdir(exist_ok=True)
    options = {"sequences": 8, "batch": 2, "log_every": 3, "flow_warmup": 2} | options

    def make_batch(step, indices):
        x = np.concatenate([frames(length, 1, seed) for seed in indices], axis=1)
        return x[: -1 - fed_back], x[1:]

    model = (model or small("ae_convlstm_flow")).type(device=device)
    fed_back = getattr(model, "fed_back", 0)
    criterion = nn.BCECriterion(size_average=False)
    return Trainer(model, criterion, make_batch, LoopOptions(**options), folder, epoch=8)


def losses(folder):
    return [[line["loss"], line["penalty"]] for line in read_log(folder) if "loss" in line]


@pytest.mark.parametrize("loss_at", ["all", "last"])
def test_training(tmp_path, loss_at):
    for device in ("cpu", "cuda"):
        assert trainer(device, tmp_path / device, loss_at=loss_at).run() is None
    assert len(losses(tmp_path / "cuda")) == 2
    np.testing.assert_allclose(losses(tmp_path / "cuda"), losses(tmp_path / "cpu"), rtol=1e-4)


def test_training_goes_on_from_a_checkpoint(tmp_path):
    whole = trainer("cuda", tmp_path / "whole")
    whole.run()
    begun = trainer("cuda", tmp_path / "begun")
    for _ in range(2):
        begun.train_step()
    begun.save()
    resumed = trainer("cuda", tmp_path / "begun")
    resumed.restore(checkpoint.load(tmp_path / "begun" / CHECKPOINT))
    resumed.run()
    np.testing.assert_allclose(losses(tmp_path / "begun"), losses(tmp_path / "whole"), rtol=1e-5)


def test_a_training_step_on_a_gpu_keeps_nothing(tmp_path):
    for device in ("cpu", "cuda"):
        run = trainer(device, tmp_path / device)
        run.train_step()
        kept = [module for module in run.model.list_modules() if module.output is not None]
        assert bool(kept) == (device == "cpu")
        assert all(module.grad_input is None for module in run.model.list_modules()) == (device == "cuda")


@pytest.mark.parametrize("algorithm", ["gemm", "spectral"])
def test_a_training_step_waits_for_nothing(tmp_path, synchronisations, algorithm):
    run = trainer("cuda", tmp_path, sequences=100, flow_warmup=0)
    run.model.memory.algorithm = algorithm
    run.train_step()  # the first may make buffers and constants
    synchronisations.clear()
    for _ in range(2):
        run.train_step()
    assert synchronisations == []


def test_main_job(tmp_path, monkeypatch, library):
    digits = np.random.default_rng(0).integers(0, 2, (2, 30, 28, 28), np.uint8) * 255
    monkeypatch.setattr(moving_mnist_experiment, "digits", lambda data: (*digits, "drawn"))
    sizes = "--frames 4 --sequences 16 --test-sequences 8 --train-sequences 16".split()
    run = tmp_path / "run"
    command = ["--preset", "tiny", "--data", "drawn", "--device", "cuda", *sizes, "--out", str(run)]
    assert moving_mnist.main(command) == 0
    names = {entry.name for entry in run.iterdir()}
    pictures = {"curves.png", "predictions.png", "inspect.html"}
    assert names == {"checkpoint.h5", "log.jsonl", "result.json", ".lock"} | pictures
    hardware = json.loads((run / "result.json").read_text())["hardware"]
    assert hardware["device"] == "cuda" and (library == "gpu" or hardware["gpu"] == "a double")
    scores = []
    for device in ("cuda", "cpu"):
        arguments = ["--evaluate", str(run / CHECKPOINT), "--device", device]
        assert moving_mnist.main([*arguments, "--out", str(tmp_path / device)]) == 0
        scores.append(json.loads((tmp_path / device / "result.json").read_text())["scores"])
    for name, score in scores[1].items():
        assert scores[0][name] == pytest.approx(score, rel=1e-4), name
    assert moving_mnist.main(["--figures", str(run), "--device", "cuda", "--test-sequences", "2"]) == 0
    assert (run / "rollout.png").exists()


@pytest.mark.parametrize("job", ["train", "sequences", "stream"])
def test_benchmark(tmp_path, monkeypatch, job):
    model = small("ae_convlstm_flow")
    monkeypatch.setattr(models, "build", lambda *_, **__: model.clone())
    np.savez(tmp_path / "parameters.npz", **{path: weight for path, weight, _ in model.named_parameters()})
    np.savez(tmp_path / "frames.npz", frames=frames(4))
    came_to = []
    for device in ("cpu", "cuda"):
        contestant = NnliteContestant(job, "ae_convlstm_flow", device, tmp_path, {})
        came_to.append(contestant.warm_up(2))
        assert set(contestant.peak_memory()) == {"host"} | ({"device"} if device == "cuda" else set())
        if job == "train":
            contestant.save_gradients(f"{device}.npz")
            assert all(np.isfinite(row[1:]).all() for row in contestant.profile(1))
    assert came_to[1] == pytest.approx(came_to[0], rel=tolerance())
