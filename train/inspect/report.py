"""The page of a run: everything collected, compared with finite differences, and written."""

import math
from dataclasses import replace

import numpy as np
from tqdm.auto import tqdm

from nnlite import models
from nnlite.train.inspect import checks, page
from nnlite.train.inspect.forward_backward import ForwardBackward
from nnlite.train.inspect.frame_strip import frame_strip
from nnlite.train.inspect.memory import QUANTITIES, memories
from nnlite.train.inspect.module_rows import WHOLE, module_rows, parameter_rows
from nnlite.train.inspect.sequences import sequence_for
from nnlite.train.inspect.settings import ENTRIES, anonymised_command
from nnlite.train.inspect.summaries import TensorSummaries, frame_sizes
from nnlite.train.inspect.traced_model import load
from nnlite.train.runs.loop import CHECKPOINT
from nnlite.train.runs.run import PAGE

#: Seconds after which no further finite differences are begun.
SECONDS = 25.0
#: For the page that a run leaves: fewer finite differences, one step size, fewer pixels of an array.
QUICK = {"entries": 1, "step_sizes": checks.STEP_SIZES[:1], "pixels": 16384, "progress": False}


def page_of_run(folder, experiment):
    """Write the page of a finished run into its folder: its first test sequence, few finite differences."""
    traced = load(folder / CHECKPOINT)
    command = anonymised_command({"run": folder})
    sequence = sequence_for(replace(traced, experiment=experiment))
    write(folder / PAGE, traced, sequence, command=command, **QUICK)


def write(
    path,
    traced,
    sequence,
    *,
    loss_at=None,
    entries=ENTRIES,
    step_sizes=checks.STEP_SIZES,
    pixels=page.PIXELS[0],
    command="",
    progress=True,
):
    """Run a `TracedModel` on a `Sequence` and write the page; return what went into it as JSON.

    loss_at: "all" or "last", None for what the model was trained with. entries, step_sizes: of the finite
    differences. pixels: to keep of the maps of one array. command: how to make the page again. progress: show
    a progress bar.
    """
    loss_at = loss_at or traced.loss_at
    run = ForwardBackward(traced, sequence, loss_at)
    size = traced.options["height"], traced.options["width"]
    summaries = TensorSummaries(frame_sizes(*size))
    trace, loss, grad_input = run.run_traced()
    gradients = [grad for _, _, grad in run.model.named_parameters()]
    links = page.docs_links()
    rows = module_rows(trace, run.n_frames, summaries)
    whole = [WHOLE] if any(WHOLE in by_step for row in rows for by_step in row["signals"].values()) else []
    content = {
        "title": models.TITLES[traced.name],
        "facts": [
            ["weights", traced.origin],
            ["sequence", sequence.description],
            ["steps", f"{run.n_frames}, frames of {size[0]}x{size[1]}"],
            ["parameters", f"{models.count_parameters(traced.model):,}"],
            ["loss", _describe_loss(run, loss)],
            ["made by", command],
        ],
        "loss": loss,
        "gradient": math.sqrt(sum(float(np.square(g, dtype=np.float64).sum()) for g in gradients)),
        "input": summaries.add(grad_input),
        "columns": [*whole, *map(str, range(run.n_frames))],
        "modules": [row | {"docs": links.get(row["type"])} for row in rows],
        "parameters": parameter_rows(run.model, summaries),
        "memories": [_memory(*memory, summaries) for memory in memories(trace)],
        "quantities": QUANTITIES,
    }
    strip = frame_strip(run)
    del trace
    content["checks"] = _checks(traced, sequence, loss_at, entries, step_sizes, progress)
    content["step_sizes"] = step_sizes
    page.write(path, content, summaries.items, strip, pixels)
    return content


def describe_checks(results):
    """Return in one line how well derivatives and finite differences agree."""
    smooth = [check for check in results if not check["kink"]]
    kinks = len(results) - len(smooth)
    worst = max((check["error"] for check in smooth), default=0.0)
    at_kinks = f"; {kinks} more at kinks, where there is no derivative" if kinks else ""
    return f"{len(smooth)} derivatives within {worst:.1e} of finite differences{at_kinks}"


def _checks(traced, sequence, loss_at, entries, step_sizes, progress):
    """Return the comparison with finite differences, with a progress bar."""
    with tqdm(desc="finite differences", unit="", disable=not progress, leave=False) as bar:

        def show(done, total):
            bar.total = total
            bar.update(done - bar.n)

        run = ForwardBackward(traced, sequence, loss_at, np.float64)
        return checks.compare(run, entries, SECONDS, step_sizes, progress=show)


def _memory(path, values, derivatives, summaries):
    """Return {"path", "values" and "derivatives": {symbol: {step: index of a summary}}} of a memory."""
    importance = {
        symbol: np.square(array, dtype=np.float64).sum(axis=(0, *range(2, array.ndim)))
        for symbol, array in derivatives.items()
    }
    indices = {
        name: {
            symbol: {str(t): summaries.add(step, importance["h"]) for t, step in enumerate(array)}
            for symbol, array in arrays.items()
        }
        for name, arrays in (("values", values), ("derivatives", derivatives))
    }
    return {"path": path} | indices


def _describe_loss(run, loss):
    """Return the loss and its definition in words."""
    name = {
        "BCECriterion": "binary cross-entropy",
        "CharbonnierCriterion": "Charbonnier loss",
        "MSECriterion": "squared error (eq. 4)",
        "PixelCrossEntropy": "cross-entropy of the labels",
        "SegmentationLoss": "cross-entropy of the labels and squared error of the frames",
    }[type(run.criterion).__name__]
    steps = "the last prediction" if run.loss_at == "last" and not run.segments else "all steps"
    penalty = f", of which {run.penalty:.6g} is the penalty H" if run.penalty else ""
    return f"{loss:.8g}: {name} summed over {steps}{penalty}"
