"""End-point errors of the predicted flow: on drawn motion, which is known, and on pairs of benchmarks.

The flow to the next frame is predicted before that frame is seen. So Lucas-Kanade stands beside it twice: its
motion between the last two frames seen carried on, and that between the last of them and the frame to come.
"""

import re

import numpy as np
from scipy.ndimage import map_coordinates

import nnlite as nn
from nnlite import models
from nnlite.data import moving_textures
from nnlite.data.flow import end_point_error
from nnlite.data.image_sequence import image_files
from nnlite.data.moving_textures import MovingTextures
from nnlite.data.video import read_frames
from nnlite.train.real_video.baselines import motion_between
from nnlite.train.real_video.prediction import predict
from nnlite.train.real_video.settings import DRAWN_SPEED
from nnlite.train.report.lucas_kanade import optical_flow
from nnlite.train.report.tables import format_markdown

NAMES = {
    "model": models.TITLES["ae_convlstm_flow"],
    "zero": "zero flow",
    "carried": "Lucas-Kanade carried on",
    "shown": "Lucas-Kanade, shown the next frame",
}
#: Sequences of drawn motion: so many for each clip scored, but at most so many, and how many at once.
FOR_EACH, MOST, BATCH = 4, 48, 4


def drawn_errors(model, textures, size, n_frames, count=MOST):
    """Return {name: {"last": error, "all": error}} on drawn motion, ready for JSON; None for tiny frames.

    The mean end-point error in pixels over the pixels of each predicted frame whose content was visible in
    the frame before, of the last prediction and of all. textures: see `MovingTextures`, whose test motions
    these are: no run learns from them. count: of sequences.
    """
    if min(size) < moving_textures.SMALLEST:
        return None
    data = MovingTextures(textures, size, n_frames, DRAWN_SPEED, split="test")
    totals = {name: np.zeros((2, 2)) for name in NAMES}
    for first in range(0, count, BATCH):
        video = data.batch(range(first, min(first + BATCH, count)))
        truth, visible = video.true_flow("target")
        truth = np.moveaxis(truth, 2, -1)
        shown = -motion_between(video.frames)
        with nn.evaluating(model):
            found = {"model": predict(model, video.frames[:-1])[1], "zero": np.zeros_like(truth)}
        found |= {"carried": np.concatenate([0 * shown[:1], shown[:-1]]), "shown": shown}
        for name, flow in found.items():
            for k, steps in enumerate((slice(-1, None), slice(None))):
                pixels = visible[steps].sum()
                error = end_point_error(flow[steps], truth[steps], visible[steps]) if pixels else 0.0
                totals[name][k] += error * pixels, pixels
    return {
        name: {steps: float(total / pixels) for steps, (total, pixels) in zip(("last", "all"), sums)}
        for name, sums in totals.items()
    }


def pair_errors(model, pairs, size, colour):
    """Return the errors on pairs (`data.frame_pairs.PairFiles`), a list of dicts ready for JSON.

    Each has "dataset", "name", "seen", the number of frames up to the first of the pair that are there, and
    the errors by name, in pixels of the pair at the pixels of its first frame, where the flow is known and
    the content visible in both; "carried" is missing where there is no frame before the first. Frames are
    resized to `size`, and the flow from it. The model's flow belongs to the pixels of the second frame; the
    benchmarks have none there.
    """
    found = []
    for files in pairs:
        pair = files.read()
        mask = pair.known if pair.hidden is None else pair.known & ~pair.hidden
        frames, seen = _frames_around(files, size, colour)
        with nn.evaluating(model):
            flows = {"model": predict(model, frames[:-1])[1][-1, 0], "zero": np.zeros((*size, 2))}
        grey = frames[:, 0].mean(axis=1)
        if seen > 1:
            flows["carried"] = -optical_flow(grey[-2], grey[-3])
        flows["shown"] = optical_flow(grey[-2], grey[-1])
        errors = {
            name: end_point_error(_enlarged(flow, pair.flow.shape[:2]), pair.flow, mask)
            for name, flow in flows.items()
        }
        found.append({"dataset": files.dataset, "name": files.name, "seen": seen} | errors)
    return found


def _frames_around(files, size, colour):
    """Return the frames (T, 1, C, H, W) up to the second of a pair, and how many come before that."""
    names = image_files(files.first.parent)
    last = first = names.index(files.first)
    while first and _number(names[first]) == _number(names[first - 1]) + 1:
        first -= 1
    frames = list(read_frames(files.first.parent, size, colour))[first : last + 2]
    return np.stack(frames)[:, None], last - first + 1


def _number(path):
    """Return the number at the end of a name."""
    return int(re.search(r"(\d+)$", path.stem)[1])


def _enlarged(flow, shape):
    """Return the flow (h, w, 2) of resized pictures for those of this shape (H, W), read linearly."""
    scale = np.array(shape) / flow.shape[:2]
    places = np.meshgrid(*((np.arange(n) + 0.5) / s - 0.5 for n, s in zip(shape, scale)), indexing="ij")
    u, v = (map_coordinates(flow[..., c], places, order=1, mode="nearest") for c in (0, 1))
    return np.stack([u * scale[1], v * scale[0]], axis=-1)


def format_drawn(errors):
    """Return the table of the errors on drawn motion, in Markdown."""
    rows = [
        [
            title,
            *(f"{errors[name][steps]:.2f}" for steps in ("last", "all")),
            *(f"{errors[name][steps] / errors['zero'][steps]:.2f}" for steps in ("last", "all")),
        ]
        for name, title in NAMES.items()
    ]
    head = ["", "last step", "all steps", "over zero flow's, last step", "all steps"]
    return format_markdown(head, rows)


def format_pairs(found):
    """Return the table of the errors on pairs, in Markdown, and which of them are hardly to be predicted."""
    rows = [
        [
            f"{pair['dataset']} {pair['name']}",
            str(pair["seen"]),
            *(f"{pair[name]:.2f}" if name in pair else "-" for name in NAMES),
        ]
        for pair in found
    ]
    table = format_markdown(["", "frames seen", *NAMES.values()], rows)
    blind = sum(pair["seen"] == 1 for pair in found)
    if blind:
        table += f"\n\nOf {blind} of the {len(found)} pairs no frame before the first is there to see motion."
    return table
