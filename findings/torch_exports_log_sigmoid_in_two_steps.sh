#!/bin/sh
# PyTorch 2.13 exports LogSigmoid, and the cross-entropy of logits, as a sigmoid and a logarithm: infinite below -18 in
# ONNX Runtime 1.32, where PyTorch is exact.
#
# torch.onnx.export (the exporter by torch.export) writes LogSigmoid as Sigmoid and Log, and
# binary_cross_entropy_with_logits with the same two, though PyTorch itself computes both so that they stay finite. ONNX
# Runtime's Sigmoid of float32 is off by half at -16 and 0 below about -18, where the true value, 1e-7 and less, is no
# problem for a float32. Seen with torch 2.13.0, onnxscript 0.7.2 and onnxruntime 1.32.0 (CPU), for the target 1:
#
#     x = -16: LogSigmoid -16.636 (PyTorch -16.0), cross-entropy 16.636 (16.0)
#     x = -20: LogSigmoid -inf (PyTorch -20.0), cross-entropy inf (20.0)
#     x = -100: LogSigmoid -inf (PyTorch -100.0), cross-entropy inf (100.0)
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q torch==2.13.0 onnxscript==0.7.2 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import sys

import onnxruntime
import torch

LOGITS = -16.0, -20.0, -100.0
x = torch.tensor([LOGITS])


class CrossEntropy(torch.nn.Module):
    def forward(self, logits):
        target = torch.ones_like(logits)
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")


def both(module):
    """Return what ONNX Runtime makes of the exported module, and PyTorch's own."""
    torch.onnx.export(module, (x,), "net.onnx", dynamo=True, verbose=False, external_data=False)
    session = onnxruntime.InferenceSession("net.onnx", providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
    return [[round(float(value), 3) for value in row.ravel()] for row in (found, module(x).numpy())]


log_sigmoid, log_here = both(torch.nn.LogSigmoid())
entropy, entropy_here = both(CrossEntropy())
for k, logit in enumerate(LOGITS):
    print(
        f"x = {logit:g}: LogSigmoid {log_sigmoid[k]} (PyTorch {log_here[k]}), "
        f"cross-entropy {entropy[k]} ({entropy_here[k]})"
    )
infinite = float("inf")
changed = (log_sigmoid, log_here, entropy) != (
    [-16.636, -infinite, -infinite],
    [-16.0, -20.0, -100.0],
    [16.636, infinite, infinite],
)
print("PyTorch", torch.__version__.split("+")[0], "has changed" if changed else "as before")
sys.exit(changed)
PYTHON
"$folder/venv/bin/python" show.py 2> errors.txt || { status=$?; cat errors.txt; exit $status; }
