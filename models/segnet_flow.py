"""SegNet-flow: weakly supervised segmentation of videos by label propagation (section 5.2, Figure 7)."""

from typing import Any

from nnlite.typing import Array, Backprop, Options

from .ae_convlstm_flow import AEConvLSTMFlow
from .label_propagation import LabelPropagation
from .parts import ModuleGraph
from .segnet import SegNet


class SegNetFlow(ModuleGraph):
    """Segment each frame by SegNet, and propagate the result to the next along the predicted flow.

        Ỹ, T = AE-ConvLSTM-flow(Y),   b = SegNet(Y),   s = propagation(b, T)

    With `offset` c the first is Ỹ - c, T = AE-ConvLSTM-flow(Y - c): 0 is then middle grey to it, as it is to
    predictors of real video.
    The flow from frame t - 1 to frame t is computed from frames up to t - 1. It is trained by the error of
    the predicted frames, like all of AE-ConvLSTM-flow, and by the labels: the label of one frame trains M,
    SegNet on this frame and on earlier ones, and the flows in between.

    Shapes: input frames (T, N, n_channels, H, W), H and W even; output the table of the scores s (T, N,
    n_classes, H, W) and of the predicted next frames Ỹ (T, N, n_channels, H, W), entry t predicting frame
    t + 1.
    Backward: that of the three parts; the gradient of the flow from the labels is added to the one from
    the predicted frames behind H. `backward` drops the arrays that SegNet keeps, see there.
    Errors: ValueError for an odd height or width and for an input of another shape.
    Source: Pătrăucean et al. 2015, section 5.2 and Figure 7.

    After a forward pass there are `scores`, `basic_scores`, `predicted` and `flow`. At the first frame of a
    sequence, where there is nothing to propagate, `scores` are `basic_scores`.

    height, width, n_channels, n_classes: as in `SegNet`. n_features, kernel: of SegNet. merge_kernel: of M.
    evidence: whether M looks at the frames too, see `LabelPropagation`. offset: c, of the video part.
    video: options of `AEConvLSTMFlow`; its output is "linear" by default. 2,456,469 parameters
    with the defaults, 1,040,394 more than SegNet: 1,038,205 in AE-ConvLSTM-flow on RGB and 2,189 in M.
    """

    def __init__(
        self,
        height: int = 180,
        width: int = 240,
        n_channels: int = 3,
        n_classes: int = 11,
        n_features: int = 64,
        kernel: int = 7,
        merge_kernel: int = 3,
        video: Options | None = None,
        evidence: bool = False,
        offset: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0 <= offset <= 1:
            raise ValueError(f"{self.name}: offset must be from 0 to 1, got {offset!r}")
        self.offset = offset
        options: Options = {"output": "linear"} | (video or {})
        self.video = AEConvLSTMFlow(height, width, n_channels, flow_output=True, **options)
        self.segnet = SegNet(height, width, n_channels, n_classes, n_features, kernel)
        self.propagation = LabelPropagation(n_classes, height, width, merge_kernel, evidence, n_channels)
        self.modules = [module for _, module in self.children()]

    def children(self):
        return [(name, getattr(self, name)) for name in ("video", "segnet", "propagation")]

    def update_output(self, input):
        predicted, flow = self.video.update_output(self._shifted(input))
        basic = self.segnet.update_output(input)
        scores = self.propagation.update_output(self._propagated(input, basic, flow))
        self.output = [scores, predicted + self.offset if self.offset else predicted]
        return self.output

    def backward(self, input, grad_output, scale=1.0):
        grad_input = super().backward(input, grad_output, scale)
        for module in self.list_modules()[1:]:  # at the next step they would only take memory
            module.grad_input = None
        return grad_input

    @property
    def scores(self) -> Array:
        """The propagated scores s of the last forward pass, (T, N, n_classes, H, W)."""
        return self.output[0]

    @property
    def basic_scores(self) -> Array:
        """SegNet's own scores b of each frame, (T, N, n_classes, H, W)."""
        return self.segnet.output

    @property
    def predicted(self) -> Array:
        """The predicted next frames, (T, N, n_channels, H, W)."""
        return self.output[1]

    @property
    def flow(self) -> Array:
        """The motion (u, v) from frame t to t + 1 in input pixels, (T, N, 2, H, W)."""
        return self.video.flow

    def backpropagate(self, input: Any, grad_output: Any, backprop: Backprop) -> Any:
        """Take the gradient to the input; `backprop(module, its input, its grad_output)` does one part."""
        if self.output is None:
            raise RuntimeError(f"{self.name}: call forward before backward")
        self.check_table(grad_output, "grad_output", size=2)
        g_scores, g_predicted = grad_output
        propagated = self._propagated(input, self.segnet.output, self.video.output[1])
        g_basic, g_flow, *g_frames = backprop(self.propagation, propagated, g_scores)
        g_segnet = backprop(self.segnet, input, g_basic)
        self.grad_input = g_segnet + backprop(self.video, self._shifted(input), [g_predicted, g_flow])
        for g in g_frames:
            self.grad_input += g
        return self.grad_input

    def propagate(self, frames: Array, flow: Array) -> Array:
        """Return the scores s of the frames of the last forward pass with another flow in grid units."""
        return self.propagation.update_output(self._propagated(frames, self.basic_scores, flow))

    def _shifted(self, input):
        """Return the frames as the video part takes them."""
        return input - self.offset if self.offset else input

    def _propagated(self, input, basic, flow):
        """Return what the propagation takes."""
        return [basic, flow, input] if self.propagation.evidence else [basic, flow]
