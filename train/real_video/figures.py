"""Pictures of a run on real video: Figure 6, a film, and the curves."""

import io
from itertools import chain

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import nnlite as nn
from nnlite.data.flow_colour import colour_wheel, flow_colours
from nnlite.files import write_bytes
from nnlite.train.real_video.ahead import COMPARED
from nnlite.train.real_video.panels import Panels, flow_scale
from nnlite.train.real_video.prediction import PredictedFrame, predict
from nnlite.train.report import figures
from nnlite.train.report.figures import save_figure
from nnlite.train.report.side_by_side import as_picture
from nnlite.train.report.tables import psnr

#: Clips in the film, and pictures a second.
FILMED, FILM_RATE = 2, 5


def draw_figure6(path, model, clips, chosen, titles):
    """Draw one row per clip: its last input frames, at most three, the truth, the prediction and the flow.

    The rim of the wheel stands for the 99th percentile of the lengths of the flow in the same row, at least
    for one pixel, so that a flow that is next to nothing stays pale.
    """
    frames = clips.batch(chosen).frames
    with nn.evaluating(model):
        predictions, flows = predict(model, frames[:-1])
    given = min(3, len(frames) - 1)
    names = [*["t - 2", "t - 1", "t"][-given:], "t + 1: truth", "prediction", "flow"]
    height, width = clips.size
    high = (1.7 * height / width + 0.22) * len(chosen) + 0.2
    figure = Figure(figsize=(1.7 * len(names), high), layout="constrained")
    axes = figure.subplots(len(chosen), len(names), squeeze=False)
    for axis, name in zip(axes[0], names):
        axis.set_title(name, fontsize=9)
    for n, row in enumerate(axes):
        longest = flow_scale(flows[-1, n])
        shown = [frames[k, n] for k in range(-given - 1, 0)] + [predictions[-1, n]]
        for axis, picture in zip(row, [*map(as_picture, shown), flow_colours(flows[-1, n], longest)]):
            axis.imshow(picture, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(titles[n], fontsize=6, parse_math=False)
        wheel = row[-1].inset_axes([0.74, 0.0, 0.26, 0.26 * width / height])
        wheel.imshow(colour_wheel(101))
        wheel.set_axis_off()
        row[-1].set_xlabel(f"rim of the wheel: {longest:.1f} px", fontsize=6, labelpad=1)
    save_figure(path, figure, dpi=140)


def draw_film(path, model, clips, chosen):
    """Write an animated WebP of some clips one below the other: of each frame what was predicted of it."""
    frames = clips.batch(chosen).frames
    with nn.evaluating(model):
        predictions, flows = predict(model, frames[:-1])
    rows = []
    for n in range(len(chosen)):
        panels = Panels(height=1)
        made = zip(frames[:-1, n], predictions[:, n], flows[:, n], frames[1:, n])
        shown = [panels.add(PredictedFrame(*found), frame) for *found, frame in made]
        rows.append(chain(*shown, panels.remaining()))
    first, *others = (Image.fromarray(np.concatenate(pictures)) for pictures in zip(*rows))
    film = io.BytesIO()
    first.save(
        film, "WebP", save_all=True, append_images=others, duration=1000 // FILM_RATE, loop=0, quality=70
    )
    write_bytes(path, film.getvalue())


def draw_curves(path, log, scores, loss="square"):
    """Draw the squared error over the run, beside that of copying and of extrapolating the motion.

    loss: what the run made small; where that is not the squared error its values are left out.
    """
    training = [line for line in log if "loss" in line and loss == "square"]
    evaluations = [line for line in log if "evaluation" in line]
    panel = {
        "title": "Prediction, mean of all steps",
        "label": "squared error a pixel",
        "training": ([line["sequences"] for line in training], [line["loss"] for line in training]),
        "unseen": (
            [line["sequences"] for line in evaluations[1:]],
            [line["evaluation"]["all"]["squared"] for line in evaluations[1:]],
        ),
        "levels": {
            "last frame copied": scores["copy"]["all"]["squared"],
            "motion extrapolated": scores["motion"]["all"]["squared"],
        },
    }
    figures.draw_curves(path, [panel])


def draw_ahead(path, result):
    """Draw PSNR and SSIM at each step ahead, the model's as a line and those without training dashed."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    axes = figure.subplots(1, 2)
    for name, values in result.items():
        measures = {"PSNR, dB": [psnr(error) for error in values["squared"]], "SSIM": values["ssim"]}
        for axis, (label, measure) in zip(axes, measures.items()):
            style = "o-" if name == "model" else "--"
            axis.plot(range(1, len(measure) + 1), measure, style, label=COMPARED[name])
            axis.set(xlabel="frames ahead", ylabel=label, xticks=range(1, len(measure) + 1))
    axes[0].set_title("Predictions fed back")
    axes[1].legend()
    save_figure(path, figure, dpi=110)
