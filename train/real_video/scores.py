"""How well frames of real video are predicted: by the model, by copying, and by extrapolating the motion."""

import numpy as np

import nnlite as nn
from nnlite.train.real_video.lucas_kanade import extrapolate
from nnlite.train.real_video.prediction import predict
from nnlite.train.real_video.videos import video_name
from nnlite.train.report.tables import format_markdown, psnr

#: Clips at once.
BATCH = 4
NAMES = {
    "model": "AE-ConvLSTM-flow",
    "zero_flow": "the same with zero flow",
    "copy": "last frame copied",
    "motion": "motion extrapolated (Lucas-Kanade)",
}


def extrapolate_all(frames):
    """Return the next frames (T, N, C, H, W) if all moves on as between the last two of `frames`.

    The first frame, which has none before it, is copied.
    """
    predictions = frames.copy()
    for t in range(1, len(frames)):
        for n in range(frames.shape[1]):
            predictions[t, n] = extrapolate(frames[t - 1, n], frames[t, n])
    return predictions


def model_errors(model, clips, chosen):
    """Return the squared and absolute errors of the model, (clips, steps, 2)."""
    with nn.evaluating(model):
        errors = [_errors(predict(model, frames[:-1])[0], frames[1:]) for frames in _batches(clips, chosen)]
    return np.concatenate(errors)


def errors_without_flow(model, clips, chosen):
    """Return the errors of the model with its flow held at zero: what encoder and decoder lose."""
    before, model.hold_flow = model.hold_flow, True
    try:
        return model_errors(model, clips, chosen)
    finally:
        model.hold_flow = before


def baseline_errors(clips, chosen):
    """Return {"copy": errors, "motion": errors} of what needs no training, each (clips, steps, 2)."""
    copied, extrapolated = [], []
    for frames in _batches(clips, chosen):
        copied.append(_errors(frames[:-1], frames[1:]))
        extrapolated.append(_errors(extrapolate_all(frames[:-1]), frames[1:]))
    return {"copy": np.concatenate(copied), "motion": np.concatenate(extrapolated)}


def summary(errors):
    """Return {"last": {...}, "all": {...}} with the mean "squared" and "absolute" error of such errors."""
    result = {}
    for steps, selected in (("last", errors[:, -1]), ("all", errors)):
        squared, absolute = (float(value) for value in selected.reshape(-1, 2).mean(axis=0))
        result[steps] = {"squared": squared, "absolute": absolute}
    return result


def score(model, test):
    """Return the scores of model and baselines, over all `TestClips` and for each video, ready for JSON."""
    errors = {
        "model": model_errors(model, test.clips, test.chosen),
        "zero_flow": errors_without_flow(model, test.clips, test.chosen),
        **baseline_errors(test.clips, test.chosen),
    }
    videos = []
    for source in dict.fromkeys(test.sources):
        of_video = np.array([other == source for other in test.sources])
        scores = {name: summary(values[of_video]) for name, values in errors.items()}
        videos.append({"video": video_name(source), "clips": int(of_video.sum())} | scores)
    return {"scores": {name: summary(values) for name, values in errors.items()}, "videos": videos}


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
        ]
        for video in result["videos"]
    ]
    return "\n".join(
        [
            format_markdown(head, rows),
            "",
            "PSNR in dB, all steps:",
            "",
            format_markdown(["", "clips", *NAMES.values()], by_video),
        ]
    )


def _batches(clips, chosen):
    return (clips.batch(chosen[i : i + BATCH]).frames for i in range(0, len(chosen), BATCH))


def _errors(predictions, truth):
    """Return the mean squared and absolute error of each frame, (N, T, 2)."""
    difference = predictions.astype(np.float64) - truth
    kinds = [(difference**2).mean(axis=(2, 3, 4)), np.abs(difference).mean(axis=(2, 3, 4))]
    return np.stack(kinds, axis=-1).swapaxes(0, 1)
