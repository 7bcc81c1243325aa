"""Trained weights to start SegNet-flow with: a SegNet, and the predictor of real video as its video part."""

from dataclasses import replace

import numpy as np

from nnlite import checkpoint
from nnlite.data.pictures import LUMINANCE
from nnlite.train.runs.experiment import load_run


def load_video(where):
    """Return the `Checkpoint` of a predictor, see `load_run`.

    ValueError when it is not an AE-ConvLSTM-flow.
    """
    saved = load_run(where)
    if saved.architecture.get("name") != "ae_convlstm_flow":
        found = saved.architecture.get("name", "an unnamed model")
        raise ValueError(f"--video-weights: {saved.path} must be of ae_convlstm_flow, it is of {found}")
    return saved


def options_of(saved):
    """Return the options of a SegNet-flow whose video part has the architecture of a predictor."""
    own = ("height", "width", "n_channels")
    video = {name: value for name, value in saved.architecture["options"].items() if name not in own}
    return {"video": video, "offset": float(saved.metadata.get("offset", 0.0))}


def start_video(video, saved):
    """Copy a predictor of grey or RGB frames into the RGB one of a SegNet-flow.

    From a grey one it gets the flow of the grey of its frames: E reads grey, Σ_c λ_c W * Y_c with the
    luminance λ, and D adds the same to all three colours.
    """
    parameters = dict(saved.parameters)
    first, last = "encoder.0.weight", "decoder.1"
    if parameters[first].shape[1] == 1:
        parameters[first] = parameters[first] * LUMINANCE[:, None, None]
        for name in (f"{last}.weight", f"{last}.bias"):
            frame, *gate = parameters[name]
            parameters[name] = np.stack([frame] * 3 + gate)
    checkpoint.load_parameters(video, replace(saved, parameters=parameters))
