#!/bin/sh
# OpenCV 4's remap takes, for a position far to the right, the first pixel of the row: from 2^26 (6.7e7) on.
#
# With BORDER_REPLICATE every position to the right of the picture has the colour of the row's last pixel. With linear
# and cubic interpolation that ends where a position in 1/32 pixels no longer fits into 32 bits. Nearest keeps the right
# side. A flow whose unknown pixels are marked as Middlebury's files do, by 1e9 and more, warps to the opposite rim. Seen
# with opencv-python-headless 4.14.0.94 on x86-64, for a row of 0, 10, ... 70:
#
#     linear: {100.0: 70.0, 60000000.0: 70.0, 70000000.0: 0.0, 1666666752.0: 0.0}
#     cubic: {100.0: 70.0, 60000000.0: 70.0, 70000000.0: 0.0, 1666666752.0: 0.0}
#     nearest: {100.0: 70.0, 60000000.0: 70.0, 70000000.0: 70.0, 1666666752.0: 70.0}
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opencv-python-headless==4.14.0.94 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import sys

import cv2
import numpy as np

rows = np.tile(np.arange(0, 80, 10, dtype=np.float32), (3, 1))
positions = np.array([[1e2, 6e7, 7e7, 1666666752]], np.float32)
found = {}
for name in ("linear", "cubic", "nearest"):
    how = getattr(cv2, f"INTER_{name.upper()}")
    values = cv2.remap(rows, positions, np.ones_like(positions), how, borderMode=cv2.BORDER_REPLICATE)
    found[name] = dict(zip(positions[0].tolist(), values[0].tolist(), strict=True))
    print(f"{name}: {found[name]}")
far = {name: list(values.values()) for name, values in found.items()}
as_before = far["nearest"] == [70] * 4 and far["linear"] == far["cubic"] == [70, 70, 0, 0]
print("OpenCV", cv2.__version__, "as before" if as_before else "has changed")
sys.exit(not as_before)
PYTHON
"$folder/venv/bin/python" show.py
