"""The paper's Table 1 beside ours: parameters and errors of the four architectures, and what they cost."""

import math
from pathlib import Path

from matplotlib.figure import Figure

from nnlite import models
from nnlite.files import write_text
from nnlite.train.moving_mnist.description import anonymised_result, describe_data, frames_scored
from nnlite.train.moving_mnist.evaluation import validation_subset
from nnlite.train.report.figures import save_figure
from nnlite.train.report.files import write_json
from nnlite.train.report.provenance import format_commits, machines
from nnlite.train.report.tables import format_markdown, format_time

#: Title and test error in the paper of each architecture; "cells" are those AE-fcLSTM can begin with.
PAPER = {
    "ae_conv": (models.TITLES["ae_conv"], 0.0948),
    "ae_fclstm cells": (f"{models.TITLES['ae_fclstm']} in cells", None),
    "ae_fclstm": (models.TITLES["ae_fclstm"], 0.0650),
    "ae_convlstm": (models.TITLES["ae_convlstm"], 0.0197),
    "ae_convlstm_flow": (models.TITLES["ae_convlstm_flow"], 0.0439),
}
BASELINES = {
    "copy": "copy of the last frame, calibrated",
    "copy_per_pixel": "the same, calibrated at each position",
    "constant": "best constant",
}
#: Settings that results in one table have to share.
SHARED = (
    *("size", "digits", "speed", "targets", "frames", "steps_ahead"),
    *("test_sequences", "sequences_file", "data"),
)
#: What a result of before these settings has of them.
EARLIER = {"targets": "binary", "steps_ahead": 1}
#: The picture of the learning curves, beside the table.
CURVES = "table1_curves.png"
COLUMNS = (
    "architecture",
    "parameters",
    "error at t+1",
    "bits",
    "mean of steps",
    "paper",
    "flow error",
    "sequences",
    "training",
)


def title(experiment):
    """Return the name of an experiment's model in the table."""
    return PAPER[_architecture(experiment)][0]


def _architecture(experiment):
    """Return the entry of `PAPER` of an experiment."""
    return experiment["model"] + (" cells" if experiment["model_options"].get("cell") else "")


def build(results):
    """Return the table of {name: result of a run}, ready for JSON; ValueError when their data differ.

    Errors are in nats a pixel, flow errors in pixels a frame on arriving digit pixels, times in seconds.
    """
    results = {name: anonymised_result(result) for name, result in results.items()}
    first = next(iter(results.values()))
    for name, result in results.items():
        for setting in SHARED:
            value, expected = ((EARLIER | one["experiment"])[setting] for one in (result, first))
            if value != expected:
                raise ValueError(
                    f"{name} and {next(iter(results))} are not of the same data ({setting} {value} and "
                    f"{expected}); they have no place in one table"
                )
    order = [name for name, _ in PAPER.values()]
    return {
        "data": describe_data(first["experiment"]),
        "frames": frames_scored(first["experiment"]),
        "test_sequences": first["experiment"]["test_sequences"],
        "rows": sorted(map(_row, results.values()), key=lambda row: order.index(row["title"])),
        "baselines": first["baselines"],
    }


def _row(result):
    scores, experiment = result["scores"], result["experiment"]
    name, papers_error = PAPER[_architecture(experiment)]
    row = {
        "model": experiment["model"],
        "title": name,
        "parameters": result["parameters"],
        "error": scores["bce"]["last"],
        "bits": scores["bce"]["last"] / math.log(2),
        # AE-Conv makes one prediction only.
        "mean_error": None if experiment["model"] == "ae_conv" else scores["bce"]["all"],
        "paper": papers_error,
        "flow_error": scores.get("flow_arriving", {}).get("last"),
        "zero_flow_error": scores.get("zero_arriving", {}).get("last"),
        "seed": experiment["seed"],
        "watched": result.get("watched", validation_subset(experiment["test_sequences"])),
    }
    kept = ("sequences_seen", "training_seconds", "hardware", "options", "commits", "commands", "curve")
    row |= {name: result[name] for name in kept} | {"experiment": experiment}
    return row | {"machines": machines(result)}


def save(folder, table):
    """Write a table as table1.md and table1.json, with the curves of its runs as table1_curves.png."""
    write_json(Path(folder) / "table1.json", table)
    draw_curves(Path(folder) / CURVES, table)
    write_text(Path(folder) / "table1.md", format_page(table))


def draw_curves(path, table):
    """Draw the error of each run in the course of its training, and the paper's."""
    figure = Figure(figsize=(8.5, 4.5), layout="constrained")
    axis = figure.subplots()
    worst = 2 * table["baselines"]["copy"]["last"]
    for number, row in enumerate(table["rows"]):
        points = [(point["sequences"], point["bce"]["last"]) for point in row["curve"] if point["sequences"]]
        if grafted := [point for point in points if point[1] < worst]:  # not what parts of others begin with
            points = grafted
        look = {"color": f"C{number}", "zorder": 3 - 0.1 * number}  # of equal beginnings the first is seen
        axis.plot(*zip(*points), ".-", markersize=4, linewidth=1, label=row["title"], **look)
        if row["paper"]:
            axis.axhline(row["paper"], color=f"C{number}", linestyle=":", linewidth=1)
    axis.set(xlabel="training sequences", ylabel=f"error of frame {table['frames']}, nats a pixel")
    axis.set(xscale="log", yscale="log", ylim=(None, worst))
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("{x:g}")
    axis.tick_params(which="minor", labelsize=7)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    save_figure(path, figure, dpi=110)


def format_page(table):
    """Return the page table1.md: the table, what its columns are, the curves, and the commands."""
    watched = " and ".join(sorted({f"{row['watched']:,}" for row in table["rows"]}))
    lines = ["# Table 1", "", format_table(table), ""]
    lines += [
        f"- Error: binary cross-entropy in nats a pixel of frame {table['frames']} given the frames before, "
        f"on {table['test_sequences']:,} test sequences; bits are nats / ln 2; mean of steps: over the "
        f"predictions of frames 2 to {table['frames']}.",
        "- Paper: the figures printed there, of its own sequences.",
        "- Flow error: of the flow into that frame, pixels a frame on arriving digit pixels; in brackets "
        "that of no motion.",
        "- Sequences: those seen in training, repetitions counted.",
        "",
        f"![Learning curves]({CURVES})",
        "",
        f"*In the course of training, on the first {watched} test sequences; dotted: the paper's.*",
        "",
        "## Commands",
        "",
    ]
    for number, row in enumerate(table["rows"]):
        options = row["options"]
        rate = f"{options['optimiser']} at {options['learning_rate']:g}, batch {options['batch']}"
        commits = format_commits(row["commits"])
        where = ", ".join(row["machines"])
        lines += [f"{row['title']}: {rate}, seed {row['seed']}, commit {commits}, {where}."]
        lines += [*_format_commands(row, table["rows"][:number]), ""]
    return "\n".join(lines)


def _format_commands(row, earlier):
    """Return the lines of a row's commands; those with which an earlier row begins too are not repeated."""
    commands, same, name = row["commands"], 0, None
    for other in earlier:
        if (number := _same_start(other["commands"], commands)) > same:
            same, name = number, other["title"]
    some = "command" if same == 1 else f"{same} commands"
    words = []
    if same:
        words = [f"The same command{'s' * (same > 1)} as {name}."]
        if same < len(commands):
            words = [f"It begins with the first {some} of {name}; then:"]
    own = [f"    {command}" for command in commands[same:]]
    return [*words, "", *own] if own else words


def _same_start(these, those):
    """Return with how many equal entries two lists begin."""
    return next((i for i, (a, b) in enumerate(zip(these, those)) if a != b), min(len(these), len(those)))


def format_table(table):
    """Return the table in Markdown, with what it was measured on."""
    rows = [
        (
            row["title"],
            f"{row['parameters']:,}",
            f"{row['error']:.4f}",
            f"{row['bits']:.4f}",
            _number(row["mean_error"]),
            _number(row["paper"]),
            f"{row['flow_error']:.2f} ({row['zero_flow_error']:.2f})"
            if row["flow_error"] is not None
            else "",
            f"{row['sequences_seen']:,}",
            format_time(row["training_seconds"]),
        )
        for row in table["rows"]
    ]
    for name, words in BASELINES.items():
        last, mean = table["baselines"][name]["last"], table["baselines"][name]["all"]
        rows.append((words, "", _number(last), _number(last / math.log(2)), _number(mean), *[""] * 4))
    all_machines = dict.fromkeys(machine for row in table["rows"] for machine in row["machines"])
    notes = [f"Data: {table['data']}.", f"Trained on {', '.join(all_machines)}."]
    return "\n".join([format_markdown(COLUMNS, rows), "", *notes])


def _number(value):
    return "" if value is None else f"{value:.4f}"
