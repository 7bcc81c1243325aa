#!/bin/sh
# OpenVINO 2026.4 reads an ONNX LSTM without its peepholes and without input_forget, and says nothing.
#
# ONNX's LSTM has an optional input P, weights from the cell to the gates i, o and f, as Torch7's LSTM and Shi et
# al.'s ConvLSTM have them, and the attribute input_forget, which makes the forget gate 1 - i. OpenVINO's importer takes
# neither: the network compiles, and its outputs are to the bit those of an LSTM without them. ONNX Runtime
# 1.32 computes both. Seen with openvino 2026.4.0, onnxruntime 1.32.0 and onnx 1.23.2, the largest difference from the
# formula in float64 over four steps of two sequences:
#
#     no peepholes: onnxruntime 1e-07, openvino 1e-07; openvino as without: True
#     peepholes: onnxruntime 8e-08, openvino 0.6; openvino as without: True
#     input_forget: onnxruntime 2e-07, openvino 0.7; openvino as without: True
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q openvino==2026.4.0 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$folder"
cat > show.py <<'PYTHON'
import sys

import numpy as np
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper

STEPS, BATCH, INPUTS, CELLS = 4, 2, 3, 5
rng = np.random.default_rng(0)


def drawn(*shape):
    return rng.standard_normal(shape).astype(np.float32)


x = drawn(STEPS, BATCH, INPUTS)
weights = {
    "W": drawn(1, 4 * CELLS, INPUTS),
    "R": drawn(1, 4 * CELLS, CELLS),
    "B": drawn(1, 8 * CELLS),
    "h": drawn(1, BATCH, CELLS),
    "c": drawn(1, BATCH, CELLS),
    "P": drawn(1, 3 * CELLS),
}


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def formula(peepholes, coupled):
    """Return the outputs in float64 by the definition of ONNX's operator."""
    w, r, b = (weights[name][0].astype(float) for name in "WRB")
    h, c = (weights[name][0].astype(float) for name in "hc")
    p_i, p_o, p_f = weights["P"].reshape(3, CELLS).astype(float) * peepholes
    outputs = []
    for frame in x.astype(float):
        i, o, f, g = np.split(frame @ w.T + h @ r.T + b[: 4 * CELLS] + b[4 * CELLS :], 4, axis=1)
        i = sigmoid(i + p_i * c)
        f = 1 - i if coupled else sigmoid(f + p_f * c)
        c = f * c + i * np.tanh(g)
        h = sigmoid(o + p_o * c) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs)


def outputs(peepholes, coupled):
    """Return the outputs of both runtimes."""
    names = ["x", "W", "R", "B", "", "h", "c"] + ["P"] * peepholes
    node = helper.make_node("LSTM", names, ["y"], hidden_size=CELLS, input_forget=int(coupled))
    graph = helper.make_graph(
        [node],
        "lstm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (STEPS, 1, BATCH, CELLS))],
        [numpy_helper.from_array(weights[name], name) for name in names[1:] if name],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    content = model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    with open("lstm.onnx", "wb") as file:
        file.write(content)
    core = openvino.Core()
    precise = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model("lstm.onnx"), "CPU", precise)
    return session.run(None, {"x": x})[0][:, 0], compiled([x])[compiled.output(0)][:, 0]


plain = outputs(False, False)[1]
as_before = True
for title, choice in {"no peepholes": (0, 0), "peepholes": (1, 0), "input_forget": (0, 1)}.items():
    both, expected = outputs(*choice), formula(*choice)
    runtime, vino = (float(abs(found - expected).max()) for found in both)
    same = bool((both[1] == plain).all())
    print(f"{title}: onnxruntime {runtime:.0e}, openvino {vino:.1g}; openvino as without: {same}")
    as_before &= runtime < 1e-5 and same and (vino > 0.1) == any(choice)
print("OpenVINO", openvino.__version__.split("-")[0], "as before" if as_before else "has changed")
sys.exit(not as_before)
PYTHON
"$folder/venv/bin/python" show.py
