"""A toy that draws random numbers, and its trainer, for tests of the training loop."""

import numpy as np

import nnlite as nn
from nnlite import checkpoint
from nnlite.random import default_generator
from nnlite.train.runs.log import read_log
from nnlite.train.runs.loop import CHECKPOINT, Trainer
from nnlite.train.runs.loop_options import LoopOptions


class Toy(nn.Module):
    """p = sigmoid(w x + b + noise) on every pixel, a predictor that draws random numbers."""

    def __init__(self):
        super().__init__()
        self.config = {"name": "toy", "options": {}}
        self.add_parameter("weight", (1,))
        self.add_parameter("bias", (1,))

    def update_output(self, input):
        noise = np.float32(default_generator.normal(0, 0.1))
        self.output = 1 / (1 + np.exp(-(self.weight * input + self.bias + noise)))
        return self.output

    def update_grad_input(self, input, grad_output):
        self.grad_input = self.weight * grad_output * self.output * (1 - self.output)
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        inner = grad_output * self.output * (1 - self.output)
        self.grad_weight += scale * (inner * input).sum()
        self.grad_bias += scale * inner.sum()


def toy_batch(step, indices):
    """Return input and target (2, N, 1, 4, 4), each sequence a function of its number."""
    frames = np.stack([np.random.default_rng(i).random((3, 1, 4, 4)) > 0.5 for i in indices], axis=1)
    frames = frames.astype(np.float32)
    return frames[:-1], frames[1:]


def trainer(folder, make_batch=toy_batch, model=None, **options):
    """Return a trainer of a toy on ten sequences."""
    nn.manual_seed(7)
    epoch = options.pop("epoch", 10)
    options = {"sequences": 30, "batch": 3, "log_every": 3, "save_every": 0.0} | options
    criterion = nn.BCECriterion(size_average=False)
    options, note = LoopOptions(**options), {"note": "a toy"}
    return Trainer(model or Toy(), criterion, make_batch, options, folder, epoch=epoch, metadata=note)


def outcome(folder):
    """Return parameters, optimiser state and log (without times) of a run."""
    saved = checkpoint.load(folder / CHECKPOINT)
    log = [{name: value for name, value in line.items() if name != "seconds"} for line in read_log(folder)]
    arrays = {**saved.parameters, **{k: np.asarray(v) for k, v in saved.optimiser.items()}}
    return {name: array.tobytes() for name, array in arrays.items()}, log
