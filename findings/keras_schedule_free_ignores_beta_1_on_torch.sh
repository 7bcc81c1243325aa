#!/bin/sh
# Keras 3.15.1's ScheduleFreeAdamW leaves out beta_1 with the PyTorch backend: gradients are taken at the plain average.
#
# Schedule-free AdamW (Defazio et al., 2024) keeps z, which takes the steps, and x, the mean of all z; the network's
# weights are y = (1 - beta_1) z + beta_1 x. Keras does not store x, but computes it from y and the z before the step.
# With PyTorch that old z is no copy but the variable itself, by then overwritten, and what comes out is y = x, whatever
# beta_1: another method (averaging without the interpolation). With JAX y is as published. Seen with keras 3.15.1,
# torch 2.13.0, jax 0.10.2 and numpy 2.4.6 for one weight of 1, a rate of 0.1 and gradients of 1, -2, 3, -4, 5, -6:
#
#     published, x alone: 0.9000 0.9632 0.9380 0.9619 0.9461 0.9613
#     published, beta_1 0.9: 0.9000 0.9696 0.9330 0.9691 0.9398 0.9688
#     Keras with jax, beta_1 0.9: 0.9000 0.9696 0.9330 0.9691 0.9398 0.9688
#     published, beta_1 0.5: 0.9000 0.9949 0.9128 0.9978 0.9146 0.9991
#     Keras with jax, beta_1 0.5: 0.9000 0.9949 0.9128 0.9978 0.9146 0.9991
#     Keras with torch, beta_1 0.9: 0.9000 0.9632 0.9380 0.9619 0.9461 0.9613
#     Keras with torch, beta_1 0.5: 0.9000 0.9632 0.9380 0.9619 0.9461 0.9613
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q keras==3.15.1 torch==2.13.0 jax==0.10.2 jaxlib==0.10.2 scipy==1.17.1 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import os
import sys

import numpy as np

os.environ["KERAS_BACKEND"] = sys.argv[1]
import keras

RATE, BETA_2, EPSILON = 0.1, 0.999, 1e-8
GRADIENTS = (1.0, -2.0, 3.0, -4.0, 5.0, -6.0)


def published(beta_1):
    """Return the weight y after each step, by the paper's formula in float64."""
    z = x = 1.0
    v = 0.0
    weights = []
    for step, gradient in enumerate(GRADIENTS, 1):
        v = BETA_2 * v + (1 - BETA_2) * gradient**2
        z -= RATE * gradient / ((v / (1 - BETA_2**step)) ** 0.5 + EPSILON)
        x += (z - x) / step
        weights.append((1 - beta_1) * z + beta_1 * x)
    return weights


def by_keras(beta_1):
    """Return the weight after each of Keras' steps."""
    weight = keras.Variable(np.ones(1, np.float32))
    optimizer = keras.optimizers.ScheduleFreeAdamW(RATE, beta_1=beta_1)
    optimizer.build([weight])
    weights = []
    for gradient in GRADIENTS:
        optimizer.apply([keras.ops.convert_to_tensor(np.full(1, gradient, np.float32))], [weight])
        weights.append(float(keras.ops.convert_to_numpy(weight)[0]))
    return weights


def show(title, weights):
    print(f"{title}:", *(f"{weight:.4f}" for weight in weights))


backend = keras.backend.backend()
mean = published(1.0)
as_before = True
if backend == "jax":
    show("published, x alone", mean)
for beta_1 in (0.9, 0.5):
    right, found = published(beta_1), by_keras(beta_1)
    if backend == "jax":
        show(f"published, beta_1 {beta_1}", right)
    show(f"Keras with {backend}, beta_1 {beta_1}", found)
    as_before &= bool(np.allclose(found, mean if backend == "torch" else right, rtol=0, atol=1e-5))
    as_before &= not np.allclose(right, mean, rtol=0, atol=1e-3)
print("keras", keras.__version__, "with", backend, "as before" if as_before else "has changed")
sys.exit(not as_before)
PYTHON
"$folder/venv/bin/python" show.py jax
"$folder/venv/bin/python" show.py torch
