"""Trained weights packed for `models.load_pretrained`."""

from pathlib import Path

from nnlite import checkpoint, models
from nnlite.files import make_folder
from nnlite.train.runs import group
from nnlite.train.runs.experiment import load_trained
from nnlite.train.runs.run import RESULT, read_result

#: What a repository can hold, in bytes a file.
LIMIT = 6e6


def export(experiment, given, line):
    """Pack the weights of a finished run, or of each run of a group that is small enough; return 0.

    A file holds the parameters in float32, or in float16 where only that is small enough, the architecture,
    and as metadata what the run was, how it was trained and how it scored. ValueError when there is no
    finished run, or none small enough.
    """
    folder, target = Path(given["export"]), Path(given.get("out", models.PRETRAINED))
    folders = [folder / name for name in group.results(folder)] if group.is_group(folder) else [folder]
    if not folders or not (folders[0] / RESULT).exists():
        raise ValueError(f"{folder} holds no finished run (one with a {RESULT})")
    if target.suffix == ".h5" and group.is_group(folder):
        raise ValueError(f"{folder} holds several runs: name a folder with --out, or export them one by one")
    written = [path for run in folders if (path := _pack(experiment, run, target))]
    if not written:
        raise ValueError(f"{folder} holds no model of at most {LIMIT / 1e6:g} MB")
    return 0


def _pack(experiment, folder, target):
    """Write the file of one run and return its path, or None when it would be too large.

    target: the folder, or the file; ValueError where its name is that of another architecture.
    """
    result = read_result(folder)
    half = 4 * result["parameters"] > LIMIT
    if 2 * result["parameters"] > LIMIT:
        size = f"{2 * result['parameters'] / 1e6:.0f} MB"
        print(f"{folder} is left out: {size} of weights, the limit is {LIMIT / 1e6:g} MB")
        return None
    opened, model, saved = load_trained(experiment, folder)
    if "curve" not in result:
        raise ValueError(
            f"{folder / RESULT} is not of the training but of an evaluation: delete it, and "
            f"--resume {folder} writes it again"
        )
    result = opened.published(result)
    name, variant = saved.architecture["name"], experiment.variant
    path = target if target.suffix == ".h5" else target / f"{name}{variant and '_' + variant}.h5"
    if models.architecture_of(path.stem) != name:
        raise ValueError(f"weights of {name} are found under {name}.h5 or {name}_VARIANT.h5, not {path.name}")
    make_folder(path.parent)
    own = {"experiment": result["experiment"], "commands": result["commands"]}
    rest = {name: value for name, value in result.items() if name not in own}
    checkpoint.save_parameters(
        path,
        model,
        architecture=model.config,
        metadata=own
        | {"kind": experiment.kind, "offset": experiment.offset}
        | {"loop": saved.metadata["loop"], "result": rest},
        half=half,
    )
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    return path
