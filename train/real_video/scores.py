"""How well frames of real video are predicted: by the model, by copying, and by extrapolating the motion."""

import math
from contextlib import contextmanager

import numpy as np
from tqdm.auto import tqdm

import nnlite as nn
from nnlite.train.real_video import ahead, by_motion
from nnlite.train.real_video.baselines import NAMES, extrapolate_all, motion_between
from nnlite.train.real_video.prediction import GREY, predict
from nnlite.train.real_video.videos import video_name
from nnlite.train.report.tables import format_markdown, psnr
from nnlite.train.runs import processes

#: Clips at once.
BATCH = 4


def model_errors(model, clips, chosen):
    """Return the squared and absolute errors of the model, (clips, steps, 2); several processes share it."""
    group = processes.current()
    with nn.evaluating(model):
        errors = [
            _errors(predict(model, frames[:-1])[0], frames[1:])
            for frames in _batches(clips, chosen, group.own)
        ]
    return np.concatenate(group.collect(errors))


@contextmanager
def _zero_flow(model):
    """Return a context in which the flow of the model is held at zero: what encoder and decoder lose."""
    before, model.hold_flow = model.hold_flow, True
    try:
        yield
    finally:
        model.hold_flow = before


def summary(errors):
    """Return {"last": {...}, "all": {...}} with the mean "squared" and "absolute" error of such errors."""
    result = {}
    for steps, selected in (("last", errors[:, -1]), ("all", errors)):
        squared, absolute = (float(value) for value in selected.reshape(-1, 2).mean(axis=0))
        result[steps] = {"squared": squared, "absolute": absolute}
    return result


def score(model, test, steps=1):
    """Return the scores of model and baselines, over all `TestClips` and for each video, ready for JSON.

    steps: above 1, also those of the last so many frames of each clip, predicted from the frames before.
    Several processes share the work.
    """
    group = processes.current()
    errors, errors_by_motion = {name: [] for name in NAMES}, by_motion.ErrorsByMotion()
    with nn.evaluating(model):
        batches = tqdm(
            _batches(test.clips, test.chosen, group.own),
            "scoring",
            math.ceil(len(test.chosen) / BATCH / group.size),
            unit=" batches",
            delay=5,
            leave=False,
            disable=None,
        )
        for frames in batches:
            motion = motion_between(frames)
            predictions = {"model": predict(model, frames[:-1])[0]}
            with _zero_flow(model):
                predictions["zero_flow"] = predict(model, frames[:-1])[0]
            predictions["copy"] = frames[:-1]
            predictions["motion"] = extrapolate_all(frames[:-1], motion[:-1])
            for name, predicted in predictions.items():
                errors[name].append(_errors(predicted, frames[1:]))
            errors_by_motion.add(predictions, frames[1:], motion)
    errors = {name: np.concatenate(group.collect(parts)) for name, parts in errors.items()}
    errors_by_motion = sum(group.gather(errors_by_motion), by_motion.ErrorsByMotion())
    videos = []
    for source in dict.fromkeys(test.sources):
        of_video = np.array([other == source for other in test.sources])
        scores = {name: summary(values[of_video]) for name, values in errors.items()}
        about = {"video": video_name(source), "clips": int(of_video.sum())}
        videos.append(about | {"over_copy": _over_copy(scores)} | scores)
    result = {"scores": {name: summary(values) for name, values in errors.items()}, "videos": videos}
    result["by_motion"] = errors_by_motion.result()
    if steps > 1:
        result["ahead"] = ahead.score(model, _batches(test.clips, test.chosen), steps, GREY)
    return result


def _over_copy(scores):
    """Return by how much the PSNR of the model is above that of the copy, in dB; None if nothing changes."""
    model, copy = (scores[name]["all"]["squared"] for name in ("model", "copy"))
    return psnr(model) - psnr(copy) if model and copy else None


def most_changing(result):
    """Return the name of the video that changes most from frame to frame."""
    return max(result["videos"], key=lambda video: video["copy"]["all"]["squared"])["video"]


def format_tables(result):
    """Return the tables of what `score` found, in Markdown; PSNR is that of the mean squared error."""
    head, rows = [""], [[title] for title in NAMES.values()]
    for steps, title in (("last", f"frame {result['experiment']['frames']}"), ("all", "all steps")):
        head += [f"squared, {title}", f"absolute, {title}", f"PSNR, {title}"]
        for row, name in zip(rows, NAMES):
            errors = result["scores"][name][steps]
            row += [f"{errors['squared']:.5f}", f"{errors['absolute']:.4f}", f"{psnr(errors['squared']):.1f}"]
    by_video = [
        [
            video["video"],
            str(video["clips"]),
            *(f"{psnr(video[name]['all']['squared']):.1f}" for name in NAMES),
            "-" if video["over_copy"] is None else f"{video['over_copy']:+.2f}",
        ]
        for video in result["videos"]
    ]
    blocks = [
        format_markdown(head, rows),
        "PSNR in dB, all steps; the model's over that of the copy:",
        format_markdown(["", "clips", *NAMES.values(), "over the copy"], by_video),
    ]
    compared = [video for video in result["videos"] if video["over_copy"] is not None]
    if compared:
        worst = min(compared, key=lambda video: video["over_copy"])
        blocks.append(f"Beside its copy {worst['video']} is worst: {worst['over_copy']:+.2f} dB.")
    blocks += [
        "Squared error over that of the copy, by Lucas-Kanade's motion from the frame before:",
        by_motion.format_table(result["by_motion"]),
    ]
    if "ahead" in result:
        blocks += ["Predictions fed back, PSNR in dB and SSIM:", ahead.format_table(result["ahead"])]
    return "\n\n".join(blocks)


def _batches(clips, chosen, own=iter):
    """Yield batches of the chosen clips. own: which of their beginnings are this process's."""
    return (clips.batch(chosen[i : i + BATCH]).frames for i in own(range(0, len(chosen), BATCH)))


def _errors(predictions, truth):
    """Return the mean squared and absolute error of each frame, (N, T, 2)."""
    difference = predictions.astype(np.float64) - truth
    kinds = [(difference**2).mean(axis=(2, 3, 4)), np.abs(difference).mean(axis=(2, 3, 4))]
    return np.stack(kinds, axis=-1).swapaxes(0, 1)
