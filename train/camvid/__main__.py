"""Train SegNet and SegNet-flow on video of which few frames are labelled, and compare them (Table 2).

    python -m train.camvid                              both on moving shapes, some minutes
    python -m train.camvid --camvid DIR                 both on CamVid, at a size for processors
    python -m train.camvid --camvid DIR --split val     the same on CamVid's only labelled video
    python -m train.camvid --camvid DIR --preset paper  section 5.2 of the paper, for a GPU
    python -m train.camvid --model segnet ...           one of the two
    python -m train.camvid --resume RUN                 go on where a run was stopped
    python -m train.camvid --evaluate CHECKPOINT        score a trained model

A run folder gets checkpoint.h5, log.jsonl, result.json and pictures; with both networks it has one such
folder for each, and table2.md, table2.json and the pictures of both.
"""

import sys
from datetime import datetime
from pathlib import Path

from nnlite.train.camvid import table2
from nnlite.train.camvid.experiment import TITLES, build_model, describe, load_checkpoint, load_data, score
from nnlite.train.camvid.figures import draw_confusions, draw_results
from nnlite.train.camvid.run import Run
from nnlite.train.camvid.settings import BOTH, NONE, SEGNET, settle
from nnlite.train.report import report
from nnlite.train.runs import command as command_line
from nnlite.train.runs import group as suite
from nnlite.train.runs.loop import CHECKPOINT
from nnlite.train.runs.run import RESULT, now

from nnlite import backend, checkpoint

PROGRAM = "python -m train.camvid"
KIND = "camvid"


def main(argv=None):
    """Run the command; return its exit status."""
    modes = {"train": train, BOTH: train_both, "resume": resume, "evaluate": evaluate}
    return command_line.run(PROGRAM, settle, modes, argv)


def train(settings, command):
    """Train one model; return the exit status."""
    return command_line.train(PROGRAM, Run.new, settings, command)


def train_both(settings, command):
    """Train both models and compare them; `settings` are those of each model, by name."""
    out = next(iter(settings.values()))["out"]
    folder = Path(out or f"runs/camvid-{datetime.now():%Y%m%d-%H%M%S}")
    for name, one in settings.items():  # what is wrong with the second should stop the first
        build_model(one, load_data(dict(one)), "cpu")
        if one["weights"] not in (NONE, SEGNET):
            checkpoint.load(_weights(folder, name, one))
    settings = {name: one | {"weights": _weights(folder, name, one)} for name, one in settings.items()}
    suite.begin(folder, KIND, settings)
    return _train_rest(folder, command)


def _weights(folder, name, settings):
    """Return the checkpoint that a network of a run of both starts with, or "none"."""
    where = settings["weights"]
    if where == SEGNET:
        return str(folder / "segnet" / CHECKPOINT) if name == "segnet_flow" else NONE
    return str(Path(where) / name / CHECKPOINT) if Path(where).is_dir() else where


def resume(settings, command):
    """Go on with a run, of one model or of both; return the exit status."""
    folder = Path(settings["resume"])
    if suite.is_suite(folder):
        suite.change(folder, KIND, settings)
        return _train_rest(folder, command)
    return command_line.train(PROGRAM, Run.resumed, settings, command)


def _train_rest(folder, command):
    """Train what is not finished in the folder, and compare what is."""
    status = suite.train(folder, command_line.go_on(PROGRAM, folder), command, table2.write, Run)
    results = suite.results(folder)
    if len(results) > 1:
        print("\n" + table2.format_results(results))
        draw_confusions(folder, results)
        trained = {TITLES[name]: load_trained(folder / name / CHECKPOINT, {}) for name in results}
        _, saved, data = trained[TITLES["segnet_flow"]]
        networks = {title: model for title, (model, _, _) in trained.items()}
        draw_results(folder, networks, data, saved.metadata["experiment"])
        print(f"\nThe comparison and its pictures are in {folder}")
    return status


def load_trained(path, settings):
    """Return the model in the checkpoint of a run, with its weights, the checkpoint, and its data."""
    saved = load_checkpoint(path, settings)
    data = load_data(saved.metadata["experiment"])
    device = backend.resolve_device(settings.get("device", "auto"))
    model = build_model(saved.metadata["experiment"], data, device)
    checkpoint.load_parameters(model, saved)
    return model, saved, data


def evaluate(settings, command):
    """Score a checkpoint; with `out` also write the result and the pictures there."""
    model, saved, data = load_trained(settings["evaluate"], settings)
    experiment = saved.metadata["experiment"]
    print(describe(model, experiment, data))
    result = score(model, experiment, data, saved.metadata["loop"]["batch"])
    print("\n" + table2.format_results({experiment["model"]: result}))
    if "out" in settings:
        folder = Path(settings["out"])
        folder.mkdir(parents=True, exist_ok=True)
        draw_confusions(folder, {experiment["model"]: result})
        draw_results(folder, {TITLES[experiment["model"]]: model}, data, experiment)
        result |= {"commands": [*saved.metadata["commands"], command], "finished": now()}
        report.write_json(folder / RESULT, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
