"""Predict a video of any length frame by frame, in constant memory, and keep pictures and flow in files."""

from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

import nnlite as nn
from nnlite import backend
from nnlite.data.flow import write_flo
from nnlite.data.video_writer import write_video
from nnlite.files import as_text, make_folder, new_series
from nnlite.library_file import file_for_library
from nnlite.models.feedback import LookAhead
from nnlite.models.unit_range import UnitRange
from nnlite.train.real_video.ahead import StreamScores, format_table
from nnlite.train.real_video.panels import Panels
from nnlite.train.report.source import video_frames
from nnlite.train.report.tables import psnr

#: Subtracted from all frames: to the model middle grey is 0. With values from 0 to 1 the brightness that all
#: pixels share dominates every gradient; encoder and decoder alone took four times the steps to copy as well.
GREY = 0.5


@dataclass(frozen=True)
class PredictedFrame:
    """The next frame of a video, predicted after frame `last`; both (C, H, W) with values in [0, 1].

    flow: from `last` to the predicted frame, (H, W, 2) of (u, v) in pixels. further: the frames after that,
    each predicted from the predictions before it.
    """

    last: np.ndarray
    prediction: np.ndarray
    flow: np.ndarray
    further: tuple = ()


class RunningError:
    """The mean squared errors of predicted frames and of copies of the frames before, in constant memory."""

    def __init__(self):
        self.count, self._model, self._copy = 0, 0.0, 0.0

    def add(self, predicted, frame):
        """Compare a `PredictedFrame` with the frame that came."""
        self.count += 1
        self._model += float(((predicted.prediction - frame) ** 2).mean(dtype=np.float64))
        self._copy += float(((predicted.last - frame) ** 2).mean(dtype=np.float64))

    @property
    def model(self):
        """The mean error of the predictions."""
        return self._model / self.count

    @property
    def copy(self):
        """The mean error of the copies."""
        return self._copy / self.count


def predict(model, frames):
    """Return the predicted next frames of `frames` (T, N, C, H, W) and the flow (T, N, H, W, 2) in pixels."""
    predictions = UnitRange(model, GREY).forward(backend.asarray(frames, model.dtype, model.device))
    return backend.as_numpy(predictions), np.moveaxis(backend.as_numpy(model.flow), 2, -1)


@contextmanager
def streaming(model, steps=1):
    """Return, as a context, a function that takes one frame (C, H, W) after the other of a video.

    It returns the `PredictedFrame` that follows, the same as if the whole video were predicted at once: the
    model remembers from frame to frame. Of the frames themselves none is kept. steps: how many frames to
    predict after each.
    """
    pictures = UnitRange(model, GREY)
    look_ahead = LookAhead(pictures) if steps > 1 else None

    def predict_next(frame):
        prediction = pictures.forward(backend.asarray(frame[None, None], model.dtype, model.device))
        flow = np.moveaxis(backend.as_numpy(model.flow)[0, 0], 0, -1).copy()
        further = backend.as_numpy(look_ahead.go_on(prediction, steps - 1)) if look_ahead else ()
        return PredictedFrame(frame, backend.as_numpy(prediction)[0, 0], flow, tuple(f[0] for f in further))

    with nn.evaluating(model), nn.remembering(model):
        yield predict_next


def render(model, settings, video, out, save_flow=None):
    """Write the video `out` of what the model predicts of `video`, in constant memory; print the errors.

    The frames are resized to those that the model learned from, and taken at the same rate. save_flow: where
    to write the flow, if anywhere.
    """
    height, width = settings.size
    errors, further = RunningError(), StreamScores(settings.steps) if settings.steps > 1 else None
    info, rate, source = video_frames(
        video, settings.size, settings.colour, settings.rate, settings.deinterlace, doing="predicting"
    )
    metadata = {
        "video": as_text(Path(video).name),
        "frames a second": rate,
        "size of the video": info.size,
        "unit": "(u, v) in pixels of the frames given to the model, from frame k to k + 1",
    }
    make_folder(out.parent)
    with (
        source as frames,
        flow_writer(save_flow, metadata) as write_flow,
        closing(predicted_pictures(model, video, frames, errors, write_flow, further)) as pictures,
    ):
        write_video(out, pictures, rate)
    print(
        f"{Path(video).name}, {errors.count + 1} frames of {info.size[0]}x{info.size[1]}, resized to "
        f"{height}x{width} pixels: PSNR {psnr(errors.model):.1f} dB, of the last frame copied "
        f"{psnr(errors.copy):.1f} dB"
    )
    if further:
        print(f"Predictions fed back, PSNR in dB and SSIM:\n\n{format_table(further.scores.result())}\n")
    print(f"The video is {out}" + (f", the flow {save_flow}" if save_flow else ""))


def predicted_pictures(model, video, frames, errors, write_flow, further=None):
    """Yield the pictures of a rendered video; on the way add up its errors and write its flow.

    further: the `StreamScores` to add to, if several steps ahead are predicted; there are pictures then from
    the first frame on that has been predicted all of them ahead. ValueError, naming the video, when it has
    no frame that has.
    """
    steps = further.steps if further else 1
    panels, predicted, drawn = Panels(steps), None, False
    with streaming(model, steps) as predict_next:
        for frame in frames:
            if predicted is not None:
                errors.add(predicted, frame)
                farthest = further.farthest if further else None
                if further:
                    further.compare(frame)
                if steps == 1 or farthest is not None:
                    drawn = True
                    yield from panels.add(predicted, frame, farthest)
            predicted = predict_next(frame)
            if further:
                further.expect(predicted)
            write_flow(predicted.flow)
    if not drawn:
        few = "one frame" if steps == 1 else f"{errors.count + 1} frames"
        wanted = f" {steps} steps ahead" if steps > 1 else ""
        raise ValueError(f"{video}: a video of {few} has none to compare predictions with{wanted}")
    yield from panels.remaining()


@contextmanager
def flow_writer(place, metadata):
    """Return, as a context, the function that writes the flows (H, W, 2) of a video one after the other.

    place: a file .h5 or .hdf5, which gets a dataset `flow` (number of flows, H, W, 2) and the attributes
    `metadata`; or else a folder, which gets flow_000000.flo, ...; or None, and nothing is written. After an
    error neither is left. The flow number k is that from frame k to k + 1, (u, v) in pixels of the
    frames given to the model, at the pixels of frame k + 1. FileExistsError when the folder holds such
    already.
    """
    if place is None:
        yield lambda flow: None
        return
    place = Path(place)
    if place.suffix.lower() in (".h5", ".hdf5"):
        make_folder(place.parent)
        with file_for_library(place) as target, h5py.File(target, "w") as file:
            file.attrs.update(metadata)

            def append(flow):
                _append(file, flow)
                target.check()

            yield append
        return
    with new_series(place, "flow_{:06d}.flo", "--save-flow") as paths:
        yield lambda flow: write_flo(next(paths), flow)


def _append(file, flow):
    if "flow" not in file:
        shape = (0, *flow.shape)
        file.create_dataset(
            "flow", shape, "f4", maxshape=(None, *flow.shape), chunks=(1, *flow.shape), compression="gzip"
        )
    dataset = file["flow"]
    dataset.resize(len(dataset) + 1, axis=0)
    dataset[-1] = flow
