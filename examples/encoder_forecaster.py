"""An encoder and a forecaster with a gradient through both: five frames from five.

    python examples/encoder_forecaster.py --steps 100

The encoder reads the frames seen. The forecaster starts from the state in which the encoder ends, is given
nothing else (zeros at every step), and so has to take all that it predicts from that state (Srivastava et al.
2015; Shi et al. 2015). Going back, the gradient of that state is handed from the forecaster to the encoder.
Recurrent modules have four attributes for this: `user_prev_output` and `user_prev_cell` set the state that a
sequence starts from, `user_grad_prev_output` and `user_grad_prev_cell` are its gradient, and
`grad_prev_output` and `user_next_grad_cell` take a gradient of the last state from elsewhere.
"""

import argparse

import numpy as np

import nnlite as nn
from nnlite import optim
from nnlite.data.moving_mnist import MovingMNIST, load_digits
from nnlite.gradcheck import check_module, worst

SEEN, AHEAD = 5, 5


def convolution(n_in, n_out):
    """Return a 5x5 convolution that keeps the map size (n_in, n_out, kw, kh, dw, dh, padw, padh)."""
    return nn.SpatialConvolution(n_in, n_out, 5, 5, 1, 1, 2, 2)


class EncoderForecaster(nn.Module):
    """The frames after those seen, from one state that sums these up.

    Shapes: input (T, N, 1, H, W), H and W even; output (ahead, N, 1, H, W).
    Forward: (h, c) = the last state of encoder(features(input)); output = picture(forecaster(0, ..., 0)),
    the forecaster starting from (h, c).
    Backward: picture, then forecaster, whose gradients of (h, c) are those of the encoder's last state; its
    other outputs, which nobody reads, have the gradient zero; then features.
    """

    def __init__(self, n_features, n_memory, ahead):
        super().__init__()
        self.ahead, self.n_features = ahead, n_features
        down = nn.Sequential(convolution(1, n_features), nn.Tanh(), nn.SpatialMaxPooling(2, 2, 2, 2))
        up = nn.Sequential(nn.SpatialUpSamplingNearest(2), convolution(n_memory, 1), nn.Sigmoid())
        self.features, self.picture = nn.Bottle(down, 4), nn.Bottle(up, 4)  # all steps as one batch
        self.encoder = nn.SeqConvLSTM(n_features, n_memory, 5)
        self.forecaster = nn.SeqConvLSTM(n_features, n_memory, 5)

    def children(self):
        return [(name, getattr(self, name)) for name in ("features", "encoder", "forecaster", "picture")]

    def update_output(self, input):
        x = self.features.forward(input)
        self.encoder.forward(x)
        self.forecaster.user_prev_output = self.encoder.last_output
        self.forecaster.user_prev_cell = self.encoder.last_cell
        self.output = self.picture.forward(self.forecaster.forward(self.nothing(x)))
        return self.output

    def nothing(self, x):
        """Return what drives the forecaster: zeros, for features x (T, N, C, h, w)."""
        return self.xp.zeros((self.ahead, *x.shape[1:]), x.dtype)

    def backward(self, input, grad_output, scale=1.0):
        x = self.features.output
        g = self.picture.backward(self.forecaster.output, grad_output, scale)
        self.forecaster.backward(self.nothing(x), g, scale)
        self.encoder.grad_prev_output = self.forecaster.user_grad_prev_output
        self.encoder.user_next_grad_cell = self.forecaster.user_grad_prev_cell
        g = self.encoder.backward(x, self.xp.zeros_like(self.encoder.output), scale)
        self.grad_input = self.features.backward(input, g, scale)
        return self.grad_input


def main(argv=None):
    """Check the gradients, then train; return the loss of frames that were not trained on."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=100, help="of 8 sequences each (default: 100)")
    steps = parser.parse_args(argv).steps

    nn.manual_seed(1)
    small = EncoderForecaster(2, 3, 2)
    print(
        worst(check_module(small, np.random.default_rng(0).standard_normal((3, 1, 1, 6, 8)), max_entries=8))
    )

    train_digits, test_digits, _ = load_digits("drawn")
    options = {"size": (40, 40), "n_digits": 1, "n_frames": SEEN + AHEAD, "speed": 2.0}
    train = MovingMNIST(train_digits, **options)
    test = MovingMNIST(test_digits, **options, split="test")
    model, criterion = EncoderForecaster(8, 24, AHEAD), nn.BCECriterion()
    weights, gradients = model.get_parameters()
    config, state = {"learning_rate": 3e-3}, {}
    for step in range(steps):
        frames = train.batch(range(8 * step, 8 * (step + 1))).frames

        def feval(_, seen=frames[:SEEN], future=frames[SEEN:]):
            gradients.fill(0)
            loss = criterion.forward(model.forward(seen), future)
            model.backward(seen, criterion.backward(model.output, future))
            return loss, gradients

        _, (loss,) = optim.adam(feval, weights, config, state)
        if step % 10 == 0:
            print(f"step {step:4}: loss {loss:.4f} nats a pixel")

    frames = test.batch(range(20)).frames
    with nn.evaluating(model):
        predicted = model.forward(frames[:SEEN])
    for k, (prediction, truth) in enumerate(zip(predicted, frames[SEEN:]), 1):
        print(f"{k} ahead, unseen digits: {criterion.forward(prediction, truth):.4f} nats a pixel")
    return criterion.forward(predicted, frames[SEEN:])


if __name__ == "__main__":
    main()
