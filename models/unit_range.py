"""Predictors that learned from shifted frames, for frames as everybody has them: values from 0 to 1."""

import nnlite as nn


class UnitRange(nn.Sequential):
    """A predictor of frames with values from 0 to 1, whose parameters are those of one of shifted frames.

    Shapes: those of the predictor.
    Forward: y = clamp(f(x - offset) + offset, 0, 1), f being the predictor, `model`.
    Backward: that of f; zero where y was clamped.
    Errors: as f.
    Source: 0 stands for middle grey where models of real video learn; their output is linear.
    """

    def __init__(self, model, offset):
        added = [nn.AddConstant(-offset), nn.AddConstant(offset), nn.Clamp(0, 1)]
        first, *rest = (module.type(model.dtype, model.device) for module in added)
        super().__init__(first, model, *rest)
        self.dtype, self.device, self.train = model.dtype, model.device, model.train
        self.model = model

    @property
    def flow(self):
        """The motion (u, v) of the last forward pass, (T, N, 2, H, W), of a predictor that has one."""
        return self.model.flow
