"""AE-ConvLSTM of Table 1: the autoencoder with two convolutional LSTMs in place of memory and flow."""

import nnlite as nn
from nnlite.typing import Number

from .parts import Predictor, check_size, conv_memory, decoder, encoder, initialise_layers, initialise_memory


class AEConvLSTM(Predictor):
    """Predict the next frame from the state of two convolutional LSTMs that have seen the frames so far.

        x_t = E(Y_t),   h_t = LSTM₂(LSTM₁(x_1..x_t)),   Ỹ_{t+1} = D(h_t)

    Shapes: input (T, N, C, H, W), H and W even; output of the same shape, entry t predicting frame t + 1.

    height, width: of the frames. n_channels: 1 grey, 3 RGB. n_features: of E, D and the second memory.
    n_memory: maps of the first. kernel: of all convolutions. output: "sigmoid" or "linear". forget_bias:
    initial bias of the forget gates. untied: parameters of their own for the memories' first step, as in the
    published code. 1,256,305 parameters with the defaults.
    """

    def __init__(
        self,
        height: int = 64,
        width: int = 64,
        n_channels: int = 1,
        n_features: int = 16,
        n_memory: int = 64,
        kernel: int = 7,
        output: str = "sigmoid",
        forget_bias: Number = 1.0,
        untied: bool = False,
    ) -> None:
        check_size(self, height, width)
        super().__init__(
            height,
            width,
            n_channels,
            encoder=nn.Bottle(encoder(n_channels, n_features, kernel), 4),
            memory=nn.Sequential(
                conv_memory(n_features, n_memory, kernel, untied),
                conv_memory(n_memory, n_features, kernel, untied),
            ),
            decoder=nn.Bottle(decoder(n_features, n_channels, kernel, output), 4),
        )
        initialise_layers(self.encoder, self.decoder)
        for memory in self.memory:
            initialise_memory(memory, forget=forget_bias)
