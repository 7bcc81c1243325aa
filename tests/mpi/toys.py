"""Small trainings for several processes: sequences by number, networks, a trainer."""

import numpy as np

import nnlite as nn
from nnlite import models
from nnlite.models.segmentation_loss import PixelCrossEntropy
from nnlite.train.runs.loop import Trainer
from nnlite.train.runs.loop_options import LoopOptions

SMALL = {"height": 8, "width": 8, "n_features": 2, "n_memory": 3, "kernel": 3}
OPTIONS = {"ae_convlstm_flow": {"flow_kernel": 3}, "ae_conv": {"n_frames": 3}}


def frames(step, indices, share=slice(0, None)):
    """Return frames (3, N, 1, 8, 8) and those that follow, each sequence a function of its number."""
    made = np.stack([np.random.default_rng(i).random((4, 1, 8, 8)) for i in indices[share]], axis=1)
    return made[:-1], made[1:]


def labelled(step, indices, share=slice(0, None)):
    """Return colour pictures (N, 3, 8, 8) and labels (N, 8, 8), of which some do not count."""
    made = [np.random.default_rng(i) for i in indices[share]]
    pictures = np.stack([random.random((3, 8, 8)) for random in made])
    return pictures, np.stack([random.integers(-1, 3, (8, 8)) for random in made])


class Noisy(nn.Sequential):
    """A predictor that drops out what it likes."""

    def __init__(self):
        super().__init__(nn.SpatialConvolution(1, 1, 3, 3, 1, 1, 1, 1), nn.Dropout(0.3), nn.Sigmoid())
        self.config = {"name": "noisy", "options": {}}

    def update_output(self, input):
        flat = super().update_output(input.reshape(-1, *input.shape[2:]))
        return flat.reshape(input.shape)

    def update_grad_input(self, input, grad_output):
        inner = (-1, *input.shape[2:])
        return super().update_grad_input(input.reshape(inner), grad_output.reshape(inner))

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        inner = (-1, *input.shape[2:])
        super().acc_grad_parameters(input.reshape(inner), grad_output.reshape(inner), scale)

    def backward(self, input, grad_output, scale=1.0):
        inner = (-1, *input.shape[2:])
        return super().backward(input.reshape(inner), grad_output.reshape(inner), scale)


def predictor(name="ae_convlstm_flow"):
    """Return a small predictor of next frames."""
    nn.manual_seed(3)
    if name == "noisy":
        return Noisy()
    return models.build(name, **SMALL | OPTIONS.get(name, {}))


def segmenter():
    """Return a small SegNet."""
    nn.manual_seed(3)
    return models.build("segnet", height=8, width=8, n_classes=3, n_features=2, kernel=3)


def trainer(folder, model, *, make_batch=frames, dtype=np.float32, device="cpu", **options):
    """Return a trainer of a model on twelve sequences, five in a batch: two and three for two processes."""
    model.type(dtype, device)
    if make_batch is frames:
        criterion = nn.BCECriterion(size_average=False)
    else:
        criterion = PixelCrossEntropy(np.array([0.5, 1.0, 2.0]))
    options = LoopOptions(**{"sequences": 100, "batch": 5, "log_every": 1, "save_every": 1e9} | options)
    folder.mkdir(exist_ok=True)
    return Trainer(model, criterion, make_batch, options, folder, epoch=12)


def losses(run, steps=20):
    """Return the losses, with the penalties, of so many steps."""
    found = []
    for _ in range(steps):
        before = run.sums["loss"], run.sums["penalty"]
        run.train_step()
        found.append([float(run.sums[name] - b) for name, b in zip(("loss", "penalty"), before)])
    return np.array(found)
