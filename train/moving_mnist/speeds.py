"""Models on digits of several speeds, fixed and drawn, beside the copy and the Bayes bound."""

from dataclasses import replace
from pathlib import Path

from nnlite.files import make_folder, write_text
from nnlite.train.moving_mnist import evaluation
from nnlite.train.moving_mnist.bayes_bound import least_errors
from nnlite.train.moving_mnist.description import frames_scored
from nnlite.train.moving_mnist.settings import Settings
from nnlite.train.moving_mnist.trained import load
from nnlite.train.report.anonymise import anonymised_command
from nnlite.train.report.files import write_json
from nnlite.train.report.tables import format_markdown

#: Pixels a frame; the paper's "uniform random sampling to obtain direction and velocity" can mean 3.6, the
#: speed in Srivastava et al.'s code, or a speed drawn for each digit.
SPEEDS = ((1.8,), (3.6,), (0.0, 3.6), (2.0, 5.0))
#: On how many test sequences unless the user says otherwise; so many at once.
COUNT, BATCH = 200, 20
COPY, LEAST = "copy of the last frame, calibrated", "Bayes bound: digits and range of speeds known"
NOTES = """\
Binary cross-entropy in nats a pixel of frame {frame} given the frames before, on {count:,} test sequences of
each speed, in pixels a frame; of two numbers each digit draws its speed in between. The copy is calibrated on
training sequences of the same speed; the Bayes bound is not known for grey frames."""


def show(experiment, given, line):
    """Score a trained model, or all that come along, at each of the speeds; return the exit status.

    Written to the folder `out`, if there is one: speeds.md and speeds.json.
    """
    found = load(experiment, given["speeds"], given)
    page = table(found, given.get("test_sequences", COUNT))
    page |= {"command": anonymised_command(line, Settings.path_flags())}
    print(format_page(page))
    if "out" in given:
        folder = Path(given["out"])
        make_folder(folder)
        write_json(folder / "speeds.json", page)
        write_text(folder / "speeds.md", f"# Several speeds\n\n{format_page(page)}\n")
    return 0


def table(found, count):
    """Return the errors of models, {name: (experiment, model)}, and of what needs none, ready for JSON.

    All of them are scored on the sequences of the first one, at other speeds.
    """
    first, _ = next(iter(found.values()))
    rows = {
        name: {
            "trained_at": list(opened.settings.speed),
            "targets": opened.settings.targets,
            "errors": [],
        }
        for name, (opened, _) in found.items()
    }
    copies, least = [], []
    for speed in SPEEDS:
        for name, (opened, model) in found.items():
            test = _sequences(first, opened.settings.targets, speed)[1]
            scores = evaluation.evaluate(model, test, count, BATCH)
            rows[name]["errors"].append(scores["bce"]["last"])
        train, test = _sequences(first, first.settings.targets, speed)
        copies.append(evaluation.score_baselines(train, test, count)["copy"]["last"])
        bounds = least_errors(test, count)
        least.append(None if bounds is None else float(bounds[-1]))
    return {
        "targets": first.settings.targets,
        "frame": frames_scored(first.settings.kept("experiment")),
        "sequences": count,
        "speeds": [list(speed) for speed in SPEEDS],
        "models": rows,
        "copy": copies,
        "least": least,
    }


def _sequences(opened, targets, speed):
    """Return training and test sequences like those of an experiment, but generated, and at this speed."""
    changes = {"speed": speed, "targets": targets, "sequences_file": None, "train_sequences_file": None}
    other = type(opened)(replace(opened.settings, **changes))
    return other.sequences(other.settings.seen + 1)


def format_page(page):
    """Return the table in Markdown, with what was measured and how."""
    columns = ("model", "trained at", "targets", *map(_speed, page["speeds"]))
    rows = [
        (name, _speed(row["trained_at"]), row["targets"], *map(_number, row["errors"]))
        for name, row in page["models"].items()
    ]
    for name, values in ((COPY, page["copy"]), (LEAST, page["least"])):
        rows.append((name, "", page["targets"], *map(_number, values)))
    notes = NOTES.format(frame=page["frame"], count=page["sequences"])
    return "\n".join([format_markdown(columns, rows), "", notes])


def _speed(ends):
    """Return a speed, or the range that it is drawn from, as text."""
    return f"{ends[0]:g}" if ends[0] == ends[-1] else f"{ends[0]:g} to {ends[-1]:g}"


def _number(value):
    return "" if value is None else f"{value:.4f}"
