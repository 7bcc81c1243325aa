"""What the autoencoders share: spatial encoder E, decoder D, and the paper's initialisation (section 4)."""

import nnlite as nn
from nnlite import backend, init
from nnlite.random import default_generator


def convolution(n_in, n_out, kernel):
    """Return a convolution that keeps the map size ("same" padding)."""
    return nn.SpatialConvolution(n_in, n_out, kernel, kernel, 1, 1, kernel // 2, kernel // 2)


def encoder(n_in, n_features, kernel=7):
    """Return E (section 3.1): convolution, tanh, 2x2 pooling; (B, n_in, H, W) to (B, n_features, H/2, W/2)."""
    return nn.Sequential(convolution(n_in, n_features, kernel), nn.Tanh(), nn.SpatialMaxPooling(2, 2, 2, 2))


def decoder(n_features, n_out, kernel=7, output="sigmoid"):
    """Return D (section 3.1): upsampling and convolution; (B, n_features, h, w) to (B, n_out, 2h, 2w).

    output: "sigmoid" for probabilities of binary pixels, "linear" for real video.
    """
    if output not in ("sigmoid", "linear"):
        raise ValueError(f"output must be 'sigmoid' or 'linear', got {output!r}")
    net = nn.Sequential(nn.SpatialUpSamplingNearest(2), convolution(n_features, n_out, kernel))
    return net.add(nn.Sigmoid()) if output == "sigmoid" else net


def initialise_convolutions(*nets):
    """Draw all convolutions by Glorot and Bengio's rule, biases zero (section 4)."""
    for net in nets:
        init.initialise(net, "xavier")


def initialise_memory(memory, bound=0.08, forget=1.0):
    """Draw weights from U(-bound, bound); set forget gate biases to `forget`, the others to 0 (section 4)."""
    for _, weight, _ in memory.named_parameters():
        weight[...] = backend.asarray(default_generator.uniform(-bound, bound, weight.shape), weight.dtype)
    memory.init_bias(forget, 0.0)
