#!/bin/sh
# pytorch-msssim 1.0.0 says SSIM = 1 of any two pictures whose numbers are integers.
#
# ssim's documentation asks for non-negative pictures of 0 to 255 and data_range=255, which is what a decoder gives as
# uint8. The Gaussian window is cast to the type of the pictures: all of its weights are below 1, so all become 0, all
# means and variances are 0 too, and what is left is C1/C1 · C2/C2. No error, no warning; the same pictures as floats
# give the right number. Seen with pytorch-msssim 1.0.0 and torch 2.13.0, for a frame of noise and another one, the
# frame and its negative, and a black and a white frame:
#
#     noise, other noise: float32 0.092, uint8 1.000, int32 1.000, int64 1.000
#     noise, its negative: float32 -0.957, uint8 1.000, int32 1.000, int64 1.000
#     black, white: float32 0.000, uint8 1.000, int32 1.000, int64 1.000
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q pytorch-msssim==1.0.0 torch==2.13.0 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import sys
from importlib.metadata import version

import torch
from pytorch_msssim import ssim

SIDE = 32
generator = torch.Generator().manual_seed(0)
noise, other = (torch.randint(0, 256, (1, 1, SIDE, SIDE), generator=generator, dtype=torch.uint8) for _ in range(2))
black = torch.zeros_like(noise)
pairs = {
    "noise, other noise": (noise, other),
    "noise, its negative": (noise, 255 - noise),
    "black, white": (black, 255 - black),
}
as_before = True
for title, (first, second) in pairs.items():
    found = {}
    for kind in (torch.float32, torch.uint8, torch.int32, torch.int64):
        found[str(kind).removeprefix("torch.")] = float(ssim(first.to(kind), second.to(kind), data_range=255))
    print(f"{title}:", ", ".join(f"{kind} {score:.3f}" for kind, score in found.items()))
    right = found.pop("float32")
    as_before &= right < 0.2 and all(score == 1 for score in found.values())
print("pytorch-msssim", version("pytorch-msssim"), "as before" if as_before else "has changed")
sys.exit(not as_before)
PYTHON
"$folder/venv/bin/python" show.py
