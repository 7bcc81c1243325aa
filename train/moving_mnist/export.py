"""Trained weights packed for `models.load_pretrained`, and scored again."""

from pathlib import Path

from nnlite.train.moving_mnist.experiment import describe, evaluation_batch, load_data, load_trained, score
from nnlite.train.report.anonymise import portable_result
from nnlite.train.runs import group as suite
from nnlite.train.runs.loop import CHECKPOINT, LoopOptions
from nnlite.train.runs.run import RESULT, read_result

from nnlite import checkpoint, models

#: What a repository can hold, in bytes a file.
LIMIT = 6e6


def export(settings, command):
    """Pack the weights of a finished run, or of each run of a suite that is small enough; return 0.

    A file holds the parameters in float32, the architecture, and as metadata what the run was, how it was
    trained and how it scored. ValueError when there is no finished run, or none small enough.
    """
    folder, target = Path(settings["export"]), Path(settings.get("out", models.PRETRAINED))
    folders = [folder / name for name in suite.results(folder)] if suite.is_suite(folder) else [folder]
    if not folders or not (folders[0] / RESULT).exists():
        raise ValueError(f"{folder} holds no finished run (one with a {RESULT})")
    target.mkdir(parents=True, exist_ok=True)
    written = [path for run in folders if (path := _pack(run, target))]
    if not written:
        raise ValueError(f"{folder} holds no model of at most {LIMIT / 1e6:g} MB")
    return 0


def _pack(folder, target):
    """Write the file of one run and return its path, or None when it would be too large."""
    result = portable_result(read_result(folder))
    if 4 * result["parameters"] > LIMIT:
        size = f"{4 * result['parameters'] / 1e6:.0f} MB"
        print(f"{folder} is left out: {size} of weights, the limit is {LIMIT / 1e6:g} MB")
        return None
    model, saved = load_trained(folder / CHECKPOINT, {"device": "cpu"})
    own = {"experiment": result["experiment"], "commands": result["commands"]}
    rest = {name: value for name, value in result.items() if name not in own}
    path = target / f"{saved.architecture['name']}.h5"
    checkpoint.save_parameters(
        path,
        model,
        architecture=saved.architecture,
        metadata=own | {"loop": saved.metadata["loop"], "result": rest},
    )
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, error {result['scores']['bce']['last']:.4f}")
    return path


def existing():
    """Return the names of the pretrained models; ValueError when there is none."""
    if not models.pretrained_names():
        raise ValueError(f"there are no pretrained models in {models.PRETRAINED}")
    return models.pretrained_names()


def score_pretrained(name, settings):
    """Return the result of a pretrained model's training with the scores that it has here and now."""
    model, saved = load_trained(models.pretrained_path(name), settings)
    experiment, recorded = saved.metadata["experiment"], saved.metadata["result"]
    train_data, test_data = load_data(experiment)
    print(describe(model, experiment))
    batch = evaluation_batch(LoopOptions(**saved.metadata["loop"]))
    found = score(model, experiment, train_data, test_data, batch)
    now, then = found["scores"]["bce"]["last"], recorded["scores"]["bce"]["last"]
    print(f"error {now:.6f}, recorded with the weights {then:.6f}", flush=True)
    # Training time and hardware are those of the training.
    return recorded | {"commands": saved.metadata["commands"]} | found | {"hardware": recorded["hardware"]}
