#!/bin/sh
# scikit-image 0.26.0 returns with an SSIM a gradient that is not its own: in the middle of 16 x 16 pixels 0.39 of it.
#
# structural_similarity(gradient=True) says that it returns the gradient with respect to the second picture. The score
# is the mean over windows wholly inside the picture and over the channels; the gradient is that of a mean over windows
# at all pixels, by the formula for population covariances, and of the sum over channels. In the middle it is too small
# by (side - window + 1)² / side², with channels too large by their number, and at the rim it has other directions; the
# default use_sample_covariance=True adds some percent. Seen with scikit-image 0.26.0 and numpy 2.4.6 against central
# differences in float64: gradient over difference at the middle pixel, and the largest difference of the two over the
# largest gradient:
#
#     16 x 16, population covariance: ratio 0.3906, largest difference 0.61 of the gradient
#     16 x 16, sample covariance (default): ratio 0.3829, largest difference 0.62 of the gradient
#     16 x 16, Gaussian window: ratio 0.1578, largest difference 0.84 of the gradient
#     48 x 48, population covariance: ratio 0.7656, largest difference 0.46 of the gradient
#     16 x 16, three channels: ratio 1.1719, largest difference 1.17 of the gradient
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q scikit-image==0.26.0 scipy==1.17.1 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import sys

import numpy as np
import skimage
from skimage.metrics import structural_similarity

STEP = 1e-5
population = {"use_sample_covariance": False}
cases = {
    "16 x 16, population covariance": ((16, 16), population, 100 / 256),
    "16 x 16, sample covariance (default)": ((16, 16), {}, None),
    "16 x 16, Gaussian window": ((16, 16), population | {"gaussian_weights": True}, None),
    "48 x 48, population covariance": ((48, 48), population, 42**2 / 48**2),
    "16 x 16, three channels": ((16, 16, 3), population | {"channel_axis": -1}, 300 / 256),
}
as_before = True
for title, (shape, options, factor) in cases.items():
    rng = np.random.default_rng(0)
    truth = rng.random(shape)
    predicted = np.clip(truth + 0.2 * rng.standard_normal(shape), 0, 1)
    gradient = structural_similarity(truth, predicted, data_range=1.0, gradient=True, **options)[1]
    rows, columns = shape[:2]
    # A row of pixels from the rim to the middle is enough, and quick.
    pixels = [(rows // 2, column, *(0,) * (len(shape) - 2)) for column in range(columns // 2 + 1)]
    differences, gradients = [], []
    for pixel in pixels:
        moved = []
        for step in (STEP, -STEP):
            other = predicted.copy()
            other[pixel] += step
            moved.append(structural_similarity(truth, other, data_range=1.0, **options))
        differences.append((moved[0] - moved[1]) / (2 * STEP))
        gradients.append(gradient[pixel])
    differences, gradients = np.array(differences), np.array(gradients)
    ratio = gradients[-1] / differences[-1]
    largest = abs(gradients - differences).max() / abs(differences).max()
    print(f"{title}: ratio {ratio:.4f}, largest difference {largest:.2f} of the gradient")
    as_before &= abs(ratio - factor) < 1e-4 if factor else 0.1 < ratio < 0.5
print("scikit-image", skimage.__version__, "as before" if as_before else "has changed")
sys.exit(not as_before)
PYTHON
"$folder/venv/bin/python" show.py
