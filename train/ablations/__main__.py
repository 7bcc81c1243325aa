"""What the parts of AE-ConvLSTM-flow do: the same small model trained with and without each of them.

    python -m train.ablations               train all variants, some minutes each, and write the table
    python -m train.ablations --resume RUN  go on where that was stopped

The run folder gets a run folder of `train.moving_mnist` for each variant, ablations.md and ablations.json.
"""

import argparse
import sys
from datetime import datetime
from pathlib import Path

from nnlite.train.moving_mnist.experiment import check_runs, describe_data
from nnlite.train.moving_mnist.settings import PRESETS, settings_for
from nnlite.train.moving_mnist.table1 import format_markdown, format_time
from nnlite.train.report.anonymise import portable_result
from nnlite.train.report.report import format_commits, format_hardware, write_json
from nnlite.train.runs import command as command_line
from nnlite.train.runs import group as suite
from nnlite.train.runs.options import count

PROGRAM = "python -m train.ablations"
KIND = "ablations"
MODEL = "ae_convlstm_flow"
#: Title and changed settings of each variant; those under "model_options" are added to the model's.
VARIANTS = {
    "base": ("all as it is", {}),
    "no_penalty": ("no Huber penalty", {"model_options": {"penalty_weight": 0}}),
    "untied": ("untied memory", {"model_options": {"untied": True}}),
    "forget_0": ("forget bias 0", {"model_options": {"forget_bias": 0.0}}),
    "last": ("loss at the last step only", {"loss_at": "last"}),
}
COLUMNS = ("variant", "error at t+1", "mean of steps", "flow error", "mean of steps", "roughness", "training")


def main(argv=None):
    """Run the command; return its exit status."""
    return command_line.run(PROGRAM, _settle, {"train": train, "resume": resume}, argv)


def train(settings, command):
    """Train all variants; return the exit status."""
    folder = Path(settings.pop("out", f"runs/ablations-{datetime.now():%Y%m%d-%H%M%S}"))
    base = settings_for(MODEL, settings.pop("preset", "ablation"), settings)
    runs = {name: _varied(base, name) for name in VARIANTS}
    check_runs(runs)
    suite.begin(folder, KIND, runs)
    return _train_rest(folder, command)


def resume(settings, command):
    """Train the variants that are not finished; return the exit status."""
    folder = Path(settings.pop("resume"))
    suite.change(folder, KIND, settings)
    return _train_rest(folder, command)


def _train_rest(folder, command):
    """Train what is not finished in the folder, writing the table anew after each variant."""
    status = suite.train(folder, command_line.go_on(PROGRAM, folder), command, write)
    if results := suite.results(folder):
        print("\n" + format_table(build(results)))
        print(f"\nAll is in {folder}.")
    return status


def _settle(argv):
    """Return "train" or "resume" and the settings given for it."""
    parser = _parser()
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    if "resume" not in given:
        return "train", given
    if extra := set(given) - {"resume", "sequences", "data", "device"}:
        parser.error(f"--resume takes its settings from the run; leave out {_options(extra)}")
    return "resume", given


def _varied(settings, name):
    """Return the settings of a variant."""
    changes = VARIANTS[name][1]
    options = settings["model_options"] | changes.get("model_options", {})
    return settings | changes | {"model_options": options}


def build(results):
    """Return the table of {variant: result of its run}, ready for JSON.

    Errors are in nats a pixel, flow errors in pixels a frame where digits arrive; roughness is the mean of
    |grad T| over the last flow, in pixels of motion a pixel. Each is {"last": ..., "all": mean of steps}.
    """
    results = {name: portable_result(result) for name, result in results.items()}
    first = next(iter(results.values()))
    kept = ("sequences_seen", "training_seconds", "hardware", "commits", "commands", "experiment", "options")
    return {
        "data": describe_data(first["experiment"]),
        "zero_flow_error": first["scores"].get("zero_arriving"),
        "copy": first["baselines"]["copy"],
        "rows": [
            {
                "variant": name,
                "title": VARIANTS[name][0],
                "error": result["scores"]["bce"],
                "flow_error": result["scores"]["flow_arriving"],
                "roughness": result["scores"]["roughness"],
            }
            | {key: result[key] for key in kept}
            for name, result in results.items()
        ],
    }


def write(folder, results):
    """Write ablations.md and ablations.json of {variant: result}."""
    table = build(results)
    write_json(folder / "ablations.json", table)
    lines = ["# Ablations", "", format_table(table), ""]
    lines += [f"    {command}" for command in table["rows"][0]["commands"]]
    (folder / "ablations.md").write_text("\n".join(lines) + "\n")


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
            *("0", ""),
        )
    )
    first = table["rows"][0]
    notes = [
        f"Data: {table['data']}; {first['sequences_seen']:,} sequences each, "
        f"seed {first['experiment']['seed']}, {format_hardware(first['hardware'])}, "
        f"commit {format_commits(first['commits'])}.",
        "Errors in nats a pixel; flow errors in pixels a frame where digits arrive; roughness is the mean of "
        "|grad T| over the last flow, in pixels of motion a pixel.",
    ]
    return "\n".join([format_markdown(COLUMNS, rows), "", *notes])


def _parser():
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Train a small AE-ConvLSTM-flow with and without each of its parts, and write a table of "
        "the error, the error of the flow, and its roughness.",
    )
    parser.add_argument("--preset", choices=PRESETS, help="of train.moving_mnist (ablation)")
    parser.add_argument("--sequences", type=count(1), metavar="N", help="sequences to train each variant on")
    parser.add_argument("--test-sequences", type=count(1), metavar="N", help="test sequences to score")
    parser.add_argument(
        "--seed", type=count(0), help="of initial weights, training sequences and their order (0)"
    )
    parser.add_argument("--data", metavar="FOLDER", help="of MNIST's idx files, or the word 'drawn'")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--out", metavar="RUN", help="folder for results (default: runs/ablations-<time>)")
    parser.add_argument(
        "--resume", metavar="RUN", help="go on in this folder; --sequences, --data and --device go with it"
    )
    return parser


def _options(names):
    return ", ".join("--" + name.replace("_", "-") for name in sorted(names))


if __name__ == "__main__":
    sys.exit(main())
