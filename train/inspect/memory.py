"""Gates and cell of a memory over time, and the loss's derivatives with respect to each of them (eq. 1)."""

import numpy as np

import nnlite as nn
from nnlite.layers.activation import sigmoid
from nnlite.recurrent.sequence_module import LSTMSequence

#: Symbols of eq. 1, with their names.
QUANTITIES = {
    "i": "input gate",
    "f": "forget gate",
    "g": "candidate c̃",
    "o": "output gate",
    "c": "cell",
    "h": "output",
}
#: What `ConvLSTM` calls its gates.
PARTS = {"i": "input_gate", "f": "forget_gate", "g": "cell_gate", "o": "output_gate"}


def memories(trace):
    """Return [(path, values, derivatives)] of every memory that ran under the trace.

    Both are {symbol of `QUANTITIES`: array (T, ...)}, without the batch dimension. Derivatives are those of
    the loss with respect to the value itself, not to its pre-activation.
    """
    results = []
    for path, module in trace.modules.items():
        if isinstance(module, LSTMSequence) and trace.select(path, "update_grad_input"):
            results.append((path, *_unrolled(module, trace, path)))
        elif isinstance(module, nn.ConvLSTM) and trace.select(path, "update_grad_input"):
            results.append((path, *_assembled(module, trace, path)))
    return [
        (path, *({s: a[:, 0] for s, a in arrays.items()} for arrays in (values, derivatives)))
        for path, values, derivatives in results
    ]


def _unrolled(module, trace, path):
    """Compute the gates of a module that runs the whole sequence, from its input, output and parameters.

    Both passes are repeated here, since the module's own backward pass works in place: it overwrites the
    gates and their gradients before anything else can see them. Forward is eq. 1; backward is

        δc = dcₜ + dh ⊙ o ⊙ (1 - tanh² c),  do = dh ⊙ tanh c,  di = δc ⊙ c̃,  dc̃ = δc ⊙ i,  df = δc ⊙ cₜ₋₁,
        dcₜ₋₁ = δc ⊙ f,  and with the pre-activations z, dz = (slope) ⊙ d(gate),  dhₜ₋₁ = gₜ₋₁ + Uᵀ dz.
    """
    x, h = trace.select(path, "update_output")[-1].input.array, module.output
    g_h = trace.select(path, "update_grad_input")[-1].grad_output.array
    o2g = module.o2g.clone()
    z, previous = module.i2g.clone(), np.zeros_like(h[0])
    values = {symbol: np.empty_like(h) for symbol in QUANTITIES}
    cell = np.zeros_like(h[0])
    for t, step in enumerate(x):
        rows = np.split(z.forward(step) + o2g.forward(previous), 4, axis=1)
        i, g, f, o = sigmoid(rows[0]), np.tanh(rows[1]), sigmoid(rows[2]), sigmoid(rows[3])
        cell = i * g + f * cell
        previous = o * np.tanh(cell)
        for symbol, array in zip("igfoch", (i, g, f, o, cell, previous)):
            values[symbol][t] = array

    derivatives = {symbol: np.zeros_like(h) for symbol in QUANTITIES}
    from_next, dc = np.zeros_like(h[0]), np.zeros_like(h[0])
    for t in reversed(range(len(x))):
        i, g, f, o, c = (values[symbol][t] for symbol in "igfoc")
        before_c = values["c"][t - 1] if t else np.zeros_like(c)
        before_h = values["h"][t - 1] if t else np.zeros_like(c)
        dh, tanh_c = g_h[t] + from_next, np.tanh(c)
        dc = dc + dh * o * (1 - tanh_c**2)
        di, dg, df, do = dc * g, dc * i, dc * before_c, dh * tanh_c
        for symbol, array in zip("igfoch", (di, dg, df, do, dc, dh)):
            derivatives[symbol][t] = array
        dz = [di * i * (1 - i), dg * (1 - g**2), df * f * (1 - f), do * o * (1 - o)]
        o2g.forward(before_h)
        from_next = o2g.update_grad_input(before_h, np.concatenate(dz, axis=1)).copy()
        dc = dc * f
    return values, derivatives


def _assembled(module, trace, path):
    """Collect the gates of a memory made of containers from their calls in the trace."""
    steps = len(trace.select(path, "update_output"))
    first = module.outputs[0]
    values, derivatives = (
        {symbol: np.zeros((steps, *first.shape), first.dtype) for symbol in QUANTITIES} for _ in range(2)
    )
    for t in range(steps):
        for symbol, part in PARTS.items():
            for name in (part, f"{part}_untied"):  # at an untied first step nothing is forgotten
                for call in trace.select(f"{path}.{name}", step=t):
                    if call.output:
                        values[symbol][t] = call.output.array
                    if call.grad_output and call.grad_input:
                        derivatives[symbol][t] = call.grad_output.array
        h, c = module.outputs[t], module.cells[t]
        dh, from_next = module.grad_states[t]
        values["h"][t], values["c"][t] = h, c
        derivatives["h"][t] = dh
        derivatives["c"][t] = from_next + dh * values["o"][t] * (1 - np.tanh(c) ** 2)
    return values, derivatives
