"""The label propagation of section 5.2: scores propagated along the flow and merged with new ones by M."""

from typing import Any

import nnlite as nn
from nnlite.layers.activation import sigmoid
from nnlite.recurrent.remembering import Remembering

from .flow_regressor import UpSamplingFlow
from .parts import convolution

#: Initial bias of M's gate: σ(1) = 0.73 of the frame's own scores, the rest of the propagated ones.
GATE_BIAS = 1.0
#: The mean difference of two frames that is 1 to M: one that shows.
ERROR_UNIT = 0.1
#: With evidence M starts with this bias, and these weights of e over its window together: a frame's own
#: scores count 0.27 where it is carried exactly, and 0.95 where it is off by `ERROR_UNIT`.
EVIDENCE_BIAS, ERROR_WEIGHT = -1.0, 4.0


class LabelPropagation(Remembering, nn.Container):
    """Warp the scores of step t - 1 with the flow predicted there, and merge them with the scores of step t.

    The scores are unnormalised log probabilities. Where the flow points outside the picture S reads zero for
    all classes, which favours none. The merging block M, which the paper describes only as recurrent and
    convolutional, is here a convolutional gate like those of the memory: the merged scores stay in the range
    of the two that are merged, however long the sequence is, and a convolution of both decides for every
    pixel and class which of them counts more.

    Shapes: input the table [b, T]: the scores of each frame (T, N, K, H, W) and the flow maps (T, N, 2, H/2,
        W/2) in grid units, H and W even; output s, as b. T_t maps frame t to frame t + 1; the last is not
        used. With `evidence` the table [b, T, Y], Y the frames (T, N, n_channels, H, W).
    Forward: s₀ = b₀, there being nothing to warp; for t = 1, 2, ..., with U `UpSamplingFlow` and M's
        convolution W *, a (`merge`),
        w_t = S(s_{t-1}, GG(U(T_{t-1}))),  m_t = σ(W * [b_t, w_t] + a),  s_t = m_t ⊙ b_t + (1 - m_t) ⊙ w_t.
        M starts with W = 0, a = 1: s_t is 0.73 b_t + 0.27 w_t.
        With `evidence` S reads a map of ones and the frame at the same positions too,
        [w_t, i_t, v_t] = S([s_{t-1}, 1, Y_{t-1}], GG(U(T_{t-1}))),  e_t = Σ_c |Y_tc - v_tc| / (C e₀),
        m_t = σ(W * [b_t, w_t, i_t, e_t] + a),  s_t = b_t + (1 - m_t) ⊙ i_t ⊙ (w_t - b_t):
        nothing is carried in from outside the picture, where i_t is 0, and M sees where the same flow carries
        the frame badly. e₀ is `ERROR_UNIT`. M starts with a = -1 and, for e alone, weights whose sum is 4:
        m_t is 0.27 where the frame is carried exactly and 0.95 where it is off by e₀ all around.
    Backward, for t = ..., 2, 1 with ds_t = g_t + (the gradient from step t + 1) and k_t = 1 - m_t, or
        (1 - m_t) ⊙ i_t with `evidence`:
        dz_t = ds_t ⊙ (b_t - w_t) ⊙ m_t (1 - m_t) (⊙ i_t),
        (db_t, dw_t) = (ds_t ⊙ (1 - k_t), ds_t ⊙ k_t) + Wᵀ dz_t;
        S's backward pass turns dw_t into the gradients of s_{t-1} and of the positions, then of T_{t-1};
        grad W += scale · Σ_t dz_t [b_t, w_t]ᵀ, grad a likewise. db₀ = ds₀. With `evidence` Wᵀ dz_t also gives
        di_t and de_t; di_t += Σ_k ds_t ⊙ (1 - m_t) ⊙ (w_t - b_t), dv_t = -de_t ⊙ sign(Y_t - v_t) / (C e₀) and
        dY_t -= dv_t; S takes [dw_t, di_t, dv_t] back, which adds to dY_{t-1}.
    Errors: ValueError for other shapes; RuntimeError for backward without forward.
    Source: Pătrăucean et al. 2015, section 5.2 and Figure 7; the error of the carried frame as a sign of what
        not to trust: Nilsson and Sminchisescu 2018, arXiv:1612.08871.

    While it remembers (`nn.remembering`) the first step goes on from the last one of the sequence before, and
    w₀ is made of its scores, flow and frame, which no gradient reaches.

    n_channels: of the frames, which `evidence` alone looks at.
    """

    state_names = (
        *nn.Module.state_names,
        "warped",
        "gates",
        "positions",
        "_dz",
        "_before",
        "_flows",
        "_last",
    )

    def __init__(
        self,
        n_classes: int,
        height: int,
        width: int,
        kernel: int = 3,
        evidence: bool = False,
        n_channels: int = 3,
    ) -> None:
        super().__init__()
        if not isinstance(evidence, bool):
            raise TypeError(f"{self.name}: evidence must be True or False, got {evidence!r}")
        self.n_classes, self.height, self.width = n_classes, height, width
        self.evidence, self.n_channels = evidence, n_channels
        self.upsampling = UpSamplingFlow(height // 2, width // 2)
        self.grid = nn.AffineGridGeneratorOpticalFlow2D(height, width)
        self.sampler = nn.BilinearSamplerBHWD()
        self.merge = convolution(2 * n_classes + 2 * evidence, n_classes, kernel)
        self.modules = [module for _, module in self.children()]
        self.warped = self.gates = self.positions = self._dz = None
        self._before = self._flows = None
        self._last = None  # what is remembered
        self.reset()

    def reset(self, stdv=None):
        """Set the initial parameters of M, whatever `stdv`."""
        self.merge.weight.fill(0)
        self.merge.bias.fill(GATE_BIAS)
        if self.evidence:
            self.merge.bias.fill(EVIDENCE_BIAS)
            self.merge.weight[:, -1] = ERROR_WEIGHT / self.merge.weight[0, -1].size

    def children(self):
        return [(name, getattr(self, name)) for name in ("upsampling", "grid", "sampler", "merge")]

    def forget(self) -> Any:
        """Begin the next sequence with nothing to warp; return self."""
        self._last = None
        return self

    def update_output(self, input):
        scores, flow, frames = self._checked(input)
        last = self._last_of(scores)
        xp, n_last = self.xp, len(last[0])
        count = len(scores) - 1 + n_last
        self.output, self._dz = scores.copy(), None
        self.gates = xp.empty((count, *scores.shape[1:]), self.dtype)
        self._flows = xp.concatenate([last[1], flow[:-1]])
        self.positions = self._positions_from(self._flows)
        self.warped = xp.empty((count, scores.shape[1], self._n_sampled, *scores.shape[-2:]), self.dtype)
        self._before = last
        for t in range(1 - n_last, len(scores)):
            k = t - 1 + n_last
            self.warped[k] = _channels_first(
                self.sampler.update_output([self._source(input, t), self.positions[k]])
            )
            self.gates[k] = sigmoid(self.merge.update_output(self._merged(input, t, k)))
            warped = self.warped[k, :, : self.n_classes]
            self.output[t] = warped + self._own_share(k) * (scores[t] - warped)
        if self.remembers:
            self._last = [x[-1:].copy() for x in (self.output, flow, *([frames] if self.evidence else []))]
        return self.output

    def update_grad_input(self, input, grad_output):
        scores, flow, frames = self._checked(input)
        self.check_grad_output(grad_output)
        xp, classes, grad_scores = self.xp, self.n_classes, grad_output.copy()
        grad_positions = xp.empty_like(self.positions)
        grad_frames = xp.zeros_like(frames) if self.evidence else None
        self._dz = xp.empty_like(self.gates)
        n_last = len(self._before[0])
        for t in range(len(scores) - 1, -n_last, -1):
            k = t - 1 + n_last
            warped, gate, dz, ds = self.warped[k, :, :classes], self.gates[k], self._dz[k], grad_scores[t]
            own, difference = self._own_share(k), scores[t] - warped
            dz[...] = ds * difference * gate * (1 - gate)
            if self.evidence:
                dz *= self._inside(k)
            grad_merged = self.merge.update_grad_input(self._merged(input, t, k), dz)
            grad_sampled = xp.empty_like(self.warped[k])
            grad_sampled[:, :classes] = ds * (1 - own) + grad_merged[:, classes : 2 * classes]
            if self.evidence:
                through_share = -(ds * (1 - gate) * difference).sum(axis=1, keepdims=True)
                grad_sampled[:, classes : classes + 1] = grad_merged[:, -2:-1] + through_share
                moved = self.warped[k, :, classes + 1 :]
                grad_moved = -grad_merged[:, -1:] * xp.sign(frames[t] - moved) / self._error_unit
                grad_sampled[:, classes + 1 :] = grad_moved
                grad_frames[t] -= grad_moved
            ds *= own
            ds += grad_merged[:, :classes]
            grad_source, grad_positions[k] = self.sampler.update_grad_input(
                [self._source(input, t), self.positions[k]], _channels_last(grad_sampled)
            )
            if t > 0:
                grad_source = _channels_first(grad_source)
                grad_scores[t - 1] += grad_source[:, :classes]
                if self.evidence:
                    grad_frames[t - 1] += grad_source[:, classes + 1 :]
        self.grad_input = [grad_scores, self._grad_flow_from(grad_positions, flow)]
        self.grad_input += [grad_frames] if self.evidence else []
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        if self._dz is None:
            self.update_grad_input(input, grad_output)
        for k, dz in enumerate(self._dz):
            self.merge.acc_grad_parameters(self._merged(input, k + 1 - len(self._before[0]), k), dz, scale)

    def describe(self):
        return f"({self.n_classes} classes, {self.height}x{self.width})"

    @property
    def _n_sampled(self):
        """Channels that S reads: the scores, and with evidence a map of ones and the frame."""
        return self.n_classes + (1 + self.n_channels if self.evidence else 0)

    @property
    def _error_unit(self):
        return self.n_channels * ERROR_UNIT

    def _last_of(self, scores):
        """Return scores, flow and frame of the last step of the sequence before, (1, N, ...), or (0, ...)."""
        n, (h, w) = scores.shape[1], (self.height // 2, self.width // 2)
        if self.remembers and self._last is not None:
            if self._last[0].shape[1] != n:
                raise ValueError(
                    f"{self.name}: {n} sequences do not continue the {self._last[0].shape[1]} remembered "
                    "ones; call forget() first"
                )
            return self._last
        shapes = scores.shape[2:], (2, h, w), (self.n_channels, self.height, self.width)
        return [self.xp.empty((0, n, *shape), self.dtype) for shape in shapes]

    def _source(self, input, t):
        """Return what S reads for step t, (N, H, W, channels)."""
        scores = self.output[t - 1] if t > 0 else self._before[0][0]
        if not self.evidence:
            return _channels_last(scores)
        frame = input[2][t - 1] if t > 0 else self._before[2][0]
        return _channels_last(self.xp.concatenate([scores, self.xp.ones_like(scores[:, :1]), frame], axis=1))

    def _inside(self, k):
        """Return i of the step number k that has something to warp, (N, 1, H, W)."""
        return self.warped[k, :, self.n_classes : self.n_classes + 1]

    def _own_share(self, k):
        """Return the share of the frame's own scores in that step, 1 - k_t."""
        gate = self.gates[k]
        return gate + (1 - gate) * (1 - self._inside(k)) if self.evidence else gate

    def _merged(self, input, t, k):
        """Return what M looks at in step t."""
        scores, warped = input[0][t], self.warped[k]
        if not self.evidence:
            return self.xp.concatenate([scores, warped], axis=1)
        moved = warped[:, self.n_classes + 1 :]
        error = abs(input[2][t] - moved).sum(axis=1, keepdims=True) / self._error_unit
        return self.xp.concatenate([scores, warped[:, : self.n_classes + 1], error], axis=1)

    def _checked(self, input):
        """Check the table and return scores, flow and, with evidence, frames."""
        self.check_table(input, size=3 if self.evidence else 2)
        scores, flow = input[:2]
        size = {-2: self.height, -1: self.width}
        self.check_array(scores, "scores", ndim=5, sizes={-3: self.n_classes} | size)
        self.check_array(flow, "flow", shape=(*scores.shape[:2], 2, self.height // 2, self.width // 2))
        if self.evidence:
            shape = (*scores.shape[:2], self.n_channels, self.height, self.width)
            self.check_array(input[2], "frames", shape=shape)
        if not len(scores):
            raise ValueError(f"{self.name}: a sequence must have at least one step")
        return scores, flow, input[2] if self.evidence else None

    def _positions_from(self, flow):
        """Return the sampling positions (T, N, H, W, 2) of flow maps (T, N, 2, h, w)."""
        grids = self.grid.update_output(self.upsampling.update_output(_fold(flow)))
        return _channels_last(grids).reshape(*flow.shape[:2], self.height, self.width, 2)

    def _grad_flow_from(self, grad_positions, flow):
        """Return the gradient of all flow maps, zero for the last, from that of the positions."""
        grad = self.xp.zeros_like(flow)
        g = _channels_first(grad_positions.reshape(-1, self.height, self.width, 2))
        g = self.grid.update_grad_input(self.upsampling.output, g)
        g = self.upsampling.update_grad_input(_fold(self._flows), g).reshape(self._flows.shape)
        grad[:-1] = g[len(self._before[0]) :]
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
