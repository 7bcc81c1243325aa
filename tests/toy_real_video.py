"""A toy run on small videos of moving patterns, for the tests of the experiment on real video."""

import json

import numpy as np

from nnlite.train.real_video import __main__ as real_video
from tests.video_files import make_folder, make_video

TOY = ["--preset", "tiny", "--device", "cpu", "--test-clips", "3", "--sequences", "16"]
SIZE = (16, 24)
#: A name that would be a comment and a script in a page, a cell and code in Markdown, a formula in a figure,
#: and is not UTF-8.
STRANGE = "<!--<script> `|$x_$ \udcff.mp4"


def scene(seed, count=16, height=48, width=64):
    """Return pictures (H, W, 3), uint8, of a pattern that moves at a speed of its own."""
    random = np.random.default_rng(seed)
    u, v = random.uniform(-3, 3, 2)
    phase = random.uniform(0, 6, 3)
    y, x = np.mgrid[:height, :width]
    found = []
    for t in range(count):
        a, b = x - u * t, y - v * t
        channels = [np.sin(a / 7 + p) + np.sin(b / 6 + p) for p in phase]
        found.append(np.rint(127 + 55 * np.stack(channels, axis=-1)).astype(np.uint8))
    return found


def make_videos(folder):
    """Fill a folder with five good videos and a file that is none; return it."""
    for k in range(2):
        make_video(folder / f"clip {k}.mp4", scene(k))
    make_video(folder / STRANGE, scene(2))
    make_video(folder / "é.avi", scene(3))
    make_folder(folder / "pictures" / "img", scene(4))
    (folder / "broken.avi").write_text("not a video at all")
    return folder


def train_toy(videos, folder):
    """Train on the videos in a new folder; return it."""
    assert real_video.main([*TOY, "--videos", str(videos), "--out", str(folder)]) == 0
    return folder


def result_of(folder):
    """Return the result in the folder of a run."""
    return json.loads((folder / "result.json").read_text())
