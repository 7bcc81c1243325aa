#!/bin/sh
# imageio 2.38.1's PyAV plugin returns another frame than asked for, from videos that do not start at 0 and from MKV.
#
# imread(index=i) is to return frame i of those that imiter yields. The plugin seeks, and reckons the number of the key
# frame it finds from its time, divided by a frame's duration and rounded down. It leaves out the time at which the
# video starts, which is not 0 in a part cut out of a longer one, nor in MPEG-TS. And Matroska and WebM keep whole
# milliseconds: at 30 frames a second key frame 10 is at 333 ms and taken for number 9, as 9.99 is rounded down, so that
# up to the next key frame one frame later than asked for is returned. No warning; constant_framerate=False, which
# decodes from the start, does right. Seen with imageio 2.38.1, av 18.1.0 and numpy 2.4.6, for 30 frames and a key frame
# every ten:
#
#     index: 0 1 5 12 15 18 25
#     MP4: 0 1 5 12 15 18 25
#     MP4 that starts at 0.5 s: 0 1 0 0 0 3 10
#     MPEG-TS: 0 1 10 20 20 20 StopIteration
#     MKV: 0 1 5 13 16 19 25
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q imageio==2.38.1 av==18.1.0 pillow==11.3.0 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import sys
from fractions import Fraction

import av
import imageio
import imageio.v3 as iio
import numpy as np

COUNT, RATE = 30, 30
INDICES = (0, 1, 5, 12, 15, 18, 25)


def write(path, start):
    """Write a video whose frame i has the grey level 20 + 7 i, from `start` frames' time on."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = 10
        stream.codec_context.time_base = Fraction(1, RATE)
        for index in range(COUNT):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 20 + 7 * index, np.uint8), format="rgb24")
            frame.pts, frame.time_base = start + index, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def number(image):
    return round((float(image.mean()) - 20) / 7)


def read(path, index, **options):
    try:
        return number(iio.imread(path, index=index, plugin="pyav", **options))
    except Exception as problem:
        return type(problem).__name__


print("index:", *INDICES)
found = {}
sound = True
for title, path, start in (
    ("MP4", "plain.mp4", 0),
    ("MP4 that starts at 0.5 s", "late.mp4", RATE // 2),
    ("MPEG-TS", "plain.ts", 0),
    ("MKV", "plain.mkv", 0),
):
    write(path, start)
    sound &= [number(image) for image in iio.imiter(path, plugin="pyav")] == list(range(COUNT))
    sound &= [read(path, index, constant_framerate=False) for index in INDICES] == list(INDICES)
    found[title] = [read(path, index) for index in INDICES]
    print(f"{title}:", *found[title])
right, late, stream, matroska = found.values()
as_before = sound and right == list(INDICES) and stream != right
as_before &= late == [0, 1, 0, 0, 0, 3, 10] and matroska == [0, 1, 5, 13, 16, 19, 25]
print("imageio", imageio.__version__, "as before" if as_before else "has changed")
sys.exit(not as_before)
PYTHON
"$folder/venv/bin/python" show.py
