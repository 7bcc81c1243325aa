"""Predict every next frame of a video with a trained model, one frame after the other in constant memory.

    python -m train.real_video --videos DIR --out runs/mine
    python examples/predict_a_video.py runs/mine VIDEO --out predicted.mp4

The film shows frame, prediction and flow side by side. Needs the extra `video`.
"""

import argparse
import sys

import numpy as np

import nnlite as nn
from nnlite import models
from nnlite.data.flow_colour import flow_colours
from nnlite.data.video import read_frames, video_info
from nnlite.data.video_writer import write_video


def pictures(model, frames):
    """Yield the pictures (H, 3W, 3) of a film, and print the errors of predictions and of copies.

    frames: an iterable of (C, H, W) in [0, 1], of the size that the model takes.
    """
    errors = []
    last = prediction = None
    with nn.remembering(model):  # the memory goes on from frame to frame; T = 1 and N = 1 in each call
        for frame in frames:
            if prediction is not None:
                errors.append([((prediction - frame) ** 2).mean(), ((last - frame) ** 2).mean()])
            prediction = model.forward(frame[None, None])[0, 0]
            flow = flow_colours(np.moveaxis(model.flow[0, 0], 0, -1), longest=4.0)
            last = frame
            yield np.concatenate([as_picture(frame), as_picture(prediction), flow], axis=1)
    if errors:
        of_model, of_copy = (-10 * np.log10(np.mean(error)) for error in zip(*errors))
        print(f"{len(errors)} predictions: {of_model:.2f} dB; the frame before instead: {of_copy:.2f} dB")


def as_picture(frame):
    """Return a frame (C, H, W), grey or colour, as (H, W, 3) of bytes."""
    pixels = (255 * frame + 0.5).astype(np.uint8).transpose(1, 2, 0)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def main(argv=None):
    """Run the script; return its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="the folder of a run of train.real_video, or its checkpoint.h5")
    parser.add_argument("video", help="a video file, or a folder of pictures")
    parser.add_argument("--out", default="predicted.mp4", help="an .mp4 or .gif (default: predicted.mp4)")
    asked = parser.parse_args(argv)
    try:
        model = models.load(asked.model)  # in evaluation mode, for frames with values from 0 to 1
        inner = getattr(model, "model", model)  # the network inside what shifts and clips the values
        colour = "grey" if inner.n_channels == 1 else "rgb"
        frames = read_frames(asked.video, (inner.height, inner.width), colour)
        write_video(asked.out, pictures(model, frames), video_info(asked.video).rate)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{asked.out}: frame, prediction, flow (full colour: 4 pixels a frame)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
