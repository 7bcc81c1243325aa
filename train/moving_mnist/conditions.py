"""Trained models on sequences that differ from those they learned from: one table, a column a condition.

Beside them what needs no model: the calibrated copy, and the Bayes bound.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nnlite import backend
from nnlite.files import make_folder, write_text
from nnlite.train.moving_mnist import evaluation
from nnlite.train.moving_mnist.bayes_bound import least_errors
from nnlite.train.moving_mnist.description import frames_scored
from nnlite.train.moving_mnist.settings import Settings
from nnlite.train.moving_mnist.trained import load
from nnlite.train.report.anonymise import anonymised_command
from nnlite.train.report.files import write_json
from nnlite.train.report.tables import format_markdown

#: On how many test sequences unless the user says otherwise; so many at once.
COUNT, BATCH = 200, 20
COPY, LEAST = "copy of the last frame, calibrated", "Bayes bound: shapes and range of speeds known"
NOTES = """\
Binary cross-entropy in nats a pixel of frame {frame} given the frames before, on {count:,} test sequences of
each kind. The copy is calibrated on training sequences of the same kind; the Bayes bound is not known for
grey frames. A model whose matrices are for one size of frames has no figure at another."""


@dataclass(frozen=True)
class Page:
    """One such table: the command's option, a heading, {column: changed settings}, and what to say of it."""

    name: str
    heading: str
    conditions: Mapping
    notes: str


def show(page, experiment, given, line):
    """Score a trained model, or all that come along, under each condition; return the exit status.

    Written to the folder `out`, if there is one: a file .md and one .json, of the name of the page.
    """
    found = load(experiment, given[page.name], given)
    content = table(found, page.conditions, given.get("test_sequences", COUNT))
    content |= {"command": anonymised_command(line, Settings.path_flags())}
    text = f"{format_table(content)}\n{page.notes}"
    print(text)
    if "out" in given:
        folder = make_folder(given["out"])
        write_json(Path(folder) / f"{page.name}.json", content)
        write_text(Path(folder) / f"{page.name}.md", f"# {page.heading}\n\n{text}\n")
    return 0


def table(found, conditions, count):
    """Return the errors of models, {name: (experiment, model)}, and of what needs none, ready for JSON.

    conditions: {column: settings that differ from those of the first model}.
    """
    first, _ = next(iter(found.values()))
    rows = {
        name: {"trained_at": list(opened.settings.speed), "targets": opened.settings.targets, "errors": []}
        for name, (opened, _) in found.items()
    }
    copies, least = [], []
    for changes in conditions.values():
        for name, (opened, model) in found.items():
            here = _changed(first, changes | {"targets": opened.settings.targets})
            rows[name]["errors"].append(_error(opened, model, here, count))
        here = _changed(first, changes)
        train, test = here.sequences(here.settings.seen + 1)
        copies.append(evaluation.score_baselines(train, test, count)["copy"]["last"])
        bounds = least_errors(test, count)
        least.append(None if bounds is None else float(bounds[-1]))
    return {
        "targets": first.settings.targets,
        "frame": frames_scored(first.settings.kept("experiment")),
        "sequences": count,
        "columns": list(conditions),
        "models": rows,
        "copy": copies,
        "least": least,
    }


def _changed(opened, changes):
    """Return an experiment like another, but on generated sequences, and with other settings."""
    generated = {"sequences_file": None, "train_sequences_file": None}
    return type(opened)(replace(opened.settings, **generated, **changes))


def _error(opened, model, here, count):
    """Return the error of a trained model under the condition of the experiment `here`, or None."""
    fitting = resized(opened, model, here.settings.size)
    if fitting is None:
        return None
    test = here.sequences(here.settings.seen + 1)[1]
    return evaluation.evaluate(fitting, test, count, BATCH)["bce"]["last"]


def resized(opened, model, size):
    """Return a trained model for square frames of another size, None where its matrices are for its own."""
    if size == opened.settings.size:
        return model
    try:
        other = opened.evaluated_model(_changed(opened, {"size": size}).build_model(model.device))
    except ValueError:  # options that fit frames of its own size alone, as the cells of AE-fcLSTM
        return None
    pairs = list(zip(other.parameters()[0], model.parameters()[0], strict=True))
    if any(new.shape != old.shape for new, old in pairs):
        return None
    for new, old in pairs:
        new[...] = backend.asarray(old, new.dtype, model.device)
    return other


def format_table(content):
    """Return the table in Markdown, with what was measured and how."""
    columns = ("model", "trained at", "targets", *content["columns"])
    rows = [
        (name, pace(row["trained_at"]), row["targets"], *map(_number, row["errors"]))
        for name, row in content["models"].items()
    ]
    for name, values in ((COPY, content["copy"]), (LEAST, content["least"])):
        rows.append((name, "", content["targets"], *map(_number, values)))
    notes = NOTES.format(frame=content["frame"], count=content["sequences"])
    return "\n".join([format_markdown(columns, rows), "", notes])


def pace(ends):
    """Return a speed, or the range that it is drawn from, as text."""
    return f"{ends[0]:g}" if ends[0] == ends[-1] else f"{ends[0]:g} to {ends[-1]:g}"


def _number(value):
    return "" if value is None else f"{value:.4f}"
