"""AE-Conv, the purely convolutional baseline of Table 1: frames as channels, no memory."""

import nnlite as nn

from .parts import Predictor, check_size, convolution, decoder, encoder, initialise_layers


class AEConv(Predictor):
    """Predict the next frame by convolutions from the last `n_frames` frames at once.

        Ỹ_{T+1} = D(M(E([Y_1 ... Y_T]))),   M: convolution, tanh, convolution, tanh

    Shapes: input (T, N, C, H, W), T = n_frames, H and W even; output (1, N, C, H, W), the prediction of frame
    T + 1.

    height, width: of the frames. n_channels: 1 grey, 3 RGB. n_features: of E and D. n_memory: maps inside M,
    as many as in the memory of the other models. kernel: of all convolutions. output: "sigmoid" or "linear".
    109,073 parameters with the defaults.
    """

    def __init__(
        self,
        height: int = 64,
        width: int = 64,
        n_channels: int = 1,
        n_frames: int = 10,
        n_features: int = 16,
        n_memory: int = 64,
        kernel: int = 7,
        output: str = "sigmoid",
    ) -> None:
        check_size(self, height, width)
        stacked = n_frames * n_channels
        super().__init__(
            height,
            width,
            n_channels,
            n_frames,
            stack=nn.Sequential(nn.Transpose((0, 1)), nn.Reshape(stacked, height, width, batch_mode=True)),
            encoder=encoder(stacked, n_features, kernel),
            middle=nn.Sequential(
                convolution(n_features, n_memory, kernel),
                nn.Tanh(),
                convolution(n_memory, n_features, kernel),
                nn.Tanh(),
            ),
            decoder=decoder(n_features, n_channels, kernel, output),
            unstack=nn.View(1, -1, n_channels, height, width),
        )
        initialise_layers(self)
