#!/bin/sh
# torchmetrics 1.9.0 subtracts and squares uint8 frames as uint8: its MSE and MAE are wrong, its PSNR of them is right.
#
# MeanSquaredError takes the frames as they are, so that differences and their squares are kept modulo 256: two frames
# that differ by 16 everywhere have an error of 0, and the largest possible error is 255. MeanAbsoluteError converts
# only after subtracting: 100 - 102 is 254. PeakSignalNoiseRatio converts both frames to float32 first. No error, no
# warning. Seen with torchmetrics 1.9.0 and torch 2.13.0, for a predicted frame of 100 and a true one of the value
# named:
#
#     116: MSE 0 (right 256), MAE 240 (16), PSNR 24.05 (24.05)
#     102: MSE 4 (right 4), MAE 254 (2), PSNR 42.11 (42.11)
#     200: MSE 16 (right 10000), MAE 156 (100), PSNR 8.13 (8.13)
#     MSE of noise and other noise: 104 (right 10977)
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torchmetrics==1.9.0 torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import math
import sys

import torch
import torchmetrics
from torchmetrics import MeanAbsoluteError, MeanSquaredError
from torchmetrics.image import PeakSignalNoiseRatio

SHAPE = (1, 1, 16, 16)


def scores(predicted, truth):
    """Return what torchmetrics computes and what float64 does: mean squared and absolute error, decibels."""
    found = []
    for metric in (MeanSquaredError(), MeanAbsoluteError(), PeakSignalNoiseRatio(data_range=255.0)):
        metric.update(predicted, truth)
        found.append(float(metric.compute()))
    difference = predicted.double() - truth.double()
    square = float(difference.square().mean())
    return found, [square, float(difference.abs().mean()), 10 * math.log10(255**2 / square)]


predicted = torch.full(SHAPE, 100, dtype=torch.uint8)
as_before = True
for value in (116, 102, 200):
    (mse, mae, psnr), right = scores(predicted, torch.full_like(predicted, value))
    print(f"{value}: MSE {mse:g} (right {right[0]:g}), MAE {mae:g} ({right[1]:g}), PSNR {psnr:.2f} ({right[2]:.2f})")
    as_before &= mse == (value - 100) ** 2 % 256 and mae == (100 - value) % 256 and abs(psnr - right[2]) < 0.01
generator = torch.Generator().manual_seed(0)
pair = [torch.randint(0, 256, SHAPE, generator=generator, dtype=torch.uint8) for _ in range(2)]
found, right = scores(*pair)
print(f"MSE of noise and other noise: {found[0]:.0f} (right {right[0]:.0f})")
as_before &= found[0] < 256 < right[0]
print("torchmetrics", torchmetrics.__version__, "as before" if as_before else "has changed")
sys.exit(not as_before)
PYTHON
"$folder/venv/bin/python" show.py
