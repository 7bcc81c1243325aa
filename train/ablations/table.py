"""The table of the ablations."""

from nnlite.files import write_text
from nnlite.train.moving_mnist.description import anonymised_result, describe_data
from nnlite.train.report.files import write_json
from nnlite.train.report.provenance import format_commits, format_hardware
from nnlite.train.report.tables import format_markdown, format_time

COLUMNS = ("variant", "error at t+1", "mean of steps", "flow error", "mean of steps", "roughness", "training")


def build(results, titles):
    """Return the table of {variant: result of its run} and {variant: title}, ready for JSON.

    Errors are in nats a pixel, flow errors in pixels a frame on arriving digit pixels; roughness is the mean
    of |grad T| over the last flow, in pixels of motion a pixel. Each is {"last": ..., "all": mean of steps}.
    """
    results = {name: anonymised_result(result) for name, result in results.items()}
    first = next(iter(results.values()))
    kept = ("sequences_seen", "training_seconds", "hardware", "commits", "commands", "experiment", "options")
    return {
        "data": describe_data(first["experiment"]),
        "zero_flow_error": first["scores"].get("zero_arriving"),
        "copy": first["baselines"]["copy"],
        "rows": [
            {
                "variant": name,
                "title": titles[name],
                "error": result["scores"]["bce"],
                "flow_error": result["scores"]["flow_arriving"],
                "roughness": result["scores"]["roughness"],
            }
            | {key: result[key] for key in kept}
            for name, result in results.items()
        ],
    }


def save(folder, table):
    """Write a table as ablations.md and ablations.json."""
    write_json(folder / "ablations.json", table)
    lines = ["# Ablations", "", format_table(table), ""]
    lines += [f"    {command}" for command in table["rows"][0]["commands"]]
    write_text(folder / "ablations.md", "\n".join(lines) + "\n")


def format_table(table):
    """Return the table in Markdown, with what its columns are."""
    rows = [
        (
            row["title"],
            *(f"{row['error'][steps]:.4f}" for steps in ("last", "all")),
            *(f"{row['flow_error'][steps]:.3f}" for steps in ("last", "all")),
            f"{row['roughness']['last']:.4f}",
            format_time(row["training_seconds"]),
        )
        for row in table["rows"]
    ]
    copy, zero = table["copy"], table["zero_flow_error"]
    rows.append(
        (
            "calibrated copy, zero flow",
            *(f"{copy[steps]:.4f}" for steps in ("last", "all")),
            *(f"{zero[steps]:.3f}" for steps in ("last", "all")),
            "0",
            "",
        )
    )
    first = table["rows"][0]
    notes = [
        f"Data: {table['data']}; {first['sequences_seen']:,} sequences each, "
        f"seed {first['experiment']['seed']}, {format_hardware(first['hardware'])}, "
        f"commit {format_commits(first['commits'])}.",
        "Errors in nats a pixel; flow errors in pixels a frame on arriving digit pixels; roughness is the "
        "mean of |grad T| over the last flow, in pixels of motion a pixel.",
    ]
    return "\n".join([format_markdown(COLUMNS, rows), "", *notes])
