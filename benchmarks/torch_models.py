"""The paper's models in PyTorch, written for speed, as the reference that nnlite is compared with.

They are fast because the four gates of a memory are one convolution, the inputs of all time steps are
convolved at once, frames keep the shape (T·N, C, H, W) throughout so that channels-last memory stays
channels-last, and the sigmoid of the output is part of the loss.

A model maps frames (T, N, C, H, W), and the final state of an earlier call, to (logits of the next frames,
penalty, state). Parameters have the names and layouts of those in `models`, except inside `torch.nn.LSTM`;
`load_parameters` and `gradients` translate. The dtype is PyTorch's default dtype.
"""

import re

import torch
import torch.nn.functional as F
from torch import nn


class ConvLSTM(nn.Module):
    """Convolutional LSTM (eq. 1), gates as row blocks in the order input, cell, forget, output."""

    def __init__(self, n_in, n_out, kernel):
        super().__init__()
        self.n_out = n_out
        self.i2g = convolution(n_in, 4 * n_out, kernel)
        self.o2g = convolution(n_out, 4 * n_out, kernel, bias=False)

    def forward(self, x, steps, state=None):
        """Map x (T·N, n_in, H, W) to all h (T·N, n_out, H, W) and the last (h, c)."""
        outputs = []
        for z in self.i2g(x).chunk(steps):
            if state is not None:
                z = self.o2g(state[0]).add_(z)
            i, g, fo = z.split([self.n_out, self.n_out, 2 * self.n_out], dim=1)
            f, o = fo.sigmoid().chunk(2, dim=1)
            c = i.sigmoid() * g.tanh()
            if state is not None:
                c = torch.addcmul(c, f, state[1])
            h = o * c.tanh()
            state = h, c
            outputs.append(h)
        return torch.cat(outputs), state


class AEConvLSTMFlow(nn.Module):
    """AE-ConvLSTM-flow, with the penalty of SmoothHuberPenalty (as in the paper) as a term of the loss."""

    def __init__(
        self, height=64, width=64, n_channels=1, n_features=16, n_memory=64, kernel=7, flow_kernel=15
    ):
        super().__init__()
        h, w = height // 2, width // 2
        self.encoder = encoder(n_channels, n_features, kernel)
        self.memory = ConvLSTM(n_features, n_memory, kernel)
        self.regressor = nn.Sequential(
            convolution(n_memory, 2, flow_kernel, bias=False),
            convolution(2, 2, flow_kernel, bias=False),
            convolution(2, 2, 1),
        )
        self.decoder = decoder(n_features, n_channels, kernel)
        y, x = (torch.linspace(-1, 1, n, dtype=torch.float64) for n in (h, w))
        base = torch.stack([x.expand(h, w), y[:, None].expand(h, w)], dim=-1)
        self.register_buffer("base", base.to(torch.get_default_dtype()), persistent=False)
        self.register_buffer("units", torch.tensor([2 / h, 2 / w]).reshape(2, 1, 1), persistent=False)

    def forward(self, frames, state=None):
        x = self.encoder(frames.flatten(0, 1))
        memory, state = self.memory(x, len(frames), state)
        flow = (self.regressor(memory) * self.units).clamp(-0.5, 0.5)  # channels y, x
        grid = self.base + flow.flip(1).permute(0, 2, 3, 1)
        warped = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
        return self.decoder(warped).unflatten(0, frames.shape[:2]), smoothness_penalty(flow), state


class AEConvLSTM(nn.Module):
    """AE-ConvLSTM: two convolutional memories between encoder and decoder."""

    def __init__(self, n_channels=1, n_features=16, n_memory=64, kernel=7):
        super().__init__()
        self.encoder = nn.Sequential(encoder(n_channels, n_features, kernel))
        self.memory = nn.ModuleList(
            [ConvLSTM(n_features, n_memory, kernel), ConvLSTM(n_memory, n_features, kernel)]
        )
        self.decoder = nn.Sequential(decoder(n_features, n_channels, kernel))

    def forward(self, frames, state=(None, None)):
        x, ends = self.encoder(frames.flatten(0, 1)), []
        for memory, start in zip(self.memory, state):
            x, end = memory(x, len(frames), start)
            ends.append(end)
        return self.decoder(x).unflatten(0, frames.shape[:2]), 0.0, tuple(ends)


class AEFcLSTM(nn.Module):
    """AE-fcLSTM: two fully-connected memories, as PyTorch's fused `nn.LSTM`."""

    def __init__(self, height=64, width=64, n_channels=1, n_features=16, n_memory=1024, kernel=7):
        super().__init__()
        shape = 2 * n_features, height // 4, width // 4
        size = shape[0] * shape[1] * shape[2]
        first = encoder(n_channels, n_features, kernel), encoder(n_features, shape[0], kernel)
        last = decoder(shape[0], n_features, kernel), decoder(n_features, n_channels, kernel)
        self.encoder = nn.Sequential(nn.Sequential(*first, nn.Flatten(), nn.Linear(size, n_memory)))
        self.memory = nn.LSTM(n_memory, n_memory, num_layers=2)
        self.decoder = nn.Sequential(nn.Sequential(nn.Linear(n_memory, size), nn.Unflatten(1, shape), *last))
        for name, parameter in self.memory.named_parameters():
            if name.startswith("bias_hh"):  # one bias per gate is enough
                nn.init.zeros_(parameter).requires_grad_(False)

    def forward(self, frames, state=None):
        x = self.encoder(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        x, state = self.memory(x, state)
        return self.decoder(x.flatten(0, 1)).unflatten(0, frames.shape[:2]), 0.0, state


MODELS = {"ae_convlstm_flow": AEConvLSTMFlow, "ae_convlstm": AEConvLSTM, "ae_fclstm": AEFcLSTM}


def build(name, height, width):
    """Return the model for frames of this size."""
    cls = MODELS[name]
    return cls() if cls is AEConvLSTM else cls(height, width)


def convolution(n_in, n_out, kernel, bias=True):
    """Return a convolution with "same" padding."""
    return nn.Conv2d(n_in, n_out, kernel, padding=kernel // 2, bias=bias)


def encoder(n_in, n_features, kernel):
    """Return E: convolution, tanh, pooling."""
    return nn.Sequential(convolution(n_in, n_features, kernel), nn.Tanh(), nn.MaxPool2d(2))


def decoder(n_features, n_out, kernel):
    """Return D up to its sigmoid: upsampling, convolution."""
    return nn.Sequential(nn.Upsample(scale_factor=2), convolution(n_features, n_out, kernel))


def smoothness_penalty(flow, weight=0.01, delta=0.001):
    """Return w Σ H_δ(g_y) + H_δ(g_x), g being central differences of the flow with zero padding."""
    padded = F.pad(flow, (1, 1, 1, 1))
    g_y = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    g_x = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    zero = torch.zeros_like(flow)
    return weight * sum(F.huber_loss(g, zero, reduction="sum", delta=delta) for g in (g_y, g_x))


def losses(model, frames, targets):
    """Return the total loss and its cross-entropy term, both summed over all predicted pixels."""
    logits, penalty, _ = model(frames)
    error = F.binary_cross_entropy_with_logits(logits, targets, reduction="sum")
    return error + penalty, error


def load_parameters(model, arrays):
    """Copy NumPy arrays {path in nnlite: array} into the model."""
    parameters = _parameters_by_path(model)
    if set(parameters) != set(arrays):
        raise ValueError(f"parameters differ: {sorted(set(parameters) ^ set(arrays))}")
    with torch.no_grad():
        for path, (parameter, reorder) in parameters.items():
            parameter.copy_(reorder(torch.as_tensor(arrays[path])))


def gradients(model):
    """Return the gradients with respect to the parameters as NumPy arrays {path in nnlite: array}."""
    parameters = _parameters_by_path(model).items()
    return {path: reorder(parameter.grad).cpu().numpy() for path, (parameter, reorder) in parameters}


def _parameters_by_path(model):
    """Return {path in nnlite: (parameter, function that reorders its rows, its own inverse)}."""
    parameters = {}
    for name, parameter in model.named_parameters():
        fused = re.fullmatch(r"(.*\.)(weight|bias)_(ih|hh)_l(\d+)", name)
        if fused is None:
            parameters[name] = parameter, lambda rows: rows
        elif parameter.requires_grad:
            prefix, name, source, layer = fused.groups()
            path = f"{prefix}{layer}.{'i2g' if source == 'ih' else 'o2g'}.{name}"
            parameters[path] = parameter, _swap_gates
    return parameters


def _swap_gates(rows):
    """Reorder row blocks input, cell, forget, output (nnlite) to input, forget, cell, output (nn.LSTM)."""
    first, second, third, fourth = rows.chunk(4)
    return torch.cat([first, third, second, fourth])
