"""Train video models on moving digits and compare them with each other and with what needs no model.

    python -m train.moving_mnist                        the main model on moving digits, a few minutes
    python -m train.moving_mnist --model all            the four of Table 1; presets quick, cpu, best, paper
    python -m train.moving_mnist --preset paper         sections 4 and 5.1 of the paper, for a GPU
    python -m train.moving_mnist --resume RUN           go on where a run was stopped
    python -m train.moving_mnist --weights pretrained   start with trained weights instead of drawn ones
    python -m train.moving_mnist --evaluate CHECKPOINT  score a trained model, or all that are `pretrained`
    python -m train.moving_mnist --figures RUN          Figures 3 and 5, errors by frames seen, rollouts
    python -m train.moving_mnist --export RUN           pack trained weights for models/pretrained

A run folder gets checkpoint.h5, log.jsonl, result.json, curves.png, predictions.png and inspect.html, the
page of `python -m train.inspect`; with --model all it has one such folder for each run, and table1.md and
table1.json.
"""

import shlex
import sys
from datetime import datetime
from pathlib import Path

from nnlite.train.moving_mnist import evaluation, export, figures, table1
from nnlite.train.moving_mnist.experiment import (
    check_runs,
    describe,
    evaluation_batch,
    format_result,
    load_data,
    load_trained,
    score,
)
from nnlite.train.moving_mnist.run import Run
from nnlite.train.moving_mnist.settings import settle
from nnlite.train.moving_mnist.starting_weights import PRETRAINED
from nnlite.train.report import report
from nnlite.train.runs import command as command_line
from nnlite.train.runs import group as suite
from nnlite.train.runs.loop import LoopOptions
from nnlite.train.runs.run import RESULT, now

PROGRAM = "python -m train.moving_mnist"


def main(argv=None):
    """Run the command; return its exit status."""
    modes = {
        "train": train,
        "all": train_all,
        "resume": resume,
        "evaluate": evaluate,
        "figures": figures.draw,
        "export": export.export,
    }
    return command_line.run(PROGRAM, settle, modes, argv)


def train(settings, command):
    """Train one model; return the exit status."""
    return command_line.train(PROGRAM, Run.new, settings, command)


def train_all(settings, command):
    """Train the architectures of Table 1 and write the table; `settings` are those of each model, by name."""
    out = next(iter(settings.values()))["out"]
    folder = Path(out or f"runs/table1-{datetime.now():%Y%m%d-%H%M%S}")
    check_runs(settings)  # what is wrong with the last should stop the first
    suite.begin(folder, "table1", settings)
    return _train_rest(folder, command)


def resume(settings, command):
    """Go on with a run, of one model or of all; return the exit status."""
    folder = Path(settings["resume"])
    if suite.is_suite(folder):
        suite.change(folder, "table1", settings)
        return _train_rest(folder, command)
    return command_line.train(PROGRAM, Run.resumed, settings, command)


def _train_rest(folder, command):
    """Train what is not finished in the folder, writing the table anew after each model."""
    status = suite.train(folder, command_line.go_on(PROGRAM, folder), command, table1.write)
    if results := suite.results(folder):
        print("\n" + table1.format_table(table1.build(results)))
        print(f"\nAll is in {folder}. For the figures\n  {PROGRAM} --figures {shlex.quote(str(folder))}")
    return status


def evaluate(settings, command):
    """Score a checkpoint, or all pretrained models; with `out` also write results and predictions there."""
    folder = Path(settings["out"]) if "out" in settings else None
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    if settings["evaluate"] == PRETRAINED:
        results = {name: export.score_pretrained(name, settings) for name in export.existing()}
        table = table1.build(results)
        print("\n" + table1.format_table(table))
        if folder:
            table1.save(folder, table)
        return 0
    model, saved = load_trained(settings["evaluate"], settings)
    experiment = saved.metadata["experiment"]
    train_data, test_data = load_data(experiment)
    print(describe(model, experiment))
    batch = evaluation_batch(LoopOptions(**saved.metadata["loop"]))
    result = score(model, experiment, train_data, test_data, batch)
    print("\n" + format_result(result))
    if folder:
        rows = min(6, experiment["test_sequences"])
        evaluation.draw_predictions(folder / "predictions.png", {"prediction": model}, test_data, rows)
        result |= {"commands": [*saved.metadata["commands"], command], "finished": now()}
        report.write_json(folder / RESULT, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
