"""The table of the ablations on real video."""

import re

from nnlite.files import write_text
from nnlite.train.real_video.by_motion import CLASSES
from nnlite.train.report.files import write_json
from nnlite.train.report.provenance import format_commits, format_hardware
from nnlite.train.report.tables import format_markdown, format_time, psnr

#: The commands of the group itself, not those of the weights that it starts with.
_OWN = re.compile("video.ablations")
COLUMNS = (
    *("variant", "PSNR over the copy", "worst video", *reversed(CLASSES.values())),
    *("flow error, last step", "all steps", "parameters", "training"),
)


def build(results, titles):
    """Return the table of {variant: result of its run} and {variant: title}, ready for JSON.

    PSNRs are in dB over the copy's, of all steps; by_motion has squared errors over the copy's. Flow errors
    are those on drawn motion over zero flow's, None for tiny frames.
    """
    kept = ("parameters", "sequences_seen", "training_seconds", "hardware", "commits", "commands")
    return {
        "rows": [
            {
                "variant": name,
                "title": titles[name],
                "over_copy": _over_copy(result["scores"]),
                "worst": _worst(result["videos"]),
                "by_motion": {k: result["by_motion"][k]["over_copy"]["model"] for k in CLASSES},
                "flow_error": _over_zero(result["flow"]),
                "experiment": result["experiment"],
                "options": result["options"],
            }
            | {key: result[key] for key in kept}
            for name, result in results.items()
        ]
    }


def _over_copy(scores):
    return psnr(scores["model"]["all"]["squared"]) - psnr(scores["copy"]["all"]["squared"])


def _worst(videos):
    """Return {"video", "over_copy"} of the video that is worst beside its copy; None if none changes."""
    compared = [{k: v[k] for k in ("video", "over_copy")} for v in videos if v["over_copy"] is not None]
    return min(compared, key=lambda video: video["over_copy"], default=None)


def _over_zero(flow):
    return flow and {steps: flow["model"][steps] / flow["zero"][steps] for steps in ("last", "all")}


def save(folder, table):
    """Write a table as ablations.md and ablations.json."""
    write_json(folder / "ablations.json", table)
    lines = ["# Ablations on real video", "", format_table(table), ""]
    lines += [f"    {command}" for command in table["rows"][0]["commands"] if _OWN.search(command)]
    write_text(folder / "ablations.md", "\n".join(lines) + "\n")


def format_table(table):
    """Return the table in Markdown, with what its columns are."""
    rows = [
        (
            row["title"],
            f"{row['over_copy']:+.3f}",
            f"{row['worst']['over_copy']:+.2f}" if row["worst"] else "-",
            *(_decimal(row["by_motion"][name]) for name in reversed(CLASSES)),
            *(_decimal(row["flow_error"] and row["flow_error"][steps]) for steps in ("last", "all")),
            f"{row['parameters']:,}",
            format_time(row["training_seconds"]),
        )
        for row in table["rows"]
    ]
    first = table["rows"][0]
    own, loop = first["experiment"], first["options"]
    notes = [
        f"{loop['sequences']:,} sequences of {own['frames']} frames each, {loop['optimiser']} from "
        f"{loop['learning_rate']:g}, batches of {loop['batch']}, seed {own['seed']}; scored on at most "
        f"{own['test_clips']} clips of each test video; {format_hardware(first['hardware'])}, commit "
        f"{format_commits(first['commits'])}.",
        "PSNR in dB over that of the last frame copied, all steps; squared error over the copy's, by "
        "Lucas-Kanade's motion in pixels a frame; end-point error of the flow on drawn motion over zero "
        "flow's.",
    ]
    return "\n".join([format_markdown(COLUMNS, rows), "", *notes])


def _decimal(value):
    return "-" if value is None else f"{value:.3f}"
