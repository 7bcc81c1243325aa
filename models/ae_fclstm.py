"""AE-fcLSTM of Table 1: the autoencoder with two fully-connected LSTMs."""

import math
from typing import Any

import nnlite as nn
from nnlite.typing import Number

from .parts import Predictor, check_size, decoder, encoder, initialise_layers, initialise_memory


class AEFcLSTM(Predictor):
    """Predict the next frame from the state of two fully-connected LSTMs that have seen the frames so far.

        x_t = A E₂(E₁(Y_t)) + a,   h_t = LSTM₂(LSTM₁(x_1..x_t)),   Ỹ_{t+1} = D₁(D₂(B h_t + b))

    E₂ has twice as many features as E₁; A takes all its maps to the size of the memories, B back. The paper
    gives a sketch (Figure 4) and the number of parameters: this is a reconstruction, the natural layout that
    has this number to the digit.

    With `cell` the matrices of A, B and the memories are those of convolutions that take cells of cell x cell
    pixels all alike: few parameters, which learn from few sequences. `models.matrices.full_matrices` turns
    such a model into one without `cell` that computes the same.

    Shapes: input (T, N, C, H, W), H and W multiples of 4 and of cell; output of the same shape, entry t
    predicting frame t + 1.

    height, width: of the frames. n_channels: 1 grey, 3 RGB. n_features: of E₁ and D₁. n_memory: numbers in
    each memory. kernel: of all convolutions. output: "sigmoid" or "linear". forget_bias: where the forget
    gates start. cell: None, or a multiple of 4 pixels. 33,623,649 parameters with the defaults.
    Errors: ValueError for sizes that do not divide as they have to, and for an n_memory that does not spread
    evenly over the cells.
    """

    def __init__(
        self,
        height: int = 64,
        width: int = 64,
        n_channels: int = 1,
        n_features: int = 16,
        n_memory: int = 1024,
        kernel: int = 7,
        output: str = "sigmoid",
        forget_bias: Number = 1.0,
        cell: int | None = None,
    ) -> None:
        check_size(self, height, width, factor=4)
        maps = 2 * n_features, height // 4, width // 4
        if cell is None:
            cells, flat = None, 2
            to_memory, memories, from_memory = _matrices(maps, n_memory)
        else:
            cells, flat = _cells(self, height, width, n_memory, cell), 4
            to_memory, memories, from_memory = _convolutions(maps, cells, kernel, cell)
        super().__init__(
            height,
            width,
            n_channels,
            encoder=nn.Bottle(
                nn.Sequential(
                    encoder(n_channels, n_features, kernel), encoder(n_features, maps[0], kernel), *to_memory
                ),
                4,
                flat,
            ),
            memory=nn.Sequential(*memories),
            decoder=nn.Bottle(
                nn.Sequential(
                    *from_memory,
                    decoder(maps[0], n_features, kernel, "linear"),
                    decoder(n_features, n_channels, kernel, output),
                ),
                flat,
                4,
            ),
        )
        initialise_layers(self.encoder, self.decoder)
        for memory in self.memory:
            initialise_memory(memory, forget=forget_bias)
        self.maps, self.cells = maps, cells

    def shared_matrices(self) -> list[tuple[str, Any, tuple[int, ...]]]:
        """Return (path, convolution, shape of its input) of each matrix that `cell` makes a convolution."""
        if self.cells is None:
            return []
        shapes = {"encoder.0.3": self.maps, "decoder.0.0": self.cells}
        shapes |= {f"memory.{i}.{part}": self.cells for i in range(2) for part in ("i2g", "o2g")}
        modules = dict(self.named_modules())
        return [(path, modules[path], shape) for path, shape in shapes.items()]


def _matrices(maps, n_memory):
    """Return the layers of A, the memories and the layers of B."""
    size = math.prod(maps)
    to_memory = nn.Reshape(size, batch_mode=True), nn.Linear(size, n_memory)
    from_memory = nn.Linear(n_memory, size), nn.Reshape(*maps, batch_mode=True)
    return to_memory, [nn.SeqLSTM(n_memory, n_memory) for _ in range(2)], from_memory


def _cells(model, height, width, n_memory, cell):
    """Return (maps, height, width) of a memory whose numbers are spread over cells of the frame."""
    model.check_counts(cell=cell, n_memory=n_memory)
    if cell % 4 or height % cell or width % cell:
        raise ValueError(
            f"{model.name}: cell must be a multiple of 4 that divides height and width, got {cell!r} for "
            f"{height}x{width}"
        )
    n_cells = (height // cell) * (width // cell)
    n_maps, rest = divmod(n_memory, n_cells)
    if rest or not n_maps:
        raise ValueError(
            f"{model.name}: n_memory must be a multiple of {n_cells}, the number of cells, got {n_memory}"
        )
    return n_maps, height // cell, width // cell


def _convolutions(maps, cells, kernel, cell):
    """Return the same as convolutions, with memories of the shape `cells`."""
    pad, stride = kernel // 2, cell // 4
    sizes = [2 * pad + stride] * 2 + [stride] * 2 + [pad] * 2
    to_memory = nn.Identity(), nn.SpatialConvolution(maps[0], cells[0], *sizes)
    from_memory = nn.SpatialFullConvolution(cells[0], maps[0], *sizes), nn.Identity()
    return to_memory, [nn.SeqConvLSTM(cells[0], cells[0], kernel) for _ in range(2)], from_memory
