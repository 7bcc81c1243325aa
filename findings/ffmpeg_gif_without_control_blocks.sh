#!/bin/sh
# FFmpeg 8.1 takes all frames of a GIF for one if none has a graphic control block, though it counts them.
#
# The block, with a duration, is optional in GIF89a; Pillow leaves it out where nothing is to be said. FFmpeg's
# demuxer counts the pictures when it opens the file, but its parser ends a frame only at the next control block.
# Seen with av 18.1.0 (FFmpeg 8.1.2); the same with 16.0.0 (8.0) and 19.0.2 (9.0.2):
#
#     without durations: 5 frames counted, 1 decoded
#     with durations: 5 frames counted, 5 decoded
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 pillow==13.0.0
cd "$folder"
cat > show.py <<'PYTHON'
import sys

import av
from PIL import Image

pictures = [Image.new("L", (32, 32), 40 * k) for k in range(5)]
got = {}
for name, options in (("without durations", {}), ("with durations", {"duration": 40})):
    pictures[0].save("a.gif", save_all=True, append_images=pictures[1:], optimize=False, **options)
    with av.open("a.gif") as container:
        counted = container.streams.video[0].frames
        decoded = sum(1 for _ in container.decode(video=0))
    got[name] = counted, decoded
    print(f"{name}: {counted} frames counted, {decoded} decoded")
changed = got != {"without durations": (5, 1), "with durations": (5, 5)}
print("PyAV", av.__version__, "has changed" if changed else "as before")
sys.exit(changed)
PYTHON
"$folder/venv/bin/python" show.py
