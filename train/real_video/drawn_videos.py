"""A handful of videos drawn by the project itself, for where there are no real ones."""

from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from nnlite.data.moving_shapes import MovingShapes
from nnlite.data.video_writer import write_video
from nnlite.files import make_folder

COUNT, FRAMES, SIZE, RATE = 30, 39, (48, 64), 12.5


def draw_videos(folder, count=COUNT):
    """Draw textured shapes moving over a texture as MP4 files, lossless, except those that exist."""
    folder = Path(folder)
    make_folder(folder)
    scenes = MovingShapes(SIZE, n_shapes=3, speed=(0.5, 2.5), n_frames=FRAMES, noise=0, lost=0)
    for number in tqdm(range(count), "drawing videos", disable=None):
        path = folder / f"shapes_{number:02d}.mp4"
        if not path.exists():
            pictures = np.moveaxis(scenes.batch([number]).frames[:, 0], 1, -1)
            write_video(path, np.rint(255 * pictures).astype(np.uint8), RATE, lossless=True)
