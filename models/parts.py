"""Parts of the autoencoders: encoder E, decoder D, memories, and the paper's initialisation (section 4)."""

from typing import Any

import nnlite as nn
from nnlite import backend, init
from nnlite.exclusive import exclusive
from nnlite.random import default_generator
from nnlite.recurrent.sequence_module import SequenceModule
from nnlite.typing import Number


def convolution(n_in: int, n_out: int, kernel: int) -> nn.SpatialConvolution:
    """Return a convolution that keeps the map size ("same" padding)."""
    if not isinstance(kernel, int) or kernel % 2 == 0:
        raise ValueError(f"kernels must be odd to keep the map size, got {kernel!r}")
    return nn.SpatialConvolution(n_in, n_out, kernel, kernel, 1, 1, kernel // 2, kernel // 2)


def encoder(n_in: int, n_features: int, kernel: int = 7) -> nn.Sequential:
    """Return E (section 3.1): convolution, tanh, pooling; (B, n_in, H, W) to (B, n_features, H/2, W/2)."""
    return nn.Sequential(convolution(n_in, n_features, kernel), nn.Tanh(), nn.SpatialMaxPooling(2, 2, 2, 2))


def decoder(n_features: int, n_out: int, kernel: int = 7, output: str = "sigmoid") -> nn.Sequential:
    """Return D (section 3.1): upsampling and convolution; (B, n_features, h, w) to (B, n_out, 2h, 2w).

    output: "sigmoid" for probabilities of binary pixels, "linear" for real video.
    """
    if output not in ("sigmoid", "linear"):
        raise ValueError(f"output must be 'sigmoid' or 'linear', got {output!r}")
    net = nn.Sequential(nn.SpatialUpSamplingNearest(2), convolution(n_features, n_out, kernel))
    return net.add(nn.Sigmoid()) if output == "sigmoid" else net


def conv_memory(n_in: int, n_out: int, kernel: int, untied: bool = False) -> nn.Module:
    """Return a convolutional LSTM over sequences (T, N, n_in, h, w) to (T, N, n_out, h, w).

    untied: with parameters of its own for the first step, as in the published code; it computes gate by
    gate and is slower. TypeError unless that is True or False.
    """
    if not isinstance(untied, bool):
        raise TypeError(f"untied must be True or False, got {untied!r}")
    if untied:
        return nn.Sequencer(nn.UntiedConvLSTM(n_in, n_out, 9999, kernel, kernel))
    return nn.SeqConvLSTM(n_in, n_out, kernel)


def sequence_memories(video: nn.Module) -> list[Any]:
    """Return the memories of a model that take a state from outside and give its gradient back."""
    return [module for module in video.list_modules() if isinstance(module, SequenceModule)]


def running_memories(video: Any) -> list[Any]:
    """Return the same, but not the memory of a flow that is held: it is not run then."""
    held = video.memory if getattr(video, "hold_flow", False) else None
    return [memory for memory in sequence_memories(video) if memory is not held]


def check_size(model: nn.Module, height: int, width: int, factor: int = 2) -> None:
    """Raise ValueError unless frames of this size can be halved until they are `factor` times smaller."""
    if height < factor or width < factor or height % factor or width % factor:
        expected = "even" if factor == 2 else f"multiples of {factor}"
        raise ValueError(f"{model.name}: height and width must be {expected}, got {height}x{width}")


class ModuleGraph(nn.Container):
    """A container whose modules form a graph: a subclass connects them forward and, once, backward.

    It writes `update_output` and `backpropagate(input, grad_output, backprop)`, which takes the gradient from
    the output to the input, calls `backprop(module, its input, its grad_output)` for each module on the way,
    and returns grad_input.
    """

    def update_grad_input(self, input, grad_output):
        return self.backpropagate(input, grad_output, lambda module, x, g: module.update_grad_input(x, g))

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        def accumulate(module, x, g):
            module.acc_grad_parameters(x, g, scale)
            return module.grad_input

        self.backpropagate(input, grad_output, accumulate)

    @exclusive
    def backward(self, input, grad_output, scale=1.0):
        def backprop(module, x, g):
            grad_input = module.backward(x, g, scale)
            if not self.keeps_results:
                module.release()
            return grad_input

        return self.backpropagate(input, grad_output, backprop)


class AroundVideo(ModuleGraph):
    """Base of what runs one video model, `video`, in another way than by one pass over a sequence.

    Parameters have the paths that they have in `video`, and `config` is that of `video`: a checkpoint of one
    fits the other.
    """

    def __init__(self, video: Any) -> None:
        super().__init__(video)
        self.video = video

    @property
    def config(self) -> dict[str, Any]:
        """The {"name", "options"} that `video` was built from."""
        return self.video.config

    def children(self):
        return [("video", self.video)]

    def named_parameters(self, prefix=""):
        """Yield (path, weight, grad) under the paths in `video`."""
        return self.video.named_parameters(prefix)


class Predictor(nn.Sequential):
    """Named parts in series, from frames to the frames that follow.

    Shapes: input (T, N, n_channels, height, width), with T = n_frames when that is given; output that of the
    last part.
    Forward and backward: as `nn.Sequential`; the paths of parameters start with the names of the parts.
    Errors: ValueError for an input of another shape.
    """

    encoder: Any  # these three where they are among the parts
    memory: Any
    decoder: Any

    def __init__(
        self, height: int, width: int, n_channels: int, n_frames: int | None = None, **parts: nn.Module
    ) -> None:
        super().__init__(*parts.values())
        self.sizes = {-3: n_channels, -2: height, -1: width} | ({-5: n_frames} if n_frames else {})
        self.names = tuple(parts)
        for name, part in parts.items():
            setattr(self, name, part)

    def children(self):
        return list(zip(self.names, self.modules))

    def update_output(self, input):
        self.check_array(input, ndim=5, sizes=self.sizes)
        return super().update_output(input)


def initialise_layers(*nets: nn.Module) -> None:
    """Draw all convolutions and linear layers by Glorot and Bengio's rule, biases zero (section 4)."""
    for net in nets:
        init.initialise(net, "xavier")


def initialise_memory(memory: Any, bound: Number = 0.08, forget: Number = 1.0) -> None:
    """Draw weights from U(-bound, bound); set forget gate biases to `forget`, the others to 0 (section 4)."""
    for _, weight, _ in memory.named_parameters():
        weight[...] = backend.asarray(default_generator.uniform(-bound, bound, weight.shape), weight.dtype)
    cell: Any = memory.module if isinstance(memory, nn.Sequencer) else memory
    cell.init_bias(forget, 0.0)
