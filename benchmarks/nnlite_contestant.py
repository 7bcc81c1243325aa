"""nnlite's side, run as a process of its own: the step of the training loop, the models as they are."""

from pathlib import Path

import numpy as np
from nnlite.benchmarks.contestant import Contestant, serve
from nnlite.benchmarks.profiling import profile
from nnlite.train.runs.loop import Trainer, loss_and_gradient
from nnlite.train.runs.loop_options import LoopOptions
from threadpoolctl import threadpool_info

import nnlite as nn
from nnlite import backend, models
from nnlite.ops import threads


class NnliteContestant(Contestant):
    """A model with the parameters and frames of a folder.

    folder: holds parameters.npz and frames.npy, (T + 1, N, C, H, W). learning: settings of the loop.
    """

    def __init__(self, job, model, device, folder, learning):
        super().__init__(job)
        self.folder, self.device = Path(folder), device
        self.model = models.build(model).type(device=device)
        with np.load(self.folder / "parameters.npz") as saved:
            for path, weight, _ in self.model.named_parameters():
                weight[...] = backend.asarray(saved[path], device=device)
        self.frames = backend.asarray(np.load(self.folder / "frames.npy"), device=device)
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
        return self.trainer.sums["loss"]  # that of the first step, when it is the only one

    def predict(self):
        """Predict the next frames of whole sequences."""
        with threads.single_blas_thread():
            return self.model.forward(self.frames[:-1])

    def continue_stream(self):
        """Predict the frame that follows the next one."""
        with threads.single_blas_thread():
            return self.model.forward(self.next_frame())

    def synchronize(self):
        """Wait for the GPU."""
        backend.synchronize(self.device)

    def settle_memory(self):
        """Leave the memory as it is."""

    def peak_device_memory(self):
        """Return {"device": bytes that CuPy's pool and a graph's took from the GPU} (nothing on the CPU)."""
        if self.device == "cpu":
            return {}
        common = backend.array_module(self.device).get_default_memory_pool().total_bytes()
        return {"device": common + getattr(self.trainer.gradient, "memory", 0)}

    def save_gradients(self, name):
        """Write the gradients of the parameters into the folder; return the loss."""
        input, target = self._batch()
        self.model.zero_grad_parameters()
        output = self.model.forward(input)
        loss, grad_output, _ = loss_and_gradient(self._criterion(), output, target, "all")
        self.model.backward(input, grad_output)
        gradients = {path: backend.as_numpy(grad) for path, _, grad in self.model.named_parameters()}
        np.savez(self.folder / name, **gradients)
        return float(loss)

    def profile(self, steps):
        """Return what each module took in some training steps, the rows of `profiling.profile`."""
        return profile(self.trainer, steps)

    def _batch(self, *_):
        """Return input and target; they are always the same and already where the model is."""
        return self.frames[:-1], self.frames[1:]

    def _criterion(self):
        return nn.BCECriterion(size_average=False)


def _blas(entry):
    """Return what `threadpoolctl` knows of a library in one line."""
    names = "internal_api", "version", "architecture", "num_threads"
    return " ".join(str(entry[name]) for name in names if entry.get(name)) + " threads"


if __name__ == "__main__":
    serve(NnliteContestant)
