"""The page of a run: everything collected, compared with finite differences, and written."""

import math
import shlex
from pathlib import Path

import numpy as np
from nnlite.train.inspect import checks as inspection_checks
from nnlite.train.inspect import page as inspection_page
from nnlite.train.inspect.film import film
from nnlite.train.inspect.memory import QUANTITIES, memories
from nnlite.train.inspect.readings import (
    WHOLE,
    Problem,
    Readings,
    frame_sizes,
    inspect_run,
    module_rows,
    parameter_rows,
)
from nnlite.train.inspect.subject import load
from nnlite.train.runs.loop import CHECKPOINT
from nnlite.train.runs.run import PAGE
from tqdm import tqdm

from nnlite import models

PROGRAM = "python -m train.inspect"
#: Of the finite differences: entries of each array, and seconds after which no further ones are begun.
ENTRIES, SECONDS = 3, 25.0
#: For the page that a run leaves: less of them, with one step, and fewer pixels of a reading.
QUICK = {"entries": 1, "steps": inspection_checks.STEPS[:1], "pixels": 16384, "progress": False}
TITLES = {
    "ae_conv": "AE-Conv",
    "ae_fclstm": "AE-fcLSTM",
    "ae_convlstm": "AE-ConvLSTM",
    "ae_convlstm_flow": "AE-ConvLSTM-flow",
    "segnet": "SegNet",
    "segnet_flow": "SegNet-flow",
}


def page_of_run(folder, experiment):
    """Write the page of a finished run into its folder: its first test sequence, few finite differences."""
    subject = load(folder / CHECKPOINT)
    command = f"{PROGRAM} {shlex.quote(folder.name)}"
    write(folder / PAGE, subject, experiment.test_sequence(0), command=command, **QUICK)


def write(
    path,
    subject,
    sequence,
    *,
    loss_at=None,
    entries=ENTRIES,
    steps=inspection_checks.STEPS,
    pixels=inspection_page.PIXELS[0],
    command="",
    progress=True,
):
    """Run a `Subject` on a `Sequence` and write the page; return what went into it as JSON.

    loss_at: "all" or "last", None for what the model was trained with. entries, steps: of the finite
    differences. pixels: kept of the maps of one reading. progress: show a progress bar.
    """
    loss_at = loss_at or subject.loss_at
    problem = Problem(subject, sequence, loss_at)
    size = subject.options["height"], subject.options["width"]
    readings = Readings(frame_sizes(*size))
    trace, loss, grad_input = inspect_run(problem)
    gradients = [grad for _, _, grad in problem.model.named_parameters()]
    links = inspection_page.docs_links()
    rows = module_rows(trace, problem.steps, readings)
    columns = [WHOLE] if any(WHOLE in s for row in rows for s in row["signals"].values()) else []
    content = {
        "title": TITLES[subject.name],
        "facts": [
            ["weights", _without_folders(subject.weights)],
            ["sequence", sequence.description],
            ["steps", f"{problem.steps}, frames of {size[0]}x{size[1]}"],
            ["parameters", f"{models.count_parameters(subject.model):,}"],
            ["loss", _describe_loss(problem, loss)],
            ["made by", command],
        ],
        "loss": loss,
        "gradient": math.sqrt(sum(float(np.square(g, dtype=np.float64).sum()) for g in gradients)),
        "input": readings.add(grad_input),
        "columns": [*columns, *map(str, range(problem.steps))],
        "modules": [row | {"docs": links.get(row["kind"])} for row in rows],
        "parameters": parameter_rows(problem.model, readings),
        "memories": [_memory(*memory, readings) for memory in memories(trace)],
        "quantities": QUANTITIES,
    }
    pictures = film(problem)
    del trace
    content["checks"] = _checks(subject, sequence, loss_at, entries, steps, progress)
    content["steps_of_checks"] = steps
    inspection_page.write(path, content, readings.items, pictures, pixels)
    return content


def describe_checks(checks):
    """Return in one line how derivatives and finite differences agree."""
    smooth = [check for check in checks if not check["kink"]]
    kinks = len(checks) - len(smooth)
    worst = max((check["error"] for check in smooth), default=0.0)
    at_kinks = f"; {kinks} more at kinks, where there is no derivative" if kinks else ""
    return f"{len(smooth)} derivatives within {worst:.1e} of finite differences{at_kinks}"


def _checks(subject, sequence, loss_at, entries, steps, progress):
    """Return the comparison with finite differences, with a progress bar."""
    with tqdm(desc="finite differences", unit="", disable=not progress, leave=False) as bar:

        def show(done, total):
            bar.total = total
            bar.update(done - bar.n)

        problem = Problem(subject, sequence, loss_at, np.float64)
        return inspection_checks.compare(problem, entries, SECONDS, steps, progress=show)


def _memory(path, values, derivatives, readings):
    """Return the readings of a memory: {"path", "values" and "derivatives": {symbol: {step: reading}}}."""
    importance = {
        symbol: np.square(array, dtype=np.float64).sum(axis=(0, *range(2, array.ndim)))
        for symbol, array in derivatives.items()
    }
    sides = {
        name: {
            symbol: {str(t): readings.add(step, importance["h"]) for t, step in enumerate(array)}
            for symbol, array in arrays.items()
        }
        for name, arrays in (("values", values), ("derivatives", derivatives))
    }
    return {"path": path} | sides


def _describe_loss(problem, loss):
    """Return the loss and what it is, in words."""
    name = {
        "BCECriterion": "binary cross-entropy",
        "MSECriterion": "squared error (eq. 4)",
        "PixelCrossEntropy": "cross-entropy of the labels",
        "SegmentationLoss": "cross-entropy of the labels and squared error of the frames",
    }[type(problem.criterion).__name__]
    where = "the last prediction" if problem.loss_at == "last" and not problem.segments else "all steps"
    penalty = f", of which {problem.penalty:.6g} is the penalty H" if problem.penalty else ""
    return f"{loss:.8g}: {name} summed over {where}{penalty}"


def _without_folders(weights):
    """Return the words on the weights with no more of a path than the run's folder and the file."""
    path, at, step = weights.partition(" at step ")
    return "/".join(Path(path).parts[-2:]) + at + step if path.endswith(".h5") else weights
