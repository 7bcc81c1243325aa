"""The PyTorch contestant, run in its own process."""

from pathlib import Path

import numpy as np
import torch

from nnlite.benchmarks import torch_models
from nnlite.benchmarks.contestant import Contestant, serve
from nnlite.files import write_arrays
from nnlite.ops.cores import available_cores


class TorchContestant(Contestant):
    """A model with the parameters and frames in a folder, run in one of PyTorch's modes.

    variant: "eager", "compiled" (`torch.compile`) or "graph" (the training step as one CUDA graph), possibly
    with "channels-last". tf32: what may be rounded to TF32 on a GPU: "none", "convolutions" (PyTorch's
    default) or "all" products. The other arguments are those of NnliteContestant.
    """

    def __init__(self, job, model, device, folder, learning, variant, tf32):
        super().__init__(job)
        self.folder, self.device, self.learning = Path(folder), device, learning
        mode, *layouts = variant.split()
        torch.set_num_threads(available_cores())
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = tf32 != "none"
        torch.backends.cuda.matmul.allow_tf32 = tf32 == "all"

        frames = np.load(self.folder / "frames.npz")["frames"]
        self.model = torch_models.build(model, *frames.shape[-2:])
        with np.load(self.folder / "parameters.npz") as saved:
            torch_models.load_parameters(self.model, dict(saved))
        layout = torch.channels_last if layouts else torch.contiguous_format
        self.model.to(device=device, memory_format=layout)
        self.frames = torch.from_numpy(frames).to(device)
        self.batch = self.frames.shape[1]
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimiser = torch.optim.RMSprop(
            self.parameters,
            lr=learning["learning_rate"],
            alpha=learning["optimiser_options"]["alpha"],
            eps=learning["optimiser_options"]["epsilon"],
            capturable=mode == "graph",
        )
        self.losses, self.call, self.state = torch_models.losses, self.model, None
        if mode == "compiled":
            self.losses, self.call = torch.compile(self.losses), torch.compile(self.model)
        self.libraries = {
            "torch": torch.__version__,
            "instructions": torch.backends.cpu.get_cpu_capability(),
            "threads": torch.get_num_threads(),
        }
        if device == "cuda":
            self.libraries |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
        if job != "train":
            self.model.eval()
        elif mode == "graph":
            self.unit = self._captured_step()

    def train(self):
        """Take one training step."""
        self.optimiser.zero_grad(set_to_none=True)
        minimised, loss = self.losses(self.model, self.frames[:-1], self.frames[1:])
        (minimised / self.batch).backward()
        torch.nn.utils.clip_grad_value_(self.parameters, self.learning["clip"])
        self.optimiser.step()
        return loss.detach() / self.frames[1:].numel()

    @torch.inference_mode()
    def predict(self):
        """Predict the next frames of whole sequences."""
        return self.call(self.frames[:-1])[0].sigmoid_()

    @torch.inference_mode()
    def continue_stream(self):
        """Predict the frame that follows the next one."""
        frame = self.next_frame()
        logits, _, self.state = self.call(frame) if self.state is None else self.call(frame, self.state)
        return logits.sigmoid_()

    def synchronize(self):
        """Wait for the GPU."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def release_memory(self):
        """Release what only the warm-up needed, mainly for cuDNN's trials."""
        if self.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def peak_device_memory(self):
        """Return {"device": GPU memory in bytes of PyTorch's allocator}; empty on the CPU."""
        return {"device": torch.cuda.max_memory_reserved()} if self.device == "cuda" else {}

    def save_gradients(self, name):
        """Write the gradients with respect to the parameters into the folder; return the loss."""
        self.optimiser.zero_grad(set_to_none=True)
        minimised, loss = self.losses(self.model, self.frames[:-1], self.frames[1:])
        minimised.backward()
        write_arrays(self.folder / name, torch_models.gradients(self.model))
        return float(loss)

    def _captured_step(self):
        """Return the training step as a CUDA graph, recorded after a few steps on a separate stream."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.train()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.train()
        return graph.replay


if __name__ == "__main__":
    serve(TorchContestant)
