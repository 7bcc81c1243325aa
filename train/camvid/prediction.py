"""Label a video of any size and length frame by frame, in constant memory."""

from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

import nnlite as nn
from nnlite import models
from nnlite.data.label_colours import colours_from_labels
from nnlite.data.pictures import resize_labels, write_indexed
from nnlite.data.video_writer import write_video
from nnlite.files import as_text, make_folder, new_series
from nnlite.train.camvid.data import colours_of
from nnlite.train.camvid.evaluation import segment
from nnlite.train.camvid.steadiness import Steadiness, motion_between
from nnlite.train.report import side_by_side as panels
from nnlite.train.report.source import video_frames

#: Pairs of neighbouring frames, spread over the video, along whose motion labels are compared. Finding the
#: motion takes longer than labelling.
PAIRS = 60
#: What of `segment` is shown, and its title above the picture.
_SHOWN = {"basic": "nothing carried along", "labels": None}


@contextmanager
def labelling(model):
    """Return, as a context, a function from one frame (3, H, W) after the other of a video to its labels.

    It returns {"labels": (H, W)}, and of SegNet-flow "basic" too, as `segment` finds them in the whole video:
    the model remembers from frame to frame.
    """

    def label(frame):
        found = segment(model, frame[None, None])
        return {name: found[name][0, 0] for name in _SHOWN if name in found}

    with nn.evaluating(model), nn.remembering(model):
        yield label


def render(model, settings, video, out, save_labels=None):
    """Write the video `out`: each frame beside its labels. Print how steady these are.

    The frames are resized to `settings.size` and taken at `settings.rate`. save_labels: the folder for the
    labels, if they are to be kept, see `label_writer`.
    """
    classes, palette = colours_of(settings)
    info, rate, bar = video_frames(video, settings.size, "rgb", settings.rate, doing="labelling")
    every = max(1, info.n_frames_at(settings.rate or None) // PAIRS)
    steadiness = {}
    make_folder(out.parent)
    with (
        bar as frames,
        label_writer(save_labels, info.size, palette) as write,
        labelling(model) as label,
        closing(_labelled(frames, label, steadiness, every, write)) as labelled,
    ):
        title = models.TITLES[settings.model]
        write_video(out, _drawn(labelled, title, classes, palette), rate)
    (height, width), name = settings.size, as_text(Path(video).name)
    print(f"{name}, frames of {info.size[0]}x{info.size[1]}, resized to {height}x{width} pixels")
    for source, steady in steadiness.items():
        if steady.share is not None:
            print(
                f"{_SHOWN[source] or title}: {100 * steady.share:.1f}% of the labels change from frame to "
                "frame along the motion that Lucas-Kanade finds"
            )
    print(f"The video is {out}" + (f", the labels are in {save_labels}" if save_labels else ""))


def _labelled(frames, label, steadiness, every, write):
    """Yield each frame with its labels; write them, and add to {name: `Steadiness`} at every few pairs."""
    before = None
    for number, frame in enumerate(frames):
        found = label(frame)
        write(found["labels"])
        if before is not None and number % every == 0:
            motion = motion_between(before[0], frame)
            for name, labels in found.items():
                steadiness.setdefault(name, Steadiness()).add(before[1][name], labels, motion)
        before = frame, found
        yield frame, found


def _drawn(labelled, title, classes, palette):
    """Yield the picture of each frame beside its labels, with titles and legend."""
    above = below = None
    for frame, found in labelled:
        factor = panels.enlargement(frame.shape[-2])
        drawn = (colours_from_labels(labels, palette) for labels in found.values())
        row = [panels.enlarged(part, factor) for part in (panels.as_picture(frame), *drawn)]
        row = panels.side_by_side(row)
        if above is None:
            titles = ["frame", *(_SHOWN[name] or title for name in found)]
            above = panels.head(titles, factor * frame.shape[-1])
            below = panels.legend(classes, palette, row.shape[1])
        yield np.concatenate([above, row, below])


@contextmanager
def label_writer(folder, size, palette):
    """Return, as a context, the function that writes the labels (H, W) of one frame after the other.

    folder: gets label_000000.png, ..., pictures of `size` (height, width) whose pixels are the numbers of the
    classes, shown in their colours; after an error none is left. None: nothing is written. FileExistsError
    when it holds such already.
    """
    if folder is None:
        yield lambda labels: None
        return
    with new_series(folder, "label_{:06d}.png", "--save-labels") as paths:
        yield lambda labels: write_indexed(next(paths), resize_labels(labels, size), palette)
