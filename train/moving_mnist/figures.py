"""The paper's Figures 3 and 5, errors by frames seen, and rollouts of a run's models, as one command."""

from pathlib import Path

from matplotlib.figure import Figure

from nnlite import backend
from nnlite.files import make_folder
from nnlite.models.feedback import roll_out
from nnlite.train.moving_mnist import ahead, evaluation, frames_seen, rollout
from nnlite.train.moving_mnist.settings import Settings
from nnlite.train.moving_mnist.table1 import SHARED, title
from nnlite.train.moving_mnist.trained import of_table1
from nnlite.train.report import figures
from nnlite.train.report.anonymise import anonymised_command
from nnlite.train.report.figures import save_figure
from nnlite.train.report.files import write_json
from nnlite.train.runs import group
from nnlite.train.runs.experiment import PRETRAINED, load_trained
from nnlite.train.runs.loop import CHECKPOINT

#: Of how many test sequences errors are taken.
COUNT = 200
REFERENCES = {
    "copy": "copy of the last frame seen, calibrated",
    "constant": "best constant",
    "least": "the least: digits and speed known",
}
#: Sequences in the figures.
ROWS = 6


def draw(experiment, given, line):
    """Draw the figures of a run, a group or the pretrained models; return the exit status.

    Written to the folder of the run, or `out`: figure3.png, the data; figure5.png, last four frames, truth,
    predictions and flow; frames_seen.png, the error of the next frame by the number of frames before it;
    rollout.png and rollout_errors.png, predictions fed back; frames_seen.json and rollout.json, the errors.
    """
    found = _load(experiment, given)
    trained = {title(opened.settings.kept("experiment")): model for opened, model in found.values()}
    first, _ = next(iter(found.values()))
    settings = first.settings
    for name, (opened, _) in found.items():
        if any(getattr(opened.settings, setting) != getattr(settings, setting) for setting in SHARED):
            raise ValueError(f"{name} is not of the same data as {next(iter(found))}: draw them one by one")
    where = Path(given["figures"])
    own = where.parent if where.name == CHECKPOINT else where if where.is_dir() else f"runs/{where.stem}"
    folder = Path(given.get("out", own))
    make_folder(folder)

    count = settings.test_sequences
    rows, count = min(ROWS, count), min(given.get("test_sequences", COUNT), count)
    train, test = first.scored
    draw_samples(folder / "figure3.png", test.batch(range(rows)).frames[:, :, 0])
    evaluation.draw_predictions(folder / "figure5.png", trained, test, rows)

    calibration = evaluation.calibration_size(train)
    content = {"command": anonymised_command(line, Settings.path_flags()), "sequences": count}
    curves = frames_seen.errors(trained, test, count)
    counts = (evaluation.transition_counts(*of) for of in ((train, calibration), (test, count)))
    references = frames_seen.reference_errors(*counts, test, count)
    write_json(folder / "frames_seen.json", content | {"models": curves, "baselines": references})
    _draw_errors(folder / "frames_seen.png", curves, references, "The next frame", "frames seen")

    seen = settings.seen
    steps = ahead.available(settings)
    train, test = first.sequences(seen + steps)
    curves = rollout.errors(trained, test, seen, steps, count)
    references = rollout.baseline_errors(train, test, seen, steps, calibration, count)
    content |= {"seen": seen, "models": curves, "baselines": references}
    write_json(folder / "rollout.json", content)
    _draw_errors(folder / "rollout_errors.png", curves, references, "Predictions fed back", "frames ahead")
    frames = test.batch([0]).frames
    predictions = {
        name: backend.as_numpy(
            roll_out(model, backend.asarray(frames[:seen], model.dtype, model.device), steps)
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
    figures.draw_errors(path, curves, named, title, label)


def _load(experiment, given):
    """Return {name: (experiment, model)} of what `figures` names."""
    where = given["figures"]
    if where == PRETRAINED:
        paths = of_table1(experiment)
    elif group.is_group(where):
        paths = {name: Path(where) / name / CHECKPOINT for name in group.results(where)}
        if not paths:
            raise ValueError(f"no run in {where} is finished")
    else:
        opened, model, _ = load_trained(experiment, where, given)
        return {opened.settings.model: (opened, model)}
    return {name: load_trained(experiment, path, given)[:2] for name, path in paths.items()}


def draw_samples(path, frames):
    """Draw sequences (T, N, H, W), a row each."""
    length, rows = frames.shape[:2]
    figure = Figure(figsize=(0.9 * length, 0.9 * rows), layout="constrained")
    axes = figure.subplots(rows, length, squeeze=False)
    for row, sequence in zip(axes, frames.swapaxes(0, 1)):
        for axis, frame in zip(row, sequence):
            axis.imshow(frame, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
    save_figure(path, figure, dpi=110)
