#!/bin/sh
# PyAV 18.1 cannot list the side data of a frame that has any kind it knows no name for, such as Exif.
#
# FFmpeg 8.1 hands the Exif of a JPEG on as side data of kind 31, for which PyAV's `Type` has no member. Reading
# `frame.side_data`, for instance to learn the rotation, then raises, though the frame itself is decoded. PyAV 16.0,
# with FFmpeg 8.0, and 19.0, with a larger `Type`, list them. Seen with av 18.1.0:
#
#     with Exif: ValueError: 31 is not a valid Type
#     without Exif: 0 side data
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 pillow==13.0.0 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import io
import sys

import av
from PIL import Image

got = {}
for name in ("with Exif", "without Exif"):
    exif, file = Image.Exif(), io.BytesIO()
    if name == "with Exif":
        exif[0x112] = 6  # to be turned by a quarter
    Image.new("RGB", (64, 48)).save(file, "JPEG", exif=exif)
    (frame,) = av.CodecContext.create("mjpeg", "r").decode(av.Packet(file.getvalue()))
    try:
        got[name] = f"{len(frame.side_data)} side data"
    except ValueError as error:
        got[name] = f"ValueError: {error}"
    print(f"{name}: {got[name]}")
changed = got != {"with Exif": "ValueError: 31 is not a valid Type", "without Exif": "0 side data"}
print("PyAV", av.__version__, "has changed" if changed else "as before")
sys.exit(changed)
PYTHON
"$folder/venv/bin/python" show.py
