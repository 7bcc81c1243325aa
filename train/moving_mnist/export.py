"""Trained weights packed for `models.load_pretrained`, and scored again."""

from pathlib import Path

from nnlite import checkpoint, models
from nnlite.files import make_folder
from nnlite.train.moving_mnist import ahead, table1
from nnlite.train.moving_mnist.description import anonymised_result
from nnlite.train.moving_mnist.trained import PRETRAINED, of_table1
from nnlite.train.runs import command, group
from nnlite.train.runs.experiment import load_run, load_trained
from nnlite.train.runs.loop import CHECKPOINT
from nnlite.train.runs.run import RESULT, read_result

#: What a repository can hold, in bytes a file.
LIMIT = 6e6


def export(experiment, given, line):
    """Pack the weights of a finished run, or of each run of a group that is small enough; return 0.

    A file holds the parameters in float32, the architecture, and as metadata what the run was, how it was
    trained and how it scored. ValueError when there is no finished run, or none small enough.
    """
    folder, target = Path(given["export"]), Path(given.get("out", models.PRETRAINED))
    folders = [folder / name for name in group.results(folder)] if group.is_group(folder) else [folder]
    if not folders or not (folders[0] / RESULT).exists():
        raise ValueError(f"{folder} holds no finished run (one with a {RESULT})")
    if target.suffix == ".h5" and group.is_group(folder):
        raise ValueError(f"{folder} holds several runs: name a folder with --out, or export them one by one")
    make_folder(target.parent if target.suffix == ".h5" else target)
    written = [path for run in folders if (path := _pack(experiment, run, target))]
    if not written:
        raise ValueError(f"{folder} holds no model of at most {LIMIT / 1e6:g} MB")
    return 0


def _pack(experiment, folder, target):
    """Write the file of one run and return its path, or None when it would be too large.

    target: the folder, or the file; ValueError where its name is that of another architecture.
    """
    result = anonymised_result(read_result(folder))
    if 4 * result["parameters"] > LIMIT:
        size = f"{4 * result['parameters'] / 1e6:.0f} MB"
        print(f"{folder} is left out: {size} of weights, the limit is {LIMIT / 1e6:g} MB")
        return None
    saved = load_run(folder / CHECKPOINT)
    model = models.build(saved.architecture["name"], **saved.architecture["options"])
    checkpoint.load_parameters(model, saved)
    own = {"experiment": result["experiment"], "commands": result["commands"]}
    rest = {name: value for name, value in result.items() if name not in own}
    name = saved.architecture["name"]
    path = target if target.suffix == ".h5" else target / f"{name}.h5"
    if models.architecture_of(path.stem) != name:
        raise ValueError(f"weights of {name} are found under {name}.h5 or {name}_VARIANT.h5, not {path.name}")
    checkpoint.save_parameters(
        path,
        model,
        architecture=saved.architecture,
        metadata=own | {"kind": experiment.kind, "loop": saved.metadata["loop"], "result": rest},
    )
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, error {result['scores']['bce']['last']:.4f}")
    return path


def evaluate(experiment, given, line):
    """Score a checkpoint, or all pretrained models; with `out` also write the results there; return 0."""
    if given["evaluate"] != PRETRAINED:
        return command.evaluate(experiment, given, line)
    if results := {name: _score_pretrained(experiment, name, given) for name in of_table1()}:
        table = table1.build(results)
        print("\n" + table1.format_table(table))
        if "out" in given:
            table1.save(make_folder(given["out"]), table)
    print("\nTen frames from their own predictions\n")
    return ahead.show(experiment, given | {"rollout": PRETRAINED}, line)


def _score_pretrained(experiment, name, given):
    """Return the result of a pretrained model's training with its current scores."""
    opened, model, saved = load_trained(experiment, models.pretrained_path(name), given)
    recorded = saved.metadata["result"]
    print(opened.describe(model))
    found = opened.score(model)
    now, then = found["scores"]["bce"]["last"], recorded["scores"]["bce"]["last"]
    print(f"error {now:.6f}, recorded with the weights {then:.6f}", flush=True)
    # Training time, hardware and curve are those of the training.
    found |= {"commands": saved.metadata["commands"], "hardware": recorded["hardware"]}
    count = saved.metadata["experiment"]["test_sequences"]
    return {"watched": table1.validation_subset(count)} | recorded | found
