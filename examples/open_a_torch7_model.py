"""Open a public Torch7 model and let it find the motion between two frames, step by step.

    git clone https://github.com/anuragranj/spynet
    python examples/open_a_torch7_model.py spynet/models FRAME1.png FRAME2.png --truth FLOW.flo --out flow.png

The model is SPyNet (Ranjan & Black 2017), six networks of five convolutions saved by cudnn on a GPU. From
coarse to fine, each is given the first frame, the second one moved by the flow found so far, and that flow,
and says what is missing. Its weights are for research, come with its repository and are not part of this
one. What is here of the network is the pyramid around the files; docs/torch7.md tells more.
"""

import argparse
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import nnlite as nn
from nnlite import torch7
from nnlite.data.flow import end_point_error, read_flo
from nnlite.data.flow_colour import flow_colours
from nnlite.data.pictures import open_picture, rgb
from nnlite.files import write_bytes

#: Of ImageNet's colours, by which SPyNet normalises frames.
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
#: The longest side that the coarsest network is given; each finer one doubles it, and six is all there are.
COARSEST, LEVELS = 32, 6


def open_network(path):
    """Return one network of the pyramid, ready to run.

    1. `load` reads the file as it is: objects of Torch7's classes, inert, whose fields one can look at.
    2. A model trained on several GPUs is wrapped: the network is the first thing inside.
    3. `to_module` makes nnlite modules of them. What has no counterpart is named, all of it at once.
    """
    obj = torch7.load(path)
    if obj.class_name == "nn.DataParallelTable":
        obj = obj.contents["modules"][1]
    network = torch7.to_module(obj)
    network.evaluate()
    layers = [layer.class_name for layer in torch7.as_list(obj.contents["modules"])]
    print(f"{path.name}: {obj.class_name} of {len(layers)}, {', '.join(sorted(set(layers)))}")
    return network


def positions(height, width):
    """Return the pixel coordinates (x, y) of an image, (H, W, 2)."""
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)


def sample(image, places):
    """Return (C, h, w): the image (C, H, W) at places (h, w, 2), x and y in pixels, kept inside the border.

    The sampler of the paper behind this package takes images (H, W, C) and (y, x) from -1 to 1.
    """
    last = np.array([image.shape[2] - 1, image.shape[1] - 1], np.float32)
    grid = (np.clip(places, 0, last) / np.maximum(last, 1) * 2 - 1)[..., ::-1]
    return nn.BilinearSamplerBHWD().forward([image.transpose(1, 2, 0), grid]).transpose(2, 0, 1)


def twice_as_large(flow):
    """Return a flow (2, H, W) in pixels at (2H, 2W), corner on corner, and so twice as long."""
    _, height, width = flow.shape
    places = positions(2 * height, 2 * width)
    places *= np.array([(width - 1) / (2 * width - 1), (height - 1) / (2 * height - 1)], np.float32)
    return 2 * sample(flow, places)


def find_flow(networks, first, second):
    """Return the flow (2, H, W), (u, v) in pixels, between frames (3, H, W) whose sides can be halved."""
    pyramid = [(first, second)]
    halve = nn.SpatialAveragePooling(2, 2, 2, 2)
    while len(pyramid) < len(networks):
        pyramid.insert(0, tuple(halve.forward(frame) for frame in pyramid[0]))
    flow = np.zeros_like(pyramid[0][0][:2])
    for level, (network, (first, second)) in enumerate(zip(networks, pyramid)):
        if level:
            flow = twice_as_large(flow)
            second = sample(second, positions(*second.shape[1:]) + flow.transpose(1, 2, 0))
        flow = flow + network.forward(np.concatenate([first, second, flow])[None])[0]
    return flow


def frame(path, size=None):
    """Return a picture as (3, H, W) in normalised colours, resized to `size` (H, W)."""
    picture = open_picture(path).convert("RGB")
    if size:
        picture = picture.resize(size[::-1], Image.Resampling.BILINEAR)
    return ((np.asarray(picture) / 255 - MEAN) / DEVIATION).astype(np.float32).transpose(2, 0, 1)


def main(argv=None):
    """Run the script; return its exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, help="folder with modelL1_F.t7, modelL2_F.t7, ...")
    parser.add_argument("first", help="a picture")
    parser.add_argument("second", help="the picture after it, of the same size")
    parser.add_argument("--weights", default="F", help="F (default), C, K, 3 or 4, as the files end")
    parser.add_argument("--truth", help="the true flow, a .flo file, to measure the error by")
    parser.add_argument("--out", help="write the flow in colours to this picture")
    asked = parser.parse_args(argv)
    try:
        height, width = rgb(open_picture(asked.first)).shape[:2]
        if rgb(open_picture(asked.second)).shape[:2] != (height, width):
            raise ValueError(f"{asked.first} and {asked.second} differ in size")
        size = [-(-side // COARSEST) * COARSEST for side in (height, width)]
        levels = next((k for k in range(1, LEVELS) if max(size) <= COARSEST << k - 1), LEVELS)
        files = [asked.models / f"modelL{k}_{asked.weights}.t7" for k in range(1, levels + 1)]
        networks = [open_network(file) for file in files]
        flow = find_flow(networks, frame(asked.first, size), frame(asked.second, size))
        rows, columns = (np.arange(side) * new // side for side, new in zip((height, width), size))
        flow = flow[:, rows[:, None], columns].transpose(1, 2, 0) * [width / size[1], height / size[0]]
        print(f"{levels} levels; mean motion {np.hypot(flow[..., 0], flow[..., 1]).mean():.2f} pixels")
        if asked.truth:
            print(f"end-point error {end_point_error(flow, read_flo(asked.truth)):.2f} pixels")
        if asked.out:
            picture = io.BytesIO()
            Image.fromarray(flow_colours(flow)).save(
                picture, Image.registered_extensions().get(Path(asked.out).suffix)
            )
            write_bytes(asked.out, picture.getvalue())
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
