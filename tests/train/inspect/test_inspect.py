"""The microscope: its numbers are those of the run, its page needs nothing else."""

import functools
import json
import re

import numpy as np
import pytest

import nnlite as nn
from nnlite import checkpoint, models
from nnlite.train.inspect import __main__ as inspect
from nnlite.train.inspect import page, sequences
from nnlite.train.inspect.forward_backward import ForwardBackward
from nnlite.train.inspect.sequences import sequence_for
from nnlite.train.inspect.traced_model import TracedModel, load
from nnlite.train.moving_mnist import __main__ as moving_mnist
from nnlite.train.moving_mnist import experiment as moving_mnist_experiment
from nnlite.train.runs.experiment import Sequence
from tests.toy_inspect import OPTIONS, STEPS, content_of, save, stored


@pytest.fixture(scope="module", autouse=True)
def digits_drawn_once():
    """Draw digits once for all tests here."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (sequences, moving_mnist_experiment):
            patch.setattr(module, "load_digits", functools.cache(module.load_digits))
        yield


@pytest.fixture(scope="module")
def look(tmp_path_factory):
    """Return a function that runs the command on a small checkpoint, once for the same arguments.

    It returns the content of the page, the `TracedModel` and the sequence.
    """

    @functools.cache
    def run(name, *options):
        folder = tmp_path_factory.mktemp("look")
        path, page = save(folder / "checkpoint.h5", name), folder / "page.html"
        arguments = [str(path), "--out", str(page), "--frames", str(STEPS), "--entries", "1", *options]
        assert inspect.main(arguments) == 0
        traced = load(path)
        sequence = sequence_for(traced, n_frames=STEPS)
        return json.loads(content_of(page)[0]), traced, sequence

    return run


def row_of(content, path):
    return next(row for row in content["modules"] if row["path"] == path)


def norm_of(content, index):
    return content["summaries"][index]["norm"]


@pytest.mark.parametrize("name", OPTIONS)
def test_the_numbers_are_those_of_a_plain_run(look, name):
    content, traced, sequence = look(name)
    run = ForwardBackward(traced, sequence, "all")
    loss = run.loss()
    grad_input = run.backward()
    assert content["loss"] == loss
    assert norm_of(content, content["input"]) == np.linalg.norm(grad_input.astype(np.float64))

    parameters = {row["path"]: row for row in content["parameters"]}
    assert list(parameters) == [path for path, _, _ in run.model.named_parameters()]
    for path, weight, grad in run.model.named_parameters():
        row = parameters[path]
        assert norm_of(content, row["weight"]) == pytest.approx(np.linalg.norm(weight), rel=1e-6)
        assert norm_of(content, row["gradient"]) == pytest.approx(np.linalg.norm(grad), rel=1e-5, abs=1e-12)

    whole = row_of(content, "")["signals"]
    for label, array in (("input", run.input), ("grad_input", grad_input)):
        for t, number in whole[label].items():
            assert norm_of(content, number) == pytest.approx(np.linalg.norm(array[int(t)]), rel=1e-6)
    assert set(whole["input"]) == set(map(str, range(STEPS)))


@pytest.mark.parametrize("name", OPTIONS)
def test_derivatives_agree_with_finite_differences_of_every_parameter_and_the_input(look, name):
    content, traced, _ = look(name)
    paths = ["input", *(path for path, _, _ in traced.model.named_parameters())]
    assert [check["what"] for check in content["checks"]] == paths
    smooth = [check for check in content["checks"] if not check["kink"]]
    assert len(smooth) >= len(paths) - 3
    assert max(check["error"] for check in smooth) < 1e-5


def test_every_step_of_a_module_has_arrays_of_its_own(look):
    content, traced, sequence = look("ae_convlstm_flow")
    run = ForwardBackward(traced, sequence, "all")
    with nn.trace(run.model, arrays=True) as trace:
        run.loss()
        run.backward()
    for path in ("encoder.1", "memory", "regressor.0", "sampler.0", "decoder"):
        signals = row_of(content, path)["signals"]
        for method, label in (("update_output", "output"), (None, "grad_output"), (None, "grad_input")):
            calls = trace.select(path, method)
            call = next(c for c in calls if getattr(c, label) and (method or c.grad_input))
            arrays = getattr(call, label).array
            for i, array in enumerate(arrays if isinstance(arrays, list) else [arrays]):
                name = f"{label}[{i}]" if isinstance(arrays, list) else label
                assert list(signals[name]) == list(map(str, range(STEPS)))
                for t, number in signals[name].items():
                    expected = np.linalg.norm(array[int(t)].astype(np.float64))
                    assert norm_of(content, number) == pytest.approx(expected, rel=1e-12)
    assert row_of(content, "memory")["gradients"].keys() == {
        "memory.i2g.weight",
        "memory.i2g.bias",
        "memory.o2g.weight",
    }
    assert row_of(content, "memory")["docs"].startswith("docs/gradients/recurrent.md#seqconvlstm")


def test_label_propagation_begins_at_the_second_frame(look):
    content, traced, sequence = look("segnet_flow")
    run = ForwardBackward(traced, sequence, "all")
    with nn.trace(run.model, arrays=True) as trace:
        run.loss()
        run.backward()
    signals = row_of(content, "propagation.merge")["signals"]
    forth = trace.select("propagation.merge", "update_output")
    back = trace.select("propagation.merge", "update_grad_input")
    assert len(forth) == len(back) == STEPS - 1
    for label, calls in (("output", forth), ("grad_output", back[::-1])):
        assert sorted(signals[label]) == [str(t) for t in range(1, STEPS)]
        for t, call in enumerate(calls, 1):
            assert norm_of(content, signals[label][str(t)]) == pytest.approx(getattr(call, label).norm)
    assert [row["name"] for row in content["frame_strip"]][-2:] == ["labels, predicted", "labels, trained on"]


def test_ae_conv_has_its_frames_in_one_column(look):
    content, _, _ = look("ae_conv")
    assert content["columns"] == ["all", *map(str, range(STEPS))]
    assert list(row_of(content, "encoder.0")["signals"]["output"]) == ["all"]
    prediction = next(row for row in content["frame_strip"] if row["name"] == "next frame, predicted")
    assert list(prediction["steps"]) == [str(STEPS - 1)]


def test_the_loss_of_the_last_prediction_alone(look):
    content, _, _ = look("ae_convlstm_flow", "--loss-at", "last")
    arriving = [norm_of(content, n) for n in row_of(content, "decoder")["signals"]["grad_output"].values()]
    assert arriving[:-1] == [0] * (STEPS - 1) and arriving[-1] > 0
    through = [norm_of(content, n) for n in row_of(content, "memory")["signals"]["grad_input"].values()]
    assert min(through) > 0  # the memory has carried it back


def test_the_page_needs_nothing_else(look):
    _, traced, _ = look("ae_convlstm_flow")
    page = traced.folder / "page.html"
    text = page.read_text(encoding="utf-8")
    assert page.stat().st_size < 10e6
    addresses = set(re.findall(r"https?://[^\"'\s)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, nothing is fetched from there
    assert not re.search(r"<(script|img|iframe|link)[^>]*\b(src|href)=(?!\"data:)", text)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|import\(", text)
    assert "{{" not in text.split('id="data"')[0]
    assert str(traced.folder) not in text


def test_a_name_is_text_on_the_page(tmp_path):
    name = "<!--<script></script>&{{DATA}} \udcff\n"
    page.write(tmp_path / "page.html", {"title": name, "facts": [["sequence", name]]}, [], [])
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert json.loads(content_of(tmp_path / "page.html")[0])["facts"] == [["sequence", name]]
    assert text.count("<!--") == 0 and text.count("<script") == 3
    assert text.count("&lt;!--&lt;script&gt;&lt;/script&gt;&amp;{{DATA}} \\udcff\n") == 2


def test_a_run_leaves_its_page(tmp_path, capsys):
    run = tmp_path / "run"
    options = ["--preset", "tiny", "--data", "drawn", "--device", "cpu", "--sequences", "8"]
    assert moving_mnist.main([*options, "--test-sequences", "4", "--out", str(run)]) == 0
    assert str(run / "inspect.html") in capsys.readouterr().out
    content, _ = stored(run / "inspect.html")
    assert {row["name"] for row in content["frame_strip"]} >= {"frame", "flow"}
    assert dict(content["facts"])["weights"] == "run/checkpoint.h5 at step 1"
    assert dict(content["facts"])["made by"] == "python -m train.inspect run"

    assert inspect.main([str(run), "--entries", "1", "--sequence", "2"]) == 0  # into the same folder
    content, _ = stored(run / "inspect.html")
    assert dict(content["facts"])["sequence"] == "test sequence 2, 1 moving drawn digits"


def test_the_default_is_the_pretrained_model_or_a_new_one(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "PRETRAINED", tmp_path)
    traced = load()
    assert traced.name == "ae_convlstm_flow" and "not trained" in traced.origin
    path = save(tmp_path / "ae_convlstm_flow.h5", "ae_convlstm_flow")
    traced = load()
    assert "pretrained" in traced.origin
    saved = checkpoint.load(path).parameters
    assert all(np.array_equal(saved[p], weight) for p, weight, _ in traced.model.named_parameters())
    assert load(name="segnet").options["height"] == 64


def test_what_is_moved_as_input_stays_as_target(look):
    for name in ("ae_convlstm_flow", "segnet_flow"):
        _, traced, sequence = look(name)
        run = ForwardBackward(traced, sequence, "all")
        targets = run.target if isinstance(run.target, list) else [run.target]
        assert not any(np.shares_memory(run.input, target) for target in targets)
        assert not np.shares_memory(run.input, sequence.frames)


def test_a_batch_normalisation_of_the_caller_keeps_its_statistics(tmp_path):
    model = models.build("segnet", **OPTIONS["segnet"])
    before = [array.copy() for _, array in model.named_buffers()]
    frames = np.random.default_rng(0).random((2, 1, 3, 32, 32)).astype(np.float32)
    labels = np.zeros((2, 1, 32, 32), np.int64)
    ForwardBackward(TracedModel(model, "new"), Sequence(frames, "noise", labels), "all").loss()
    assert before and all(np.array_equal(a, b) for a, (_, b) in zip(before, model.named_buffers()))
