"""AE-fcLSTM of Table 1: the autoencoder with two fully-connected LSTMs."""

import math

import nnlite as nn

from .parts import Predictor, check_size, decoder, encoder, initialise_layers, initialise_memory


class AEFcLSTM(Predictor):
    """Predict the next frame from what two fully-connected LSTMs remember of the frames so far.

        x_t = A E₂(E₁(Y_t)) + a,   h_t = LSTM₂(LSTM₁(x_1..x_t)),   Ỹ_{t+1} = D₁(D₂(B h_t + b))

    E₂ has twice as many features as E₁; A takes all its maps to the size of the memories, B back. The paper
    gives a sketch (Figure 4) and the number of parameters: this is a reconstruction, the natural layout that
    has this number to the digit.

    Shapes: input (T, N, C, H, W), H and W multiples of 4; output of the same shape, entry t predicting
    frame t + 1.

    height, width: of the frames. n_channels: 1 grey, 3 RGB. n_features: of E₁ and D₁. n_memory: numbers in
    each memory. kernel: of all convolutions. output: "sigmoid" or "linear". forget_bias: where the forget
    gates start. 33,623,649 parameters with the defaults.
    """

    def __init__(
        self,
        height=64,
        width=64,
        n_channels=1,
        n_features=16,
        n_memory=1024,
        kernel=7,
        output="sigmoid",
        forget_bias=1.0,
    ):
        check_size(self, height, width, factor=4)
        maps = 2 * n_features, height // 4, width // 4
        size = math.prod(maps)
        per_frame_in = nn.Sequential(
            encoder(n_channels, n_features, kernel),
            encoder(n_features, maps[0], kernel),
            nn.Reshape(size, batch_mode=True),
            nn.Linear(size, n_memory),
        )
        per_frame_out = nn.Sequential(
            nn.Linear(n_memory, size),
            nn.Reshape(*maps, batch_mode=True),
            decoder(maps[0], n_features, kernel, "linear"),
            decoder(n_features, n_channels, kernel, output),
        )
        super().__init__(
            height,
            width,
            n_channels,
            encoder=nn.Bottle(per_frame_in, 4, 2),
            memory=nn.Sequential(nn.SeqLSTM(n_memory, n_memory), nn.SeqLSTM(n_memory, n_memory)),
            decoder=nn.Bottle(per_frame_out, 2, 4),
        )
        initialise_layers(self.encoder, self.decoder)
        for memory in self.memory:
            initialise_memory(memory, forget=forget_bias)
