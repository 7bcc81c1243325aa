#!/bin/sh
# ONNX Runtime 1.32's GridSample is wrong for positions far outside the picture, where a diverging flow points.
#
# With padding_mode border a position outside has the value of the nearest pixel of the border, however far it
# is. ONNX Runtime returns 0 for bilinear sampling from about 1e8 on, where a float32 has no room for the next
# pixel's place and both weights are 0. With padding_mode zeros it returns 0 up to 1e18, but from 5e18 on, where a pixel's
# place no longer fits into 64 bits, the first pixel of the row or column, and so it does with border. PyTorch 2.13 and
# OpenVINO 2026.4 do neither. Seen with onnxruntime 1.32.0 (CPU) and onnx 1.23.2, a picture of 4x4 pixels 1 to 16, whose
# middle row ends with 10 (the mean of 8 and 12) and starts with 7:
#
#     border, x = 1e+03: 10.0
#     border, x = 1e+09: 0.0
#     border, x = 1e+20: 7.0
#     zeros, x = 1e+03: 0.0
#     zeros, x = 1e+09: 0.0
#     zeros, x = 1e+20: 7.0
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import sys

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

picture = np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4)


def sampled(padding, x):
    """Return the value at (x, 0), the middle of the rows."""
    node = helper.make_node(
        "GridSample", ["picture", "grid"], ["y"], mode="linear", padding_mode=padding, align_corners=1
    )
    inputs = [
        helper.make_tensor_value_info("picture", TensorProto.FLOAT, (1, 1, 4, 4)),
        helper.make_tensor_value_info("grid", TensorProto.FLOAT, (1, 1, 1, 2)),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 1, 1, 1))
    graph = helper.make_graph([node], "sample", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    grid = np.array([[[[x, 0]]]], np.float32)
    return float(session.run(None, {"picture": picture, "grid": grid})[0].item())


found = []
for padding in ("border", "zeros"):
    for x in (1e3, 1e9, 1e20):
        found.append(sampled(padding, x))
        print(f"{padding}, x = {x:.0e}: {found[-1]}")
changed = found != [10.0, 0.0, 7.0, 0.0, 0.0, 7.0]
print("ONNX Runtime", onnxruntime.__version__, "has changed" if changed else "as before")
sys.exit(changed)
PYTHON
"$folder/venv/bin/python" show.py
