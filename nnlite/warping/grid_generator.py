"""The grid generator GG: from one displacement per pixel to sampling positions (eq. 3)."""

from .. import backend
from ..module import Module
from ..ops.sampling import base_grid


class AffineGridGeneratorOpticalFlow2D(Module):
    """Add the flow to the grid of pixel positions: the position that the sampler reads for each output pixel.

    Positions are normalised: -1 and +1 are the centres of the first and the last pixel. Channel 0 is y,
    channel 1 is x.

    Shapes: input (2, height, width) or (N, 2, height, width), output the same.
    Forward: (y_s, x_s) = (y_o + t_y, x_o + t_x) (eq. 3; the per-pixel transformation is a translation).
    Backward: grad_input = g.
    Errors: ValueError unless the input has the height and width of the constructor.
    Source: nn.AffineGridGeneratorOpticalFlow2D of the published code; Pătrăucean et al. 2015, section 3.2.3.

        >>> grids = nn.AffineGridGeneratorOpticalFlow2D(2, 3).forward(np.zeros((1, 2, 2, 3), np.float32))
        >>> grids[0, 0].tolist()  # y: without flow each pixel's own place
        [[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]
        >>> grids[0, 1].tolist()  # x
        [[-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]]
    """

    state_names = (*Module.state_names, "base_grid")

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width
        # Not a buffer: for each dtype it must be rounded from float64, never converted back and forth.
        self.base_grid = None

    def update_output(self, input):
        self.check_array(input, ndim=(3, 4), sizes={-3: 2, -2: self.height, -1: self.width})
        if self.base_grid is None:
            self.base_grid = backend.asarray(base_grid(self.height, self.width), self.dtype, self.device)
        self.output = self.base_grid + input
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output, input.shape)
        self.grad_input = grad_output.copy()
        return self.grad_input

    def describe(self):
        return f"({self.height} x {self.width})"
