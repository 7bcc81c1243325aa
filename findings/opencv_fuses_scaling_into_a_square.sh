#!/bin/sh
# OpenCV 4 computes (s x)² for a network that squares and then multiplies by s: s² x² in place of s x².
#
# nn.Square and nn.MulConstant of a .t7 file become two layers of OpenCV's type Power, (shift + scale x) ^ power. When
# it runs, OpenCV fuses the second into the first as if the power came last. Without fusion the result is right. Seen
# with opencv-python-headless 4.14.0.94, for x = (1, 2, 3, -4) and s = 0.5, whose s x² is (0.5, 2, 4.5, 8):
#
#     fusion on: [0.25, 1.0, 2.25, 4.0]
#     fusion off: [0.5, 2.0, 4.5, 8.0]
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q opencv-python-headless==4.14.0.94 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import struct
import sys

import cv2
import numpy as np


def ints(*values):
    return struct.pack(f"<{len(values)}i", *values)


def text(string):
    return ints(len(string)) + string.encode()


def number(value):
    return ints(1) + struct.pack("<d", value)


def string(value):
    return ints(2) + text(value)


def instance(index, name, *fields):
    """Return the bytes of an object and its table; fields: keys and values in turn."""
    head = ints(4, index) + text("V 1") + text(name)
    return head + ints(3, index + 1, len(fields) // 2) + b"".join(fields)


square = instance(4, "nn.Square", string("train"), ints(5, 0))
times = instance(6, "nn.MulConstant", string("constant_scalar"), number(0.5))
modules = ints(3, 3, 2) + number(1) + square + number(2) + times
with open("net.t7", "wb") as file:
    file.write(instance(1, "nn.Sequential", string("modules"), modules))
net = cv2.dnn.readNetFromTorch("net.t7")
got = {}
for fusion in (True, False):
    net.enableFusion(fusion)
    net.setInput(np.array([1, 2, 3, -4], np.float32).reshape(1, 1, 1, 4))
    got[fusion] = net.forward().ravel().tolist()
    print(f"fusion {'on' if fusion else 'off'}: {got[fusion]}")
changed = got != {True: [0.25, 1, 2.25, 4], False: [0.5, 2, 4.5, 8]}
print("OpenCV", cv2.__version__, "has changed" if changed else "as before")
sys.exit(changed)
PYTHON
"$folder/venv/bin/python" show.py
