"""Ten frames from ten: predictions fed back, scored as in the literature, beside its figures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

import nnlite as nn
from nnlite import backend
from nnlite.data.moving_mnist_files import SequenceFile, find_test_sequences
from nnlite.files import make_folder, write_text
from nnlite.models.feedback import roll_out
from nnlite.train.moving_mnist import evaluation, rollout
from nnlite.train.moving_mnist.description import anonymised_experiment, describe_data
from nnlite.train.moving_mnist.settings import Settings
from nnlite.train.moving_mnist.trained import load
from nnlite.train.report import figures
from nnlite.train.report.anonymise import anonymised_command
from nnlite.train.report.files import write_json
from nnlite.train.report.image_metrics import METRICS
from nnlite.train.report.tables import format_markdown

#: How many frames are predicted, and on how many test sequences unless the user says otherwise.
STEPS, COUNT = 10, 200
#: Sequences at once.
BATCH = 20
TARGETS = ("binary", "grey")
#: Decimals of the other errors in the table.
DIGITS = {"mse": 1, "mae": 1, "ssim": 4, "psnr": 2}
_PRINTED = {"nats": 1} | DIGITS
BASELINES = {"copy": "copy of the last frame seen, calibrated", "constant": "best constant"}
_VPN, _OPENSTL = "arXiv:1610.00527", "arXiv:2306.11249"
#: What others report of grey targets on mnist_test_seq.npy, and where: in Table 1 of Kalchbrenner et al. 2017
#: (Video Pixel Networks), and in OpenSTL's benchmark of the same name (docs/en/model_zoos).
PUBLISHED = {
    name: {"nats": nats, "source": _VPN}
    for name, nats in (
        ("Shi et al. 2015", 367.2),
        ("Srivastava et al. 2015", 341.2),
        ("Brabandere et al. 2016", 285.2),
        ("Cricri et al. 2016", 187.7),
        ("Patraucean et al. 2015", 179.8),
        ("Video Pixel Networks, baseline", 110.1),
        ("Video Pixel Networks", 87.6),
        ("the least, by its authors' estimate", 86.3),
    )
} | {
    name: {"mse": mse, "mae": mae, "ssim": ssim, "psnr": psnr, "source": _OPENSTL}
    for name, mse, mae, ssim, psnr in (
        ("PredNet, 12.5 million parameters, 200 epochs", 161.38, 201.16, 0.7783, 14.33),
        ("ConvLSTM-S, 15.0 million, 200 epochs", 29.80, 90.64, 0.9288, 22.10),
        ("PhyDNet, 3.1 million, 200 epochs", 28.19, 78.64, 0.9374, 22.62),
        ("PredRNN, 23.8 million, 200 epochs", 23.97, 72.82, 0.9462, 23.28),
        ("ConvLSTM-S, 2000 epochs", 22.41, 73.07, 0.9480, 23.54),
        ("PredRNN++, 38.6 million, 2000 epochs", 14.07, 48.91, 0.9698, 26.37),
    )
}
COLUMNS = ("model", "trained on", "targets", "nats a frame", "first", "last", "MSE", "MAE", "SSIM", "PSNR")
COLUMNS += ("source",)
NOTES = """\
- Predictions of the last {steps} frames of {count:,} test sequences from the {seen} before, fed back as
  probabilities. Nats a frame: cross-entropy summed over the pixels of a frame, mean over the predicted
  frames; first, last: of the first and the last of these. Binary and grey: the same sequences.
- MSE and MAE: summed over the pixels of a frame; SSIM: uniform windows of 7x7, a data range of 2; PSNR in
  dB; all of a frame, of values from 0 to 1, mean over the predicted frames, as OpenSTL has them.
- With a source: published figures, of grey targets on mnist_test_seq.npy; nats from Table 1 of Kalchbrenner
  et al. 2017 (Video Pixel Networks, {vpn}), the others from OpenSTL's benchmark ({openstl}), in which an
  epoch is 10,000 sequences. Grey targets have a least cross-entropy above zero.
- Copy: the last frame seen, with the probabilities that it deserves after each number of frames, estimated on
  training sequences; constant: the best constant."""


def show(experiment, given, line):
    """Score and draw the predictions fed back of a trained model, or of all that come along; return 0.

    On the sequences that the user names, else on those of the first model and then, where mnist_test_seq.npy
    is below NNLITE_DATA and of their size, on these. Written to the folder `out`, if there is one: ahead.md
    and ahead.json, rollout.png and ahead.png, and the same again with _published in their names.
    """
    line = anonymised_command(line, Settings.path_flags())
    found, count = load(experiment, given["rollout"], given), given.get("test_sequences", COUNT)
    out = make_folder(given["out"]) if "out" in given else None
    _show(found, count, line, out, "")
    settings = next(iter(found.values()))[0].settings
    file = None if settings.sequences_file else find_test_sequences()
    if file and SequenceFile(file).size == (settings.size, settings.size):
        print()
        _show(_tested_on(found, file), count, line, out, "_published")
    return 0


def _tested_on(found, file):
    """Return models, {name: (experiment, model)}, to be tested on the sequences in a file."""
    return {
        name: (type(opened)(replace(opened.settings, sequences_file=str(file))), model)
        for name, (opened, model) in found.items()
    }


def _show(found, count, line, out, ending):
    """Print the table of some models; write it and the pictures to the folder `out`, unless that is None."""
    page = table(found, count) | {"command": line}
    text = format_page(page)
    print(text)
    if out is not None:
        curve, pictures = (Path(out) / f"{name}{ending}.png" for name in ("ahead", "rollout"))
        write_json(curve.with_suffix(".json"), page)
        seen = f"![Errors]({curve.name})\n\n![The first sequence]({pictures.name})"
        write_text(curve.with_suffix(".md"), f"# Ten frames from ten\n\n{text}\n\n{seen}\n")
        draw(curve, pictures, found, page)


def table(found, count):
    """Return the scores of models, {name: (experiment, model)}, and of what needs none, ready for JSON.

    All of them predict test sequences of the first one, from as many frames as that sees: `STEPS` frames,
    fewer where a file has no more.
    """
    first, _ = next(iter(found.values()))
    seen = first.settings.seen
    count = min(count, first.settings.test_sequences)
    steps = available(first.settings)
    sequences = {kind: first.sequences(seen + steps, grey=kind == "grey") for kind in TARGETS}
    test = sequences["grey"][1]
    rows = []
    for name, (opened, model) in found.items():
        scores = score(model, test, seen, steps, count, opened.settings.targets)
        rows += [
            {"model": name, "trained_on": opened.settings.targets, "targets": kind} | scores[kind]
            for kind in TARGETS
        ]
    return {
        "data": describe_data(
            anonymised_experiment(first.settings.kept("experiment")) | {"targets": "binary"}
        ),
        "seen": seen,
        "steps": steps,
        "sequences": count,
        "rows": rows,
        "baselines": baselines(sequences, seen, steps, count),
        "published": PUBLISHED,
    }


def available(settings):
    """Return how many frames can be predicted after those that a model sees: `STEPS`, fewer at a file's end.

    ValueError when there is none.
    """
    files = [file for file in (settings.sequences_file, settings.train_sequences_file) if file]
    steps = min([STEPS, *(_stored(file, settings) - settings.seen for file in files)])
    if steps < 1:
        raise ValueError(f"{files[0]} has no frame after the {settings.seen} that the model sees")
    return steps


def _stored(file, settings):
    """Return how many frames the sequences of a file have."""
    return SequenceFile(file, time_axis=settings.time_axis).n_frames


def score(model, data, seen, steps, count, trained_on):
    """Return {"binary": scores, "grey": scores} of a model on the first `count` sequences of `data`.

    data: grey sequences of seen + steps frames. trained_on: the frames that the model takes, of `TARGETS`.
    Scores: {"nats", "mse", "mae", "ssim", "psnr": [one figure for each step]}, all of a frame.
    """
    criterion = nn.BCECriterion(size_average=False)
    totals = {kind: {metric: np.zeros(steps) for metric in ("nats", *METRICS)} for kind in TARGETS}
    batches = range(0, count, BATCH)
    for first in tqdm(batches, "predicting", unit=" batches", delay=5, leave=False, disable=None):
        frames = data.batch(range(first, min(first + BATCH, count))).frames
        by_kind = {"binary": binary(frames), "grey": frames}
        shown = backend.asarray(by_kind[trained_on][:seen], model.dtype, model.device)
        predictions = roll_out(model, shown, steps)
        predictions = backend.as_numpy(predictions).astype(np.float32)
        for kind, targets in by_kind.items():
            for step, (p, t) in enumerate(zip(predictions, targets[seen:])):
                totals[kind]["nats"][step] += float(criterion.forward(p, t))
                for metric, of in METRICS.items():
                    totals[kind][metric][step] += of(p, t).sum()
    return {
        kind: {metric: (total / count).tolist() for metric, total in sums.items()}
        for kind, sums in totals.items()
    }


def binary(frames):
    """Return grey frames with zeros and ones."""
    return (frames > 0.5).astype(np.float32)


def baselines(sequences, seen, steps, count):
    """Return {targets: {"copy": [...], "constant": [...]}} in nats a frame, at each step.

    sequences: {targets: (training sequences, test sequences)} of seen + steps frames.
    """
    found = {}
    for kind, (train, test) in sequences.items():
        calibration, pixels = evaluation.calibration_size(train), int(np.prod(test.size))
        errors = rollout.baseline_errors(train, test, seen, steps, calibration, count)
        found[kind] = {name: [pixels * error for error in values] for name, values in errors.items()}
    return found


def format_page(page):
    """Return the table in Markdown, with what was measured and how."""
    rows = [
        (
            *(row["model"], row["trained_on"], row["targets"]),
            *_nats(row["nats"]),
            *(f"{np.mean(row[metric]):.{digits}f}" for metric, digits in DIGITS.items()),
            "",
        )
        for row in page["rows"]
    ]
    for kind, errors in page["baselines"].items():
        rows += [(BASELINES[name], "", kind, *_nats(values), *[""] * 5) for name, values in errors.items()]
    rows += [(name, "", "grey", *_published(of)) for name, of in page["published"].items()]
    names = {"vpn": _VPN, "openstl": _OPENSTL}
    notes = NOTES.format(steps=page["steps"], count=page["sequences"], seen=page["seen"], **names)
    return "\n".join([format_markdown(COLUMNS, rows), "", f"Data: {page['data']}.", "", notes])


def _nats(values):
    return tuple(f"{value:.1f}" for value in (np.mean(values), values[0], values[-1]))


def _published(figures):
    """Return the cells of published figures, of which not all are known."""
    known = ((name, f"{figures[name]:.{digits}f}") for name, digits in _PRINTED.items() if name in figures)
    cells = dict.fromkeys(_PRINTED, "") | dict(known)
    return cells.pop("nats"), "", "", *cells.values(), figures["source"]


def draw(curve, pictures, found, page):
    """Draw the error at each step, on the targets that a model was trained on, and one sequence.

    curve, pictures: the files for these.
    """
    rows = [row for row in page["rows"] if row["targets"] == row["trained_on"]]
    curves = {f"{row['model']}, {row['targets']}": row["nats"] for row in rows}
    references = {
        f"{BASELINES[name]}, {kind}": values
        for kind in dict.fromkeys(row["targets"] for row in rows)
        for name, values in page["baselines"][kind].items()
    }
    figures.draw_errors(curve, curves, references, "Predictions fed back", "frames ahead", "nats a frame")
    first, _ = next(iter(found.values()))
    seen, steps = page["seen"], page["steps"]
    frames = first.sequences(seen + steps, grey=True)[1].batch([0]).frames
    predictions = {}
    for name, (opened, model) in found.items():
        shown = frames[:seen] if opened.settings.targets == "grey" else binary(frames[:seen])
        shown = backend.asarray(shown, model.dtype, model.device)
        predictions[name] = backend.as_numpy(roll_out(model, shown, steps))[:, 0, 0]
    rollout.draw_frames(pictures, frames[:, 0, 0], predictions, seen)
