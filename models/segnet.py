"""SegNet-Basic, the per-frame semantic segmentation of section 5.2 (Badrinarayanan et al. 2015)."""

import nnlite as nn
from nnlite import init
from nnlite.exclusive import exclusive

from .parts import convolution

LEVELS = 4
#: The released network's α is for pixels from 0 to 255.
LRN_ALPHA = 1e-4 * 255**2


class SegNet(nn.Container):
    """Label every pixel of a frame: an encoder of four levels, and a decoder that puts maxima back in place.

        x₀ = LRN(Y),   (xᵢ, whereᵢ) = P2(ReLU(BN(W_i * xᵢ₋₁))),   i = 1..4
        y₄ = x₄,   yᵢ₋₁ = BN(V_i * U(yᵢ, whereᵢ)),   scores = C(y₀)

    P2 is 2x2 max pooling and U the unpooling that puts each entry back where P2 found the maximum of the same
    level. Convolutions keep the map size and have no bias, which BN would take away; C is 1x1 with bias. The
    decoder has no ReLU. LRN divides the colours of a pixel by a power of their energy; it is that of the
    released network. Sizes that are odd at some level are rounded up (`ceil()`), as in the released network:
    the last row or column of windows is then half empty, the whole input is covered, and U restores the
    odd size. So every height and width is allowed.

    Shapes: input (N, n_channels, H, W) or (T, N, n_channels, H, W); output the scores (unnormalised log
    probabilities) (N, n_classes, H, W) or (T, N, n_classes, H, W). Frames are independent: time steps only
    enlarge the batch, whose statistics BN uses while training.
    Backward: layer by layer. `backward` drops each layer's arrays as soon as they are no longer needed, so
    that it can follow a forward pass only once; `update_grad_input` and `acc_grad_parameters` keep them.
    Errors: ValueError for an input of another shape; RuntimeError for backward without forward.
    Source: Badrinarayanan et al. 2015, with the details of the released SegNet-Basic. (That one leaves the
    biases of the encoder's convolutions in.) Convolutions start by the rule of He et al., BN at scale 1.

    height, width: of the frames. n_channels: 1 grey, 3 RGB. n_classes: of labels. n_features: maps at every
    level. kernel: of all convolutions but the last. 1,416,075 parameters with the defaults.

        >>> from nnlite import models
        >>> net = models.build("segnet", height=32, width=48, n_features=8, kernel=3)
        >>> net.forward(np.zeros((1, 3, 32, 48), np.float32)).shape
        (1, 11, 32, 48)
    """

    def __init__(
        self,
        height: int = 180,
        width: int = 240,
        n_channels: int = 3,
        n_classes: int = 11,
        n_features: int = 64,
        kernel: int = 7,
    ) -> None:
        super().__init__()
        if height < 1 or width < 1:
            raise ValueError(f"{self.name}: height and width must be positive, got {height}x{width}")
        self.height, self.width = height, width
        self.n_channels, self.n_classes = n_channels, n_classes
        self.normalisation = nn.SpatialCrossMapLRN(5, LRN_ALPHA)
        inputs = [n_channels] + [n_features] * (LEVELS - 1)
        self.encoder = nn.Sequential(*(_encoder(n_in, n_features, kernel) for n_in in inputs))
        poolings = [level[-1] for level in self.encoder]
        self.decoder = nn.Sequential(*(_decoder(pooling, n_features, kernel) for pooling in poolings[::-1]))
        self.classifier = convolution(n_features, n_classes, 1)
        init.initialise(self, "kaiming")
        for normalisation in self.find_modules("SpatialBatchNormalization"):
            normalisation.weight.fill(1)
        self.modules = [module for _, module in self.children()]
        self.dropped = False  # whether a backward pass has dropped the arrays that the next one would need

    def children(self):
        return [(name, getattr(self, name)) for name in ("normalisation", "encoder", "decoder", "classifier")]

    def update_output(self, input):
        sizes = {-3: self.n_channels, -2: self.height, -1: self.width}
        self.check_array(input, ndim=(4, 5), sizes=sizes)
        x, previous, self.dropped = _fold(input), None, False
        for layer in self._layers():
            x = layer.update_output(x)
            if isinstance(layer, nn.SpatialMaxPooling | nn.SpatialMaxUnpooling):
                # Backward needs only the places of the maxima, and in the layer before only its input.
                previous.output = _shape_only(previous.output)
            previous = layer
        self.output = x.reshape(*input.shape[:-3], *x.shape[1:])
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        g = _fold(grad_output)
        for layer, x, _ in self._backwards(input):
            g = layer.update_grad_input(x, g)
        self.grad_input = g.reshape(input.shape)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        g = _fold(grad_output)
        for layer, x, _ in self._backwards(input):
            layer.acc_grad_parameters(x, g, scale)
            g = layer.grad_input

    @exclusive
    def backward(self, input, grad_output, scale=1.0):
        self.check_grad_output(grad_output)
        g = _fold(grad_output)
        for layer, x, next_layer in self._backwards(input):
            self.dropped = True
            if layer is not self.normalisation:  # the others need no output in backward
                layer.output = _shape_only(layer.output)
            if isinstance(layer, nn.SpatialConvolution):
                # In this order the temporary arrays of the first do not add to the result of the second.
                layer.acc_grad_parameters(x, g, scale)
                g = layer.update_grad_input(x, g)
            else:
                g = layer.backward(x, g, scale)
            if next_layer is not None:
                next_layer.grad_input = None
        self.grad_input = g.reshape(input.shape)
        return self.grad_input

    def _layers(self):
        """Return all layers in the order of the forward pass."""
        levels = [*self.encoder, *self.decoder]
        return [self.normalisation, *(layer for level in levels for layer in level), self.classifier]

    def _backwards(self, input):
        """Yield (layer, its input of the last forward pass, the layer after it or None), last layer first."""
        if self.dropped:
            raise RuntimeError(f"{self.name}: backward drops what it needs; call forward before the next one")
        layers = self._layers()
        for i in range(len(layers) - 1, -1, -1):
            x = layers[i - 1].output if i else _fold(input)
            yield layers[i], x, layers[i + 1] if i + 1 < len(layers) else None


def _encoder(n_in, n_out, kernel):
    """Return one level of the encoder: convolution, normalisation, ReLU, pooling."""
    return nn.Sequential(
        convolution(n_in, n_out, kernel).no_bias(),
        nn.SpatialBatchNormalization(n_out),
        nn.ReLU(),
        nn.SpatialMaxPooling(2, 2, 2, 2).ceil(),
    )


def _decoder(pooling, n_features, kernel):
    """Return the level of the decoder that undoes `pooling`: unpooling, convolution, normalisation."""
    return nn.Sequential(
        nn.SpatialMaxUnpooling(pooling),
        convolution(n_features, n_features, kernel).no_bias(),
        nn.SpatialBatchNormalization(n_features),
    )


def _shape_only(x):
    """Return a stand-in for an array of which only the shape is needed; it takes no memory."""
    xp = nn.backend.get_array_module(x)
    return xp.broadcast_to(xp.zeros((), x.dtype), x.shape)


def _fold(x):
    """Return (T, N, C, H, W) as (T·N, C, H, W), and (N, C, H, W) unchanged."""
    return x.reshape(-1, *x.shape[-3:])
