"""Borders around maps that are made of the maps themselves."""

from ..module import Module
from .axes import at


class SpatialReplicationPadding(Module):
    """A border of copies of the outermost rows and columns; a negative width crops.

    Shapes: input (C, H, W) or (N, C, H, W), output (..., H + pad_t + pad_b, W + pad_l + pad_r). Widths
    that are not given are pad_l.
    Forward: y[p, q] = x[r, s], (r, s) the place of the input that is nearest to (p - pad_t, q - pad_l).
    Backward: grad_input[r, s] = Σ of g over all places that (r, s) was copied to.
    Errors: ValueError when cropping leaves nothing.
    Source: nn.SpatialReplicationPadding.

        >>> nn.SpatialReplicationPadding(1, 2, 0, 1).forward(np.float32([[[1, 2]]])).tolist()
        [[[1.0, 1.0, 2.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0, 2.0]]]
    """

    def __init__(
        self, pad_l: int, pad_r: int | None = None, pad_t: int | None = None, pad_b: int | None = None
    ) -> None:
        super().__init__()
        self.pad_l = pad_l
        self.pad_r = pad_l if pad_r is None else pad_r
        self.pad_t = pad_l if pad_t is None else pad_t
        self.pad_b = pad_l if pad_b is None else pad_b

    def update_output(self, input):
        self.check_array(input, ndim=(3, 4))
        output = input
        for axis, places in self._places(input):
            output = output[at(axis, self.xp.asarray(places))]
        self.output = output
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        grad = grad_output
        for axis, places in self._places(input):
            collected = self.xp.zeros(
                (*grad.shape[:axis], input.shape[axis], *grad.shape[axis + 1 :]), self.dtype
            )
            for k, place in enumerate(places):
                collected[at(axis, place)] += grad[at(axis, k)]
            grad = collected
        self.grad_input = grad
        return self.grad_input

    def source(self, place: int, size: int) -> int:
        """Return which of 0..size-1 is shown at a place inside or outside of it."""
        return min(max(place, 0), size - 1)

    def _places(self, input):
        """Return (axis, [the place of the input that each place of the output shows]), rows first."""
        found = []
        widths = (self.pad_t, self.pad_b), (self.pad_l, self.pad_r)
        for axis, (before, after) in zip((input.ndim - 2, input.ndim - 1), widths, strict=True):
            size = input.shape[axis]
            places = [self.source(place, size) for place in range(-before, size + after)]
            if not places:
                raise ValueError(f"{self.name}: cropping leaves nothing of an input of shape {input.shape}")
            found.append((axis, places))
        return found

    def describe(self):
        return f"(l={self.pad_l}, r={self.pad_r}, t={self.pad_t}, b={self.pad_b})"


class SpatialReflectionPadding(SpatialReplicationPadding):
    """A border that mirrors the maps at their outermost rows and columns; a negative width crops.

    Shapes: input (C, H, W) or (N, C, H, W), output (..., H + pad_t + pad_b, W + pad_l + pad_r). Widths
    that are not given are pad_l.
    Forward: y[p, q] = x[r, s], r = |p - pad_t|, or 2 (H - 1) - (p - pad_t) beyond the last row, s likewise.
    Backward: grad_input[r, s] = Σ of g over all places that (r, s) was copied to.
    Errors: ValueError when cropping leaves nothing or a width reaches the size of the maps.
    Source: nn.SpatialReflectionPadding.
    """

    def update_output(self, input):
        self.check_array(input, ndim=(3, 4))
        height, width = input.shape[-2:]
        if max(self.pad_t, self.pad_b) >= height or max(self.pad_l, self.pad_r) >= width:
            raise ValueError(f"{self.name}: input must be larger than the border, got shape {input.shape}")
        return super().update_output(input)

    def source(self, place, size):
        """Return which of 0..size-1 is shown at a place inside or outside of it."""
        return abs(place) if place < size else 2 * (size - 1) - place
