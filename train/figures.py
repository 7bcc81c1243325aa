"""The paper's Figures 3 and 5, errors by frames seen, and rollouts of a run's models, as one command."""

from pathlib import Path

import matplotlib.pyplot as plt
from nnlite.data.moving_mnist_files import SequenceFile
from nnlite.train import evaluation, export, frames_seen, report, rollout, suite
from nnlite.train.loop import CHECKPOINT
from nnlite.train.moving_mnist_experiment import load_data, load_trained
from nnlite.train.portable import portable_command
from nnlite.train.table1 import SHARED, title

from nnlite import backend, models

#: How many frames are predicted from predictions; of how many test sequences errors are taken.
STEPS = 10
COUNT = 200
REFERENCES = {
    "copy": "copy of the last frame seen, calibrated",
    "constant": "best constant",
    "least": "the least: digits and speed known",
}
#: Sequences in the figures.
ROWS = 6


def draw(settings, command):
    """Draw the figures of a run, a suite or the pretrained models; return the exit status.

    Written to the folder of the run, or `out`: figure3.png, the data; figure5.png, last four frames, truth,
    predictions and flow; frames_seen.png, the error of the next frame by the number of frames before it;
    rollout.png and rollout_errors.png, predictions fed back; frames_seen.json and rollout.json, the errors.
    """
    found = _load(settings)
    trained = {title(saved.metadata["experiment"]): model for model, saved in found.values()}
    experiment = dict(next(iter(found.values()))[1].metadata["experiment"])
    for name, (_, saved) in found.items():
        if any(saved.metadata["experiment"][setting] != experiment[setting] for setting in SHARED):
            raise ValueError(f"{name} is not of the same data as {next(iter(found))}: draw them one by one")
    own = "runs/pretrained" if settings["figures"] == "pretrained" else settings["figures"]
    folder = Path(settings.get("out", own))
    folder.mkdir(parents=True, exist_ok=True)

    count = experiment["test_sequences"]
    rows, count = min(ROWS, count), min(settings.get("test_sequences", COUNT), count)
    train, test = load_data(experiment)
    draw_samples(folder / "figure3.png", test.batch(range(rows)).frames[:, :, 0])
    evaluation.draw_predictions(folder / "figure5.png", trained, test, rows)

    calibration = evaluation.calibration_size(train)
    content = {"command": portable_command(command), "sequences": count}
    curves = frames_seen.errors(trained, test, count)
    counts = (evaluation.transition_counts(*of) for of in ((train, calibration), (test, count)))
    references = frames_seen.reference_errors(*counts, test, count)
    report.write_json(folder / "frames_seen.json", content | {"models": curves, "baselines": references})
    _draw_errors(folder / "frames_seen.png", curves, references, "The next frame", "frames seen")

    seen = experiment["frames"] - 1
    files = [experiment[name] for name in ("sequences_file", "train_sequences_file") if experiment[name]]
    steps = min([STEPS, *(SequenceFile(file).n_frames - seen for file in files)])
    train, test = load_data(experiment | {"frames": seen + steps})
    curves = rollout.errors(trained, test, seen, steps, count)
    references = rollout.baseline_errors(train, test, seen, steps, calibration, count)
    content |= {"seen": seen, "models": curves, "baselines": references}
    report.write_json(folder / "rollout.json", content)
    _draw_errors(folder / "rollout_errors.png", curves, references, "Predictions fed back", "frames ahead")
    frames = test.batch([0]).frames
    predictions = {
        name: backend.as_numpy(
            rollout.roll_out(model, backend.asarray(frames[:seen], model.dtype, model.device), steps)
        )[:, 0, 0]
        for name, model in trained.items()
    }
    rollout.draw_frames(folder / "rollout.png", frames[:, 0, 0], predictions, seen)
    print(
        "figure3.png, figure5.png, frames_seen.png, rollout.png and rollout_errors.png, and the numbers in "
        f"frames_seen.json and rollout.json, are in {folder}"
    )
    return 0


def _draw_errors(path, curves, references, title, label):
    named = {REFERENCES[name]: values for name, values in references.items()}
    report.draw_errors(path, curves, named, title, label)


def _load(settings):
    """Return {name: (model, checkpoint)} of what `figures` names."""
    where = settings["figures"]
    if where == "pretrained":
        paths = {name: models.pretrained_path(name) for name in export.existing()}
    elif suite.is_suite(where):
        paths = {name: Path(where) / name / CHECKPOINT for name in suite.results(where)}
        if not paths:
            raise ValueError(f"no run in {where} is finished")
    else:
        model, saved = load_trained(Path(where) / CHECKPOINT, settings)
        return {saved.architecture["name"]: (model, saved)}
    return {name: load_trained(path, settings) for name, path in paths.items()}


def draw_samples(path, frames):
    """Draw sequences (T, N, H, W), a row each."""
    length, rows = frames.shape[:2]
    figure, axes = plt.subplots(
        rows, length, figsize=(0.9 * length, 0.9 * rows), squeeze=False, layout="constrained"
    )
    for row, sequence in zip(axes, frames.swapaxes(0, 1)):
        for axis, frame in zip(row, sequence):
            axis.imshow(frame, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=110)
    plt.close(figure)
