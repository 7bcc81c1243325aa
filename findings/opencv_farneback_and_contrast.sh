#!/bin/sh
# OpenCV 4's Farneback flow depends on the contrast: of an 8-bit clip with eight grey levels it finds no motion.
#
# In Farneback's method a factor on both frames cancels out. OpenCV adds 0.001 to a determinant, which grows with the
# fourth power of the contrast: for frames of many levels that is nothing, for frames of few levels it is all, and the
# flow shrinks towards 0. So label maps, masks of 0 and 1, and dark clips seem to stand still; float frames, which are
# taken though the documentation speaks of 8 bits, do so where white is 1. Seen with opencv-python-headless 4.14.0.94,
# for a pattern of eight levels that moves three pixels to the right, times a factor, all as uint8:
#
#     levels 0 to 7: 0.02
#     levels 0 to 14: 0.35
#     levels 0 to 28: 2.33
#     levels 0 to 56: 2.95
#     levels 0 to 252: 3.00
#     DIS flow of levels 0 to 7: 3.08
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

rng = np.random.default_rng(1)
scene = cv2.GaussianBlur(rng.random((80, 80)), (0, 0), 2)
scene = np.floor((scene - scene.min()) / np.ptp(scene) * 7.999).astype(np.uint8)
before, after = scene[8:72, 8:72], scene[8:72, 5:69]


def speed(flow):
    """Return the mean horizontal motion, without the rim."""
    return float(flow[8:-8, 8:-8, 0].mean())


speeds = []
for factor in (1, 2, 4, 8, 36):
    flow = cv2.calcOpticalFlowFarneback(before * factor, after * factor, None, 0.5, 3, 15, 3, 5, 1.2, 0)
    speeds.append(speed(flow))
    print(f"levels 0 to {7 * factor}: {speeds[-1]:.2f}")
dense = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
print(f"DIS flow of levels 0 to 7: {speed(dense.calc(before.copy(), after.copy(), None)):.2f}")
as_before = speeds[0] < 0.3 and speeds == sorted(speeds) and abs(speeds[-1] - 3) < 0.1
print("OpenCV", cv2.__version__, "as before" if as_before else "has changed")
sys.exit(not as_before)
PYTHON
"$folder/venv/bin/python" show.py
