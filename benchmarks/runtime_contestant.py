"""ONNX Runtime and OpenVINO on a model that PyTorch has exported, run in their own process."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from nnlite.benchmarks import torch_models
from nnlite.benchmarks.contestant import Contestant, serve
from nnlite.ops.cores import available_cores


class RuntimeContestant(Contestant):
    """Inference with the parameters and frames in a folder; variant: "onnxruntime" or "openvino".

    The other arguments are those of NnliteContestant. The network is exported in two forms, one that starts
    from a state of zero and one that continues.
    """

    def __init__(self, job, model, device, folder, learning, variant):
        super().__init__(job)
        folder = Path(folder)
        self.frames = np.load(folder / "frames.npz")["frames"]
        self.cores = available_cores()
        network = torch_models.build(model, *self.frames.shape[-2:]).eval()
        with np.load(folder / "parameters.npz") as saved:
            torch_models.load_parameters(network, dict(saved))
        x = torch.from_numpy(self.frames[:1, :1] if job == "stream" else self.frames[:-1])
        with torch.no_grad():
            state = _flat(network(x)[2])
        load = self._onnxruntime if variant == "onnxruntime" else self._openvino
        self.start, self.state = load(_export(_Flat(network), (x,), folder / f"{variant}.onnx")), None
        if job == "stream":
            path = _export(_Flat(network), (x, *state), folder / f"{variant}-next.onnx")
            self.follow = load(path)

    def predict(self):
        """Predict the next frames of whole sequences."""
        return self.start([self.frames[:-1]])[0]

    def continue_stream(self):
        """Predict the frame that follows the next one."""
        frame = self.next_frame()
        run = self.start if self.state is None else self.follow
        prediction, *self.state = run([frame, *(self.state or [])])
        return prediction

    def train(self):
        """Training is not measured."""

    def synchronize(self):
        """Nothing to wait for on the CPU."""

    def release_memory(self):
        """Nothing to release."""

    def peak_device_memory(self):
        """Nothing but host memory on the CPU."""
        return {}

    def _onnxruntime(self, path):
        import onnxruntime

        self.libraries = {"onnxruntime": onnxruntime.__version__, "threads": self.cores}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.cores
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        names = [entry.name for entry in session.get_inputs()]
        return lambda arrays: session.run(None, dict(zip(names, arrays, strict=True)))

    def _openvino(self, path):
        import openvino

        self.libraries = {"openvino": openvino.__version__, "threads": self.cores}
        core = openvino.Core()
        exact = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self.cores,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        request = core.compile_model(core.read_model(path), "CPU", exact).create_infer_request()

        def run(arrays):
            results = request.infer(arrays, share_inputs=True)
            return [results[i].copy() for i in range(len(results))]

        return run


class _Flat(nn.Module):
    """A model with its state as further arguments and results in place of nested tuples."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, frames, *state):
        if not state:
            logits, _, new = self.model(frames)
        elif isinstance(self.model, torch_models.AEConvLSTM):
            logits, _, new = self.model(frames, (state[:2], state[2:]))
        else:
            logits, _, new = self.model(frames, state)
        return (logits.sigmoid(), *_flat(new))


def _flat(state):
    """Return all arrays of a state, one tuple inside another or not, in order."""
    return [state] if isinstance(state, torch.Tensor) else [array for part in state for array in _flat(part)]


def _export(model, arguments, path):
    torch.onnx.export(model, arguments, str(path), dynamo=False, opset_version=20)
    return str(path)


if __name__ == "__main__":
    serve(RuntimeContestant)
