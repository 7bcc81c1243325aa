#!/bin/sh
# FFmpeg's strict mode (err_detect=explode) refuses a sound TIFF that has a tag FFmpeg does not know.
#
# The mode is meant to make damage an error, and it does so for JPEG and PNG. The TIFF decoder also treats any
# tag it does not know as an error in this mode, though the format says that readers skip such tags. Seen with av 18.1.0
# (FFmpeg 8.1.2), for a TIFF as Pillow writes it, once with the tag 274, the orientation:
#
#     plain: read; strict: read
#     with orientation: read; strict: InvalidDataError
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q av==18.1.0 pillow==13.0.0
cd "$folder"
cat > show.py <<'PYTHON'
import io
import sys

import av
from PIL import Image


def read(content, **options):
    decoder = av.CodecContext.create("tiff", "r")
    decoder.options = options
    try:
        return "read" if decoder.decode(av.Packet(content)) else "no frame"
    except av.FFmpegError as error:
        return type(error).__name__


got = {}
for name in ("plain", "with orientation"):
    exif, file = Image.Exif(), io.BytesIO()
    if name != "plain":
        exif[274] = 1
    Image.new("RGB", (64, 48), "red").save(file, "TIFF", exif=exif)
    got[name] = read(file.getvalue()), read(file.getvalue(), err_detect="explode")
    print(f"{name}: {got[name][0]}; strict: {got[name][1]}")
changed = got != {"plain": ("read", "read"), "with orientation": ("read", "InvalidDataError")}
print("PyAV", av.__version__, "has changed" if changed else "as before")
sys.exit(changed)
PYTHON
"$folder/venv/bin/python" show.py
