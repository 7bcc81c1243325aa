"""How well frames of real video are predicted: by the model, by copying, and by going on with the motion."""

import numpy as np
from nnlite.train.moving_mnist.table1 import format_markdown
from nnlite.train.real_video.experiment import GREY
from nnlite.train.real_video.lucas_kanade import go_on
from nnlite.train.warping.report import psnr

from nnlite import backend
from nnlite.ops import threads

#: Clips at once.
BATCH = 4
NAMES = {
    "model": "AE-ConvLSTM-flow",
    "still": "the same with zero flow",
    "copy": "last frame copied",
    "motion": "motion of Lucas-Kanade carried on",
}


def predict(model, frames):
    """Return the predicted next frames of `frames` (T, N, C, H, W) and the flow (T, N, H, W, 2) in pixels.

    Values that no picture has, below 0 and above 1, are cut off.
    """
    with threads.single_blas_thread():
        output = model.forward(backend.asarray(frames - np.float32(GREY), model.dtype, model.device))
    predictions = np.clip(backend.as_numpy(output) + np.float32(GREY), 0, 1)
    return predictions, np.moveaxis(backend.as_numpy(model.flow), 2, -1)


def carry_motion_on(frames):
    """Return the next frames (T, N, C, H, W) if all moves on as between the last two of `frames`.

    The first frame, which has none before it, is copied.
    """
    predictions = frames.copy()
    for t in range(1, len(frames)):
        for n in range(frames.shape[1]):
            predictions[t, n] = go_on(frames[t - 1, n], frames[t, n])
    return predictions


def model_errors(model, clips, chosen):
    """Return the squared and absolute errors of the model, (clips, steps, 2)."""
    model.evaluate()
    found = [_errors(predict(model, frames[:-1])[0], frames[1:]) for frames in _batches(clips, chosen)]
    model.training()
    return np.concatenate(found)


def still_errors(model, clips, chosen):
    """Return the errors of the model with its flow held at zero: what encoder and decoder lose."""
    weights, _ = model.regressor.parameters()
    kept = [weight.copy() for weight in weights]
    try:
        for weight in weights:
            weight.fill(0)
        return model_errors(model, clips, chosen)
    finally:
        for weight, value in zip(weights, kept):
            weight[...] = value


def baseline_errors(clips, chosen):
    """Return {"copy": errors, "motion": errors} of what needs no training, each (clips, steps, 2)."""
    copied, carried = [], []
    for frames in _batches(clips, chosen):
        copied.append(_errors(frames[:-1], frames[1:]))
        carried.append(_errors(carry_motion_on(frames[:-1]), frames[1:]))
    return {"copy": np.concatenate(copied), "motion": np.concatenate(carried)}


def summary(errors):
    """Return {"last": {...}, "all": {...}} with the mean "squared" and "absolute" error of such errors."""
    found = {}
    for steps, here in (("last", errors[:, -1]), ("all", errors)):
        squared, absolute = (float(value) for value in here.reshape(-1, 2).mean(axis=0))
        found[steps] = {"squared": squared, "absolute": absolute}
    return found


def score(model, clips, chosen):
    """Return the scores of model and baselines, over all chosen clips and for each video, ready for JSON."""
    errors = {
        "model": model_errors(model, clips, chosen),
        "still": still_errors(model, clips, chosen),
        **baseline_errors(clips, chosen),
    }
    sources = [clips.place(i)[0] for i in chosen]
    videos = []
    for source in dict.fromkeys(sources):
        mine = np.array([other == source for other in sources])
        scores = {name: summary(values[mine]) for name, values in errors.items()}
        videos.append({"video": video_name(source), "clips": int(mine.sum())} | scores)
    return {"scores": {name: summary(values) for name, values in errors.items()}, "videos": videos}


def video_name(source):
    """Return the name of a source; that of a folder of pictures (in OTB always img) with the one above."""
    return f"{source.parent.name}/{source.name}" if source.is_dir() else source.name


def moves_most(result):
    """Return the name of the video that changes most from frame to frame."""
    return max(result["videos"], key=lambda video: video["copy"]["all"]["squared"])["video"]


def format_tables(result):
    """Return the tables of what `score` found, in Markdown; PSNR is that of the mean squared error."""
    head, rows = [""], [[title] for title in NAMES.values()]
    for steps, words in (("last", f"frame {result['experiment']['frames']}"), ("all", "all steps")):
        head += [f"squared, {words}", f"absolute, {words}", f"PSNR, {words}"]
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
    return (clips.batch(chosen[i : i + BATCH]) for i in range(0, len(chosen), BATCH))


def _errors(predictions, truth):
    """Return the mean squared and absolute error of each frame, (N, T, 2)."""
    difference = predictions.astype(np.float64) - truth
    kinds = [(difference**2).mean(axis=(2, 3, 4)), np.abs(difference).mean(axis=(2, 3, 4))]
    return np.stack(kinds, axis=-1).swapaxes(0, 1)
