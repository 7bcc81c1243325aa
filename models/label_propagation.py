"""The label propagation of section 5.2: scores propagated along the flow and merged with new ones by M."""

import nnlite as nn
from nnlite.layers.activation import sigmoid

from .flow_regressor import UpSamplingFlow
from .parts import convolution

#: Initial bias of M's gate: σ(1) = 0.73 of the frame's own scores, the rest of the propagated ones.
GATE_BIAS = 1.0


class LabelPropagation(nn.Container):
    """Warp the scores of step t - 1 with the flow predicted there, and merge them with the scores of step t.

    The scores are unnormalised log probabilities. Where the flow points outside the picture S reads zero for
    all classes, which favours none. The merging block M, which the paper describes only as recurrent and
    convolutional, is here a convolutional gate like those of the memory: the merged scores stay in the range
    of the two that are merged, however long the sequence is, and a convolution of both decides for every
    pixel and class which of them counts more.

    Shapes: input the table [b, T]: the scores of each frame (T, N, K, H, W) and the flow maps (T, N, 2, H/2,
        W/2) in grid units, H and W even; output s, as b. T_t maps frame t to frame t + 1; the last is not
        used.
    Forward: s₀ = b₀, there being nothing to warp; for t = 1, 2, ..., with U `UpSamplingFlow` and M's
        convolution W *, a (`merge`),
        w_t = S(s_{t-1}, GG(U(T_{t-1}))),  m_t = σ(W * [b_t, w_t] + a),  s_t = m_t ⊙ b_t + (1 - m_t) ⊙ w_t.
        M starts with W = 0, a = 1: s_t is 0.73 b_t + 0.27 w_t.
    Backward, for t = ..., 2, 1 with ds_t = g_t + (the gradient from step t + 1):
        dz_t = ds_t ⊙ (b_t - w_t) ⊙ m_t (1 - m_t),
        (db_t, dw_t) = (ds_t ⊙ m_t, ds_t ⊙ (1 - m_t)) + Wᵀ dz_t;
        S's backward pass turns dw_t into the gradients of s_{t-1} and of the positions, then of T_{t-1};
        grad W += scale · Σ_t dz_t [b_t, w_t]ᵀ, grad a likewise. db₀ = ds₀.
    Errors: ValueError for other shapes; RuntimeError for backward without forward.
    Source: Pătrăucean et al. 2015, section 5.2 and Figure 7.
    """

    state_names = (*nn.Module.state_names, "warped", "gates", "positions", "_dz")

    def __init__(self, n_classes: int, height: int, width: int, kernel: int = 3) -> None:
        super().__init__()
        self.n_classes, self.height, self.width = n_classes, height, width
        self.upsampling = UpSamplingFlow(height // 2, width // 2)
        self.grid = nn.AffineGridGeneratorOpticalFlow2D(height, width)
        self.sampler = nn.BilinearSamplerBHWD()
        self.merge = convolution(2 * n_classes, n_classes, kernel)
        self.modules = [module for _, module in self.children()]
        self.warped = self.gates = self.positions = self._dz = None
        self.reset()

    def reset(self, stdv=None):
        """Set the initial parameters of M, whatever `stdv`."""
        self.merge.weight.fill(0)
        self.merge.bias.fill(GATE_BIAS)

    def children(self):
        return [(name, getattr(self, name)) for name in ("upsampling", "grid", "sampler", "merge")]

    def update_output(self, input):
        scores, flow = self._checked(input)
        xp, later = self.xp, (len(scores) - 1, *scores.shape[1:])
        self.output, self._dz = scores.copy(), None
        self.warped, self.gates = xp.empty(later, self.dtype), xp.empty(later, self.dtype)
        self.positions = self._positions_from(flow[:-1])
        for t in range(1, len(scores)):
            warped, gate = self.warped[t - 1], self.gates[t - 1]
            sampled = self.sampler.update_output([_channels_last(self.output[t - 1]), self.positions[t - 1]])
            warped[...] = _channels_first(sampled)
            gate[...] = sigmoid(self.merge.update_output(xp.concatenate([scores[t], warped], axis=1)))
            self.output[t] = warped + gate * (scores[t] - warped)
        return self.output

    def update_grad_input(self, input, grad_output):
        scores, flow = self._checked(input)
        self.check_grad_output(grad_output)
        xp, grad_scores = self.xp, grad_output.copy()
        grad_positions = xp.empty_like(self.positions)
        self._dz = xp.empty_like(self.gates)
        for t in range(len(scores) - 1, 0, -1):
            warped, gate, dz, ds = self.warped[t - 1], self.gates[t - 1], self._dz[t - 1], grad_scores[t]
            dz[...] = ds * (scores[t] - warped) * gate * (1 - gate)
            grad_merged = self.merge.update_grad_input(xp.concatenate([scores[t], warped], axis=1), dz)
            grad_warped = ds * (1 - gate) + grad_merged[:, self.n_classes :]
            ds *= gate
            ds += grad_merged[:, : self.n_classes]
            read_from = [_channels_last(self.output[t - 1]), self.positions[t - 1]]
            grad_images, grad_positions[t - 1] = self.sampler.update_grad_input(
                read_from, _channels_last(grad_warped)
            )
            grad_scores[t - 1] += _channels_first(grad_images)
        self.grad_input = [grad_scores, self._grad_flow_from(grad_positions, flow)]
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        if self._dz is None:
            self.update_grad_input(input, grad_output)
        for score, warped, dz in zip(input[0][1:], self.warped, self._dz):
            self.merge.acc_grad_parameters(self.xp.concatenate([score, warped], axis=1), dz, scale)

    def describe(self):
        return f"({self.n_classes} classes, {self.height}x{self.width})"

    def _checked(self, input):
        """Check the table and return scores and flow."""
        self.check_table(input, size=2)
        scores, flow = input
        self.check_array(
            scores, "scores", ndim=5, sizes={-3: self.n_classes, -2: self.height, -1: self.width}
        )
        self.check_array(flow, "flow", shape=(*scores.shape[:2], 2, self.height // 2, self.width // 2))
        if not len(scores):
            raise ValueError(f"{self.name}: a sequence must have at least one step")
        return scores, flow

    def _positions_from(self, flow):
        """Return the sampling positions (T, N, H, W, 2) of flow maps (T, N, 2, h, w)."""
        grids = self.grid.update_output(self.upsampling.update_output(_fold(flow)))
        return _channels_last(grids).reshape(*flow.shape[:2], self.height, self.width, 2)

    def _grad_flow_from(self, grad_positions, flow):
        """Return the gradient of all flow maps, zero for the last, from that of the positions."""
        grad = self.xp.zeros_like(flow)
        g = _channels_first(grad_positions.reshape(-1, self.height, self.width, 2))
        g = self.grid.update_grad_input(self.upsampling.output, g)
        grad[:-1] = self.upsampling.update_grad_input(_fold(flow[:-1]), g).reshape(grad[:-1].shape)
        return grad


def _channels_last(x):
    """Return (B, C, H, W) as (B, H, W, C), contiguous."""
    return x.transpose(0, 2, 3, 1).copy()


def _channels_first(x):
    """Return (B, H, W, C) as (B, C, H, W), contiguous."""
    return x.transpose(0, 3, 1, 2).copy()


def _fold(x):
    """Return (T, N, ...) as (T·N, ...)."""
    return x.reshape(-1, *x.shape[2:])
