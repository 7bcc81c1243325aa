"""Predict a video of any length frame by frame, in constant memory, and keep the flow in files."""

from contextlib import closing, contextmanager
from pathlib import Path

import h5py
import numpy as np
from nnlite.data.flow import write_flo
from nnlite.train.real_video.scores import predict

from nnlite.files import replacing


def predict_stream(model, frames):
    """Yield (frame, prediction of the next one, flow to it) for each of `frames`, any iterable of (C, H, W).

    The predictions are (C, H, W), the flows (H, W, 2) in pixels. The memory goes on from frame to frame, so
    that they are those of the whole sequence at once; of the frames themselves none is kept.
    """
    memories = [module for module in model.list_modules() if hasattr(module, "remember")]
    model.evaluate()
    for memory in memories:
        memory.remember("both").forget()
    try:
        for frame in frames:
            prediction, flow = predict(model, frame[None, None])
            yield frame, prediction[0, 0], flow[0, 0].copy()
    finally:
        for memory in memories:
            memory.remember("neither").forget()
        model.training()


@contextmanager
def flow_writer(place, about):
    """Return, as a context, the function that writes the flows (H, W, 2) of a video one after the other.

    place: a file .h5 or .hdf5, which gets a dataset `flow` (number of flows, H, W, 2) and the attributes
    `about`, and which appears at the end, whole; or else a folder, which gets flow_000000.flo, ... The flow
    number k is that from frame k to k + 1, (u, v) in pixels of the frames given to the model, at the pixels
    of frame k + 1. FileExistsError when the folder holds flows already.
    """
    place = Path(place)
    if place.suffix.lower() in (".h5", ".hdf5"):
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as part, h5py.File(part, "w") as file:
            file.attrs.update(about)
            yield lambda flow: _append(file, flow)
        return
    if place.is_dir() and any(place.glob("*.flo")):
        raise FileExistsError(f"{place} holds .flo files already; name another folder with --save-flow")
    place.mkdir(parents=True, exist_ok=True)
    count = 0

    def write(flow):
        nonlocal count
        write_flo(place / f"flow_{count:06d}.flo", flow)
        count += 1

    yield write


def _append(file, flow):
    if "flow" not in file:
        shape = (0, *flow.shape)
        file.create_dataset(
            "flow", shape, "f4", maxshape=(None, *flow.shape), chunks=(1, *flow.shape), compression="gzip"
        )
    dataset = file["flow"]
    dataset.resize(len(dataset) + 1, axis=0)
    dataset[-1] = flow


class Tally:
    """The squared errors of the predictions that pass through, and those of copying, in constant memory."""

    def __init__(self, video):
        self.video, self.frames = video, 0
        self.model = self.copy = 0.0

    def compared(self, stream):
        """Yield (frame before, frame, its prediction, flow to it) of what `predict_stream` yields.

        ValueError when that is a single frame.
        """
        before = None
        with closing(stream):
            for frame, prediction, flow in stream:
                self.frames += 1
                if before is not None:
                    self.model += float(((before[1] - frame) ** 2).mean(dtype=np.float64))
                    self.copy += float(((before[0] - frame) ** 2).mean(dtype=np.float64))
                    yield before[0], frame, before[1], before[2]
                before = frame, prediction, flow
        if self.frames < 2:
            raise ValueError(
                f"{self.video}: a video of {self.frames} frame has none to compare predictions with"
            )

    @property
    def errors(self):
        """The mean squared errors of model and copy."""
        return self.model / (self.frames - 1), self.copy / (self.frames - 1)
