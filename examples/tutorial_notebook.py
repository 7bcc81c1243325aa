# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A module of your own, as a notebook
#
# The short form of `docs/tutorial.md`: write a module, check its gradients, get one wrong on purpose,
# train it, and look at a trained model. This file is a notebook kept as text: `jupytext --to ipynb
# examples/tutorial_notebook.py` (extra `docs`), or open it in Jupyter with the jupytext extension. It
# runs as a script too.

# %%
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from tqdm.auto import tqdm

import nnlite as nn
from nnlite import models, optim
from nnlite.data.drawn_digits import draw_digits
from nnlite.data.flow_colour import flow_colours
from nnlite.data.moving_mnist import MovingMNIST
from nnlite.gradcheck import check_module

# %% [markdown]
# ## Write
#
# A *soft limiter*: $y = z / (1 + |z|)$ with $z = a x$ and one trainable gain $a$ for each feature. Since
# $1 - |y| = 1 / (1 + |z|)$, its slope is $(1 - |y|)^2$.


# %%
class SoftLimit(nn.Module):
    """y = z / (1 + |z|) with z = a x, one trainable gain a for each of n numbers."""

    def __init__(self, n):
        super().__init__()
        self.add_parameter("gain", (n,))  # also makes self.grad_gain
        self.gain[...] = np.linspace(1, 2, n)

    def update_output(self, input):
        self.check_array(input, ndim=2, sizes={-1: self.gain.size})
        z = self.gain * input
        self.output = z / (1 + abs(z))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = self.gain * self.grad_z(grad_output)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        self.grad_gain += scale * (self.grad_z(grad_output) * input).sum(axis=0)

    def grad_z(self, grad_output):
        return grad_output * (1 - abs(self.output)) ** 2


# %% [markdown]
# ## Check
#
# Every number is moved a little, up and down, and the change of a random loss compared. The worst entry is
# marked.

# %%
x = np.random.default_rng(0).standard_normal((2, 3))
right = check_module(SoftLimit(3), x)
right

# %% [markdown]
# ## Get it wrong
#
# The gain is forgotten in the backward pass: the place and the two numbers, a factor of 2 apart, are the
# diagnosis.


# %%
class WrongFactor(SoftLimit):
    """Its gradient with respect to the input lacks the gain."""

    def update_grad_input(self, input, grad_output):
        self.grad_input = self.grad_z(grad_output)
        return self.grad_input


wrong = check_module(WrongFactor(3), x)
wrong

# %% [markdown]
# ## Put it into a sequence and train
#
# The task: given random numbers, say at every step the mean of those so far. A `Sequencer` applies the
# network at every step.

# %%
nn.manual_seed(0)
net = nn.Sequencer(nn.Sequential(nn.Linear(1, 8), SoftLimit(8), nn.LSTM(8, 8), nn.Linear(8, 1)))
net

# %%
parameters, gradients = net.get_parameters()
criterion, state, losses = nn.MSECriterion(), {}, []
rng = np.random.default_rng(0)


def feval(_):
    """Return the loss and the gradient of a new batch."""
    numbers = rng.uniform(-1, 1, (10, 16, 1)).astype(np.float32)
    target = np.cumsum(numbers, axis=0) / np.arange(1, 11, dtype=np.float32)[:, None, None]
    gradients.fill(0)
    loss = criterion.forward(net.forward(numbers), target)
    net.backward(numbers, criterion.backward(net.output, target))
    return loss, gradients


for _ in tqdm(range(100)):
    losses.append(optim.adam(feval, parameters, {"learning_rate": 2e-2}, state)[1][0])

# %%
plt.figure(figsize=(5, 2.5), layout="constrained")
plt.plot(losses)
plt.xlabel("step")
_ = plt.ylabel("mean squared error")

# %% [markdown]
# ## A trained model
#
# Two digits it has never seen: the last frame that it is given, the next one, its prediction, and the
# motion that it found without having been shown one.

# %%
frames = MovingMNIST(draw_digits(20, split="test")[0], split="test").batch(range(3)).frames
model = models.load("ae_convlstm_flow")
predicted = model.forward(frames[:-1])[-1, :, 0]
pictures = [
    np.repeat(255 * part[..., None], 3, axis=-1) for part in (frames[-2, :, 0], frames[-1, :, 0], predicted)
]
pictures.append(flow_colours(np.moveaxis(model.flow[-1], 1, -1), longest=6.0))
rows = np.concatenate([np.concatenate(list(part), axis=1) for part in pictures]).astype(np.uint8)
Image.fromarray(rows).resize((2 * rows.shape[1], 2 * rows.shape[0]), Image.Resampling.NEAREST)
