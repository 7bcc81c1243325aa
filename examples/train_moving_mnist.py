"""Train a video autoencoder on moving digits, from the data to a picture of what it predicts.

    python examples/train_moving_mnist.py --sequences 1000 --out predictions.png

Two minutes on two processor cores. What train/ adds to such a loop: checkpoints and the way back from them,
baselines, a log, schedules of the learning rate, a GPU.
"""

import argparse

import numpy as np
from PIL import Image

import nnlite as nn
from nnlite import optim
from nnlite.data.moving_mnist import MovingMNIST, load_digits

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--sequences", type=int, default=1000, help="to train on (default: 1000)")
parser.add_argument("--batch", type=int, default=4, help="sequences in a step (default: 4)")
parser.add_argument("--out", default="predictions.png", help="the picture (default: predictions.png)")
asked = parser.parse_args()

# Data: eleven frames (T, N, C, H, W) of two digits that move. The first ten are the input, the last ten the
# target: at every step the model predicts the next frame from all frames so far.
train_digits, test_digits, source = load_digits()
train = MovingMNIST(train_digits, size=(64, 64), seed=1)
test = MovingMNIST(test_digits, size=(64, 64), seed=1, split="test")
print(f"digits: {source}")

# Model: features at half the resolution, one convolutional LSTM, and back. `Bottle` takes the frames of all
# steps as one batch; the memory takes the sequence. A convolution is told n_in, n_out, kw, kh, dw, dh, padw,
# padh: widths come first, as in Torch7.
nn.manual_seed(1)
model = nn.Sequential(
    nn.Bottle(
        nn.Sequential(
            nn.SpatialConvolution(1, 16, 7, 7, 1, 1, 3, 3), nn.Tanh(), nn.SpatialMaxPooling(2, 2, 2, 2)
        ),
        4,
    ),
    nn.SeqConvLSTM(16, 32, 7),
    nn.Bottle(
        nn.Sequential(
            nn.SpatialUpSamplingNearest(2), nn.SpatialConvolution(32, 1, 7, 7, 1, 1, 3, 3), nn.Sigmoid()
        ),
        4,
    ),
)
model.find_modules("SeqConvLSTM")[0].init_bias(forget=1.0)

# Loss: binary cross-entropy, the mean over all pixels of all predicted frames.
criterion = nn.BCECriterion()
weights, gradients = model.get_parameters()  # views of all parameters and all gradients, each one flat array
config, state = {"learning_rate": 3e-3}, {}


def feval(_):
    """Return loss and gradient of the next batch, as optimisers want them."""
    gradients.fill(0)  # modules add to their gradients
    loss = criterion.forward(model.forward(frames[:-1]), frames[1:])
    model.backward(frames[:-1], criterion.backward(model.output, frames[1:]))
    return loss, gradients


for first in range(0, asked.sequences, asked.batch):
    frames = train.batch(range(first, first + asked.batch)).frames
    _, (loss,) = optim.adam(feval, weights, config, state)
    if first // asked.batch % 25 == 0:
        print(f"{first:5} sequences: loss {loss:.4f} nats a pixel")

# Test, on digits that were not trained on: last frame seen, next frame, its prediction.
frames = test.batch(range(8)).frames
with nn.evaluating(model):
    predicted = model.forward(frames[:-1])
print(f"unseen digits, frame 11: {criterion.forward(predicted[-1], frames[-1]):.4f} nats a pixel")
rows = [np.concatenate(list(part[:, 0]), axis=1) for part in (frames[-2], frames[-1], predicted[-1])]
Image.fromarray((255 * np.concatenate(rows)).astype(np.uint8)).save(asked.out)
