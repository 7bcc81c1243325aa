#!/bin/sh
# Keras 3.15.1's ConvLSTM2D applies a mask of timesteps to columns of the picture with the JAX backend.
#
# A mask of (samples, timesteps) says which frames of which sample to skip. With JAX, unless unroll=True, the mask of a
# step is brought into the shape (samples, 1) and broadcast against states of (samples, rows, columns, channels): entry
# i falls on column i of all samples. With as many samples as columns that passes without a word; otherwise it is an
# error about shapes. With the PyTorch backend, and unrolled, samples are masked. Seen with keras 3.15.1, jax 0.10.2 and
# numpy 2.4.6, for four samples of 4 x 4 pixels and three steps, of which the first sample's last is masked, by the
# change of the final state that the mask makes (largest of each sample, of each column):
#
#     unroll=True: samples 0.21 0.00 0.00 0.00, columns 0.21 0.19 0.21 0.16
#     unroll=False: samples 0.21 0.29 0.13 0.15, columns 0.29 0.00 0.00 0.00
#     unroll=False, three samples: ValueError
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 scipy==1.17.1 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import os
import sys

os.environ["KERAS_BACKEND"] = "jax"
import keras
import numpy as np

SIDE = 4


def changes(unroll, samples=SIDE):
    """Return by how much masking the last step of the first sample changes the states of samples and of columns."""
    keras.utils.set_random_seed(0)
    frames = np.random.default_rng(0).standard_normal((samples, 3, SIDE, SIDE, 1)).astype(np.float32)
    layer = keras.layers.ConvLSTM2D(2, 3, padding="same", unroll=unroll)
    mask = np.ones((samples, 3), bool)
    free = keras.ops.convert_to_numpy(layer(frames, mask=mask))
    mask[0, -1] = False
    change = abs(keras.ops.convert_to_numpy(layer(frames, mask=mask)) - free)
    return change.max((1, 2, 3)), change.max((0, 1, 3))


found = {}
for unroll in (True, False):
    found[unroll] = changes(unroll)
    samples, columns = (" ".join(f"{value:.2f}" for value in values) for values in found[unroll])
    print(f"unroll={unroll}: samples {samples}, columns {columns}")
try:
    changes(False, samples=3)
    error = "none"
except Exception as problem:
    error = type(problem).__name__
print(f"unroll=False, three samples: {error}")
first = np.arange(SIDE) == 0
as_before = ((found[True][0] > 0.01) == first).all() and (found[True][1] > 0.01).all()
as_before &= ((found[False][1] > 0.01) == first).all() and (found[False][0] > 0.01).all()
as_before &= error != "none"
print("keras", keras.__version__, "as before" if as_before else "has changed")
sys.exit(not as_before)
PYTHON
"$folder/venv/bin/python" show.py
