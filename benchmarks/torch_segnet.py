"""SegNet and SegNet-flow in PyTorch: the counterparts of `models.segnet` and `models.segnet_flow`.

Parameters have the names and layouts of those in `models`; `torch_models.load_parameters` and `gradients`
translate.
"""

import torch
import torch.nn.functional as F
from torch import nn

from nnlite.benchmarks.torch_models import AEConvLSTMFlow, convolution, smoothness_penalty


class SegNet(nn.Module):
    """SegNet-Basic: frames (B, C, H, W) to scores (B, K, H, W)."""

    def __init__(self, n_channels=3, n_classes=11, n_features=64, kernel=7, levels=4):
        super().__init__()
        inputs = [n_channels] + [n_features] * (levels - 1)
        self.encoder = nn.ModuleList(_level(n_in, n_features, kernel) for n_in in inputs)
        # The Identity takes the position of the unpooling in `models`, so that names agree.
        self.decoder = nn.ModuleList(
            nn.Sequential(nn.Identity(), *_level(n_features, n_features, kernel)) for _ in range(levels)
        )
        self.classifier = convolution(n_features, n_classes, 1)

    def forward(self, x):
        x, pooled = F.local_response_norm(x, 5, alpha=1e-4 * 255**2, beta=0.75), []
        for level in self.encoder:
            size = x.shape[-2:]
            x, indices = F.max_pool2d(F.relu_(level(x)), 2, ceil_mode=True, return_indices=True)
            pooled.append((indices, size))
        for level, (indices, size) in zip(self.decoder, reversed(pooled)):
            x = level(F.max_unpool2d(x, indices, 2, output_size=size))
        return self.classifier(x)


class SegNetFlow(nn.Module):
    """SegNet-flow: frames (T, N, C, H, W) to (scores, predicted next frames, smoothness penalty)."""

    def __init__(
        self, height, width, n_channels=3, n_classes=11, n_features=64, kernel=7, merge_kernel=3, video=None
    ):
        super().__init__()
        self.video = AEConvLSTMFlow(height, width, n_channels, **(video or {}))
        self.segnet = SegNet(n_channels, n_classes, n_features, kernel)
        self.propagation = nn.ModuleDict({"merge": convolution(2 * n_classes, n_classes, merge_kernel)})
        h, w = height // 2, width // 2
        factors = torch.tensor([2 * (w - 1) / (2 * w - 1), 2 * (h - 1) / (2 * h - 1)])  # x, y
        y, x = (torch.linspace(-1, 1, n, dtype=torch.float64) for n in (height, width))
        base = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)
        self.register_buffer("factors", factors, persistent=False)
        self.register_buffer("base", base.to(torch.get_default_dtype()), persistent=False)

    def forward(self, frames):
        steps = frames.shape[:2]
        basic = self.segnet(frames.flatten(0, 1)).unflatten(0, steps)
        predicted, flow = self._predict(frames)
        penalty = smoothness_penalty(flow)
        fine = F.interpolate(flow.flip(1), scale_factor=2).permute(0, 2, 3, 1) * self.factors
        grids = (self.base + fine).unflatten(0, steps)
        scores = [basic[0]]
        for b, grid in zip(basic[1:], grids):
            w = F.grid_sample(scores[-1], grid, mode="bilinear", padding_mode="zeros", align_corners=True)
            gate = self.propagation["merge"](torch.cat([b, w], dim=1)).sigmoid()
            scores.append(torch.lerp(w, b, gate))
        return torch.stack(scores), predicted, penalty

    def _predict(self, frames):
        """Return the predicted next frames (T, N, C, H, W) and the flow (T·N, 2, h, w) as (y, x)."""
        video = self.video
        x = video.encoder(frames.flatten(0, 1))
        flow = (video.regressor(video.memory(x, len(frames))[0]) * video.units).clamp(-0.5, 0.5)
        grid = video.base + flow.flip(1).permute(0, 2, 3, 1)
        warped = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
        return video.decoder(warped).unflatten(0, frames.shape[:2]), flow


def loss(scores, labels, weights, predicted=None, frames=None):
    """Return the loss of `models.segmentation_loss`: the cross-entropy and, with frames, the error."""
    error = F.cross_entropy(
        scores.flatten(0, 1), labels.flatten(0, 1), weights, ignore_index=-1, reduction="sum"
    )
    return error if frames is None else error + F.mse_loss(predicted[:-1], frames[1:], reduction="sum")


def _level(n_in, n_out, kernel):
    """Return convolution and normalisation."""
    return nn.Sequential(convolution(n_in, n_out, kernel, bias=False), nn.BatchNorm2d(n_out))
