#!/bin/sh
# onnx2torch 1.5.15 makes of an ONNX graph for inference a PyTorch network that trains: batch normalization differs.
#
# ONNX's BatchNormalization uses the means and variances in the file unless training_mode says otherwise. convert()
# returns the network in PyTorch's training mode, and the README calls it as it comes to compare it with ONNX Runtime:
# then the normalization takes the mean of the batch it is given, and each call overwrites what was stored. Networks
# whose exporter folded it into a convolution do not show it; one before a convolution, or after an activation, does.
# Likewise a ConvTranspose's output_shape is not looked at. Neither gives a warning. Seen with onnx2torch 1.5.15, torch
# 2.13.0, onnx 1.23.2 and onnxruntime 1.32.0: largest difference from ONNX Runtime, and shapes,
#
#     as converted: 3.67, stored mean before [3.0, 3.0] and after [2.67, 2.7]
#     after eval(): 0.00
#     transposed convolution to 8 x 8: onnxruntime 8 x 8, onnx2torch 9 x 9
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q \
    onnx2torch==1.5.15 torch==2.13.0 torchvision==0.28.0 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx2torch import convert

rng = np.random.default_rng(0)
frames = rng.standard_normal((1, 2, 4, 4)).astype(np.float32)


def network(node, weights):
    """Return a model of one node."""
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, frames.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def expected(model):
    """Return what ONNX Runtime computes."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": frames})[0]


def stored_mean(converted):
    """Return the mean in the network's normalization."""
    (mean,) = (value for name, value in converted.named_buffers() if name.endswith("running_mean"))
    return [round(number, 2) for number in mean.tolist()]


def difference(converted, right):
    """Return the largest difference of what PyTorch computes."""
    with torch.no_grad():
        return float(np.abs(converted(torch.from_numpy(frames)).numpy() - right).max())


node = helper.make_node("BatchNormalization", ["x", "scale", "bias", "mean", "variance"], ["y"])
model = network(node, {"scale": [1, 1], "bias": [0, 0], "mean": [3, 3], "variance": [1, 1]})
right, converted = expected(model), convert(model)
before = stored_mean(converted)
as_converted = difference(converted, right)
after = stored_mean(converted)
print(f"as converted: {as_converted:.2f}, stored mean before {before} and after {after}")
evaluated = difference(convert(model).eval(), right)
print(f"after eval(): {evaluated:.2f}")
as_before = as_converted > 1 > 1e-5 > evaluated and before == [3, 3] != after

# 4 pixels, stride 2 and a window of 3 make 9; output_shape says which padding takes one away.
node = helper.make_node("ConvTranspose", ["x", "kernel"], ["y"], strides=[2, 2], output_shape=[8, 8])
model = network(node, {"kernel": rng.standard_normal((2, 1, 3, 3))})
right = expected(model).shape[2:]
with torch.no_grad():
    other = tuple(convert(model).eval()(torch.from_numpy(frames)).shape[2:])
print(f"transposed convolution to 8 x 8: onnxruntime {right[0]} x {right[1]}, onnx2torch {other[0]} x {other[1]}")
as_before &= right == (8, 8) and other == (9, 9)
print("onnx2torch", version("onnx2torch"), "as before" if as_before else "has changed")
sys.exit(not as_before)
PYTHON
"$folder/venv/bin/python" show.py
