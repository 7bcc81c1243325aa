"""SegNet and SegNet-flow in nnlite or in PyTorch; each process imports only one of the two."""

from pathlib import Path

import numpy as np

from nnlite.benchmarks.contestant import Contestant, serve

RMSPROP = {"learning_rate": 1e-4, "alpha": 0.9, "epsilon": 1e-5}
CLIP = 50.0


class SegmentationContestant(Contestant):
    """The common part: frames (T, N, 3, H, W), labels (-1 is not counted) and initial parameters."""

    def __init__(self, folder):
        super().__init__("train")
        with np.load(Path(folder) / "start.npz") as saved:
            self.start = {name: saved[name] for name in saved.files if "." in name}
            self.frames, self.labels, self.size = saved["frames"], saved["labels"], saved["frames"].shape[-2:]

    def predict(self):
        """Inference is not measured."""

    continue_stream = predict

    def synchronize(self):
        """Nothing to wait for on the CPU."""

    def peak_device_memory(self):
        """Nothing but host memory on the CPU."""
        return {}


class Nnlite(SegmentationContestant):
    """The models of this project."""

    def __init__(self, model, folder):
        super().__init__(folder)
        from nnlite import models
        from nnlite.models.segmentation_loss import PixelCrossEntropy, SegmentationLoss

        self.model = models.build(model, height=self.size[0], width=self.size[1])
        for path, weight, _ in self.model.named_parameters():
            weight[...] = self.start[path]
        self.criterion = PixelCrossEntropy() if model == "segnet" else SegmentationLoss()
        self.target = self.labels if model == "segnet" else [self.labels, self.frames]
        self.parameters, self.gradients = self.model.get_parameters()
        self.config, self.state, self.start = dict(RMSPROP), {}, None
        self.libraries = {"numpy": np.__version__}

    def train(self):
        """Take one training step; return the loss."""
        from nnlite import optim

        self.gradients.fill(0)
        output = self.model.forward(self.frames)
        loss = self.criterion.forward(output, self.target)
        self.model.backward(self.frames, self.criterion.backward(output, self.target))
        optim.clip_by_value(self.gradients, CLIP)
        optim.rmsprop(lambda x: (loss, self.gradients), self.parameters, self.config, self.state)
        return float(loss)


class Torch(SegmentationContestant):
    """The same networks in PyTorch; variant: "eager" or "compiled", possibly with "channels-last"."""

    def __init__(self, model, folder, variant):
        super().__init__(folder)
        import torch

        from nnlite.benchmarks import torch_models, torch_segnet

        self.torch, self.loss, self.flow = torch, torch_segnet.loss, model == "segnet_flow"
        self.model = torch_segnet.SegNetFlow(*self.size) if self.flow else torch_segnet.SegNet()
        torch_models.load_parameters(self.model, self.start)
        mode, *layouts = variant.split()
        if layouts:
            self.model.to(memory_format=torch.channels_last)
        self.call = torch.compile(self.model) if mode == "compiled" else self.model
        self.frames, self.labels = torch.from_numpy(self.frames), torch.from_numpy(self.labels)
        self.optimiser = torch.optim.RMSprop(
            self.model.parameters(), RMSPROP["learning_rate"], RMSPROP["alpha"], RMSPROP["epsilon"]
        )
        self.start = None
        self.libraries = {"torch": torch.__version__, "threads": torch.get_num_threads()}

    def train(self):
        """Take one training step; return the loss."""
        self.optimiser.zero_grad(set_to_none=True)
        if self.flow:
            scores, predicted, penalty = self.call(self.frames)
            loss = self.loss(scores, self.labels, None, predicted, self.frames)
            (loss + penalty).backward()
        else:
            scores = self.call(self.frames.flatten(0, 1)).unflatten(0, self.frames.shape[:2])
            loss = self.loss(scores, self.labels, None)
            loss.backward()
        self.torch.nn.utils.clip_grad_value_(self.model.parameters(), CLIP)
        self.optimiser.step()
        return float(loss.detach())


def build(contestant, model, folder):
    """Return "nnlite", or PyTorch in the variant of that name."""
    return Nnlite(model, folder) if contestant == "nnlite" else Torch(model, folder, contestant)


if __name__ == "__main__":
    serve(build)
