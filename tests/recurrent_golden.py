"""Runs recorded cases of recurrent modules, sequence by sequence or step by step."""

import numpy as np

from tests import golden_cases as golden


def check_sequences(case, sequencer, module, forget_between=False, group="c_rnn", rtol=1e-10):
    """Feed the recorded sequences seq1, seq2, ... one after the other and compare everything recorded."""
    recorded = golden.load(group, case)
    k = 1
    while f"seq{k}" in recorded:
        check_sequence(recorded[f"seq{k}"], sequencer, module, f"{case} seq{k}", rtol)
        if forget_between:
            sequencer.forget()
        k += 1
    assert k > 2, f"{case} has no two sequences"
    return recorded


def check_sequence(seq, sequencer, module, what, rtol=1e-10):
    """Run one recorded sequence: outputs, cells, step counter, input and parameter gradients."""
    golden.assert_close(sequencer.forward(seq["input"]), seq["output"], rtol, f"{what} output")
    steps = range(module.step - len(seq["input"]), module.step)
    if "cell" in seq:
        golden.assert_close([module.cells[t] for t in steps], seq["cell"], rtol, f"{what} cell")
    if "module_step_after" in seq:
        assert module.step == seq["module_step_after"] - 1, what  # Torch7 counts from 1
    sequencer.zero_grad_parameters()
    grad_input = sequencer.backward(seq["input"], seq["gradOutput"])
    golden.assert_close(grad_input, seq["gradInput"], rtol, f"{what} gradInput")
    golden.assert_grad_parameters(module, seq["gradParams"], rtol, f"{what} gradParams")


def run_steps(module, inputs):
    """Return copies of the outputs of `module` fed step by step."""
    return [module.forward(x).copy() for x in inputs]


def back_steps(module, inputs, grad_outputs):
    """Go back through all steps; return copies of the input gradients in the order of time."""
    steps = list(zip(inputs, grad_outputs))[::-1]
    return [module.backward(x, g).copy() for x, g in steps][::-1]


def noise(*shape, seed=0, dtype=np.float64):
    """Return standard normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)
