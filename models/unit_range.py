"""Predictors that learned from shifted frames, for frames as everybody has them: values from 0 to 1."""

from typing import Any

import nnlite as nn
from nnlite.typing import Array, Number


class UnitRange(nn.Sequential):
    """A predictor of frames with values from 0 to 1, whose parameters are those of one of shifted frames.

    Shapes: those of the predictor.
    Forward: y = clamp(f(x - offset) + offset, 0, 1), f being the predictor, `model`.
    Backward: that of f; zero where y was clamped.
    Errors: as f; ValueError for frames of another size than those of f.
    Source: 0 stands for middle grey where models of real video learn; their output is linear.
    """

    def __init__(self, model: Any, offset: Number) -> None:
        added = [nn.AddConstant(-offset), nn.AddConstant(offset), nn.Clamp(0, 1)]
        first, *rest = (module.type(model.dtype, model.device) for module in added)
        super().__init__(first, model, *rest)
        self.dtype, self.device, self.train = model.dtype, model.device, model.train
        self.model = model

    def update_output(self, input):
        size = getattr(self.model, "height", None), getattr(self.model, "width", None)
        if None not in size and getattr(input, "shape", size)[-2:] != size:
            height, width = input.shape[-2:]
            raise ValueError(
                f"{self.name}: frames must be {size[0]}x{size[1]} pixels, got {height}x{width}; load it "
                f"with height={height}, width={width}"
            )
        return super().update_output(input)

    @property
    def flow(self) -> Array:
        """The motion (u, v) of the last forward pass, (T, N, 2, H, W), of a predictor that has one."""
        return self.model.flow
