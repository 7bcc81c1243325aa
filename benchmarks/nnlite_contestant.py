"""The nnlite contestant, run in its own process: the training loop's step and the models, unchanged."""

from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_info

import nnlite as nn
from nnlite import backend, models
from nnlite.benchmarks.contestant import Contestant, serve
from nnlite.benchmarks.profiling import profile
from nnlite.files import write_arrays
from nnlite.train.runs.loop import Trainer
from nnlite.train.runs.loop_options import LoopOptions
from nnlite.train.runs.loss import loss_and_gradient


class NnliteContestant(Contestant):
    """A model with the parameters and frames in a folder.

    folder: contains parameters.npz and frames.npy, (T + 1, N, C, H, W). learning: options of the loop.
    """

    def __init__(self, job, model, device, folder, learning):
        super().__init__(job)
        self.folder, self.device = Path(folder), device
        with np.load(self.folder / "frames.npz") as saved:
            frames = saved["frames"]
        height, width = frames.shape[-2:]
        self.model = models.build(model, height=height, width=width).type(device=device)
        with np.load(self.folder / "parameters.npz") as saved:
            for path, weight, _ in self.model.named_parameters():
                weight[...] = backend.asarray(saved[path], device=device)
        self.frames = backend.asarray(frames, device=device)
        batch = self.frames.shape[1]
        options = LoopOptions(sequences=batch * 10**6, batch=batch, optimiser="rmsprop", **learning)
        self.trainer = Trainer(self.model, self._criterion(), self._batch, options, self.folder, epoch=batch)
        self.libraries = {"blas": [_blas(entry) for entry in threadpool_info()]}
        if job != "train":
            self.model.evaluate()
        if job == "stream":
            for module in self.model.list_modules():
                if hasattr(module, "remember"):
                    module.remember("both")

    def train(self):
        """Take one step of the training loop."""
        self.trainer.train_step()
        return self.trainer.sums["loss"]  # after the first step, the loss of that step

    def predict(self):
        """Predict the next frames of whole sequences."""
        return self.model.forward(self.frames[:-1])

    def continue_stream(self):
        """Predict the frame that follows the next one."""
        return self.model.forward(self.next_frame())

    def synchronize(self):
        """Wait for the GPU."""
        backend.synchronize(self.device)

    def release_memory(self):
        """Nothing to release."""

    def peak_device_memory(self):
        """Return {"device": GPU memory in bytes of CuPy's pool and the graph's}; empty on the CPU."""
        if self.device == "cpu":
            return {}
        pool = backend.array_module(self.device).get_default_memory_pool().total_bytes()
        return {"device": pool + getattr(self.trainer.gradient, "memory", 0)}

    def save_gradients(self, name):
        """Write the gradients of the parameters into the folder; return the loss."""
        input, target = self._batch()
        self.model.zero_grad_parameters()
        output = self.model.forward(input)
        loss, grad_output, _ = loss_and_gradient(self._criterion(), output, target, "all")
        self.model.backward(input, grad_output)
        gradients = {path: backend.as_numpy(grad) for path, _, grad in self.model.named_parameters()}
        write_arrays(self.folder / name, gradients)
        return float(loss)

    def profile(self, steps):
        """Return the time of each module in some training steps, the rows of `profiling.profile`."""
        return profile(self.trainer, steps)

    def _batch(self, *_):
        """Return input and target; they are always the same and already where the model is."""
        return self.frames[:-1], self.frames[1:]

    def _criterion(self):
        return nn.BCECriterion(size_average=False)


def _blas(entry):
    """Return a one-line description of a library from its entry in `threadpoolctl`."""
    names = "internal_api", "version", "architecture", "num_threads"
    return " ".join(str(entry[name]) for name in names if entry.get(name)) + " threads"


if __name__ == "__main__":
    serve(NnliteContestant)
