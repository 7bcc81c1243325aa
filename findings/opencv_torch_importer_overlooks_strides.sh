#!/bin/sh
# OpenCV 4's importer of Torch7 files reads tensors that are no contiguous ones as other numbers, silently.
#
# A .t7 file gives a tensor's sizes, strides and storage. Torch7 writes a transposed tensor, t:t(), with its strides,
# and reads it back as it was; cv2.dnn.readTorchBlob (and readNetFromTorch, for weights) takes the entries of the
# last dimension as neighbours in memory whatever its stride. Seen with opencv-python-headless 4.14.0.94:
#
#     sizes (2, 3), strides (3, 1): read [[0, 1, 2], [3, 4, 5]], Torch7 has [[0, 1, 2], [3, 4, 5]]
#     sizes (2, 3), strides (1, 2): read [[0, 1, 2], [3, 4, 5]], Torch7 has [[0, 2, 4], [1, 3, 5]]
#     sizes (2, 2), strides (4, 2): read [[0, 1], [4, 5]], Torch7 has [[0, 2], [4, 6]]
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


def longs(*values):
    return struct.pack(f"<{len(values)}q", *values)


def text(string):
    return ints(len(string)) + string.encode()


def tensor(sizes, strides, count):
    """Return the bytes that torch.save writes for a float tensor over a storage of 0, 1, ..., count - 1."""
    storage = ints(4, 2) + text("V 1") + text("torch.FloatStorage") + longs(count)
    storage += struct.pack(f"<{count}f", *range(count))
    head = ints(4, 1) + text("V 1") + text("torch.FloatTensor") + ints(len(sizes))
    return head + longs(*sizes, *strides) + longs(1) + storage


changed = False
for sizes, strides, count, seen in [
    ((2, 3), (3, 1), 6, [[0, 1, 2], [3, 4, 5]]),
    ((2, 3), (1, 2), 6, [[0, 1, 2], [3, 4, 5]]),
    ((2, 2), (4, 2), 8, [[0, 1], [4, 5]]),
]:
    with open("tensor.t7", "wb") as file:
        file.write(tensor(sizes, strides, count))
    got = cv2.dnn.readTorchBlob("tensor.t7").astype(int).tolist()
    numbers = np.arange(count)
    want = [[int(numbers[i * strides[0] + j * strides[1]]) for j in range(sizes[1])] for i in range(sizes[0])]
    print(f"sizes {sizes}, strides {strides}: read {got}, Torch7 has {want}")
    changed |= got != seen
print("OpenCV", cv2.__version__, "has changed" if changed else "as before")
sys.exit(changed)
PYTHON
"$folder/venv/bin/python" show.py
