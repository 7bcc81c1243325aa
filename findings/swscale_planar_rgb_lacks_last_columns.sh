#!/bin/sh
# FFmpeg's swscale leaves the last columns unwritten on the way from 4:2:0 or 4:2:2 to planar RGB at the same size.
#
# Of pictures 360 pixels wide it is 8 columns, of 484, 100 or 36 it is 4; of multiples of 16 it is none. What they hold
# is what was in memory before. Packed RGB, 4:4:4, NV12, odd heights and the flag ACCURATE_RND are not affected. The
# pictures here are of one colour, so that every column should be the same. Seen on x86-64 with av 18.1.0 (FFmpeg 8.1.2):
#
#     yuv420p to gbrp: width 352: 0 columns, width 360: 8 columns, width 484: 4 columns
#     yuv420p to rgb24: width 352: 0 columns, width 360: 0 columns, width 484: 0 columns
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import sys

import av
import numpy as np
from av.video.reformatter import VideoReformatter

HEIGHT = 100


def unwritten(width, target):
    """Return the largest number of columns that differ from the middle of pictures of one colour."""
    worst = 0
    for level in (60, 200, 90, 160):
        noise = [av.VideoFrame(width, HEIGHT, target) for _ in range(3)]  # freed again: memory to be reused
        for frame in noise:
            for plane in frame.planes:
                plane.update(np.random.default_rng(level).bytes(plane.buffer_size))
        del noise, frame, plane
        source = av.VideoFrame(width, HEIGHT, "yuv420p")
        for k, plane in enumerate(source.planes):
            plane.update(bytes([128 if k else level]) * plane.buffer_size)
        picture = VideoReformatter().reformat(source, format=target).to_ndarray().astype(int)
        columns = np.abs(picture - picture[HEIGHT // 2, width // 2]).max(axis=(0, 2))
        worst = max(worst, int(np.count_nonzero(columns > 2)))
    return worst


got = {target: [unwritten(width, target) for width in (352, 360, 484)] for target in ("gbrp", "rgb24")}
for target, found in got.items():
    pairs = zip((352, 360, 484), found)
    print(f"yuv420p to {target}:", ", ".join(f"width {width}: {count} columns" for width, count in pairs))
changed = got != {"gbrp": [0, 8, 4], "rgb24": [0, 0, 0]}
print("PyAV", av.__version__, "has changed" if changed else "as before")
sys.exit(changed)
PYTHON
"$folder/venv/bin/python" show.py
