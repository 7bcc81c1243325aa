"""Whether a GPU computes what the CPU computes: every case that gradients are checked of, run on both."""

from contextlib import ExitStack
from functools import cache
from unittest.mock import patch

import numpy as np

import nnlite as nn
from nnlite import backend, gradcheck_cases, table
from nnlite.gradcheck_cases import inputs
from nnlite.models import gradcheck_cases as model_cases
from nnlite.random import default_generator

#: The largest difference allowed, over the largest entry of an array (but at least over LEAST). A GPU adds up
#: in another order and has another tanh.
TOLERANCE = {"float32": 1e-4, "float64": 1e-10}
LEAST = 0.05


@cache
def cases():
    """Return {label: function} of all modules, criteria and models; see `arguments`."""
    return dict([*gradcheck_cases.cases(), *model_cases.cases()])


def arguments(label):
    """Return what a case checks: a module and its input, or a criterion, its input and its target."""
    with ExitStack() as patches:
        for place in (inputs, model_cases):
            for check in ("check_module", "check_criterion"):
                patches.enter_context(patch.object(place, check, lambda *found, **_: found))
        return cases()[label]()


def differences(label, dtype):
    """Return {what: the largest difference between the devices} of outputs, losses and gradients of a case.

    dtype: "float32" or "float64". ValueError where a result lies on the wrong device, or has another shape or
    dtype than on the CPU.
    """
    tested, *given = arguments(label)
    run = _criterion_passes if isinstance(tested, nn.Criterion) else passes
    twin = tested if isinstance(tested, nn.Criterion) else tested.clone()
    if isinstance(tested, nn.SpatialMaxUnpooling):
        twin.pooling.indices = backend.asarray(tested.pooling.indices, device="cuda")
    here, there = (
        run(part, *given, device, np.dtype(dtype)) for part, device in ((tested, "cpu"), (twin, "cuda"))
    )
    return {what: _largest(array, there[what], what) for what, array in here.items()}


def moved(x, device, dtype=np.float32):
    """Return an array or a table of arrays on a device, floats as `dtype`; anything else as it is."""
    if isinstance(x, list | tuple):
        return [moved(entry, device, dtype) for entry in x]
    if not isinstance(x, np.ndarray):
        return x
    return backend.asarray(x, dtype if x.dtype.kind == "f" else x.dtype, device)


def passes(module, input, device, dtype=np.float32):
    """Return output, grad_input and the parameters' gradients of one pass back and forth, by name."""
    module.type(dtype, device)
    input = moved(input, device, dtype)
    default_generator.manual_seed(0)
    output = module.forward(input)
    found = {"output": [y.copy() for y in table.leaves(output)]}
    rng = np.random.default_rng(1)
    grads = [moved(rng.standard_normal(y.shape), device, dtype) for y in found["output"]]
    module.zero_grad_parameters()
    found["grad_input"] = module.backward(input, table.fill(output, iter(grads)))
    return found | {path: grad for path, _, grad in module.named_parameters()}


def _criterion_passes(criterion, input, target, device, dtype):
    """Return the loss and the gradient of a criterion."""
    given = moved([input, target], device, dtype)
    loss = criterion.forward(*given)
    if device == "cuda" and backend.device_of(loss) != "cuda":
        raise ValueError("the loss is not on the GPU: a training step would wait for it")
    return {"loss": np.asarray(loss) if device == "cpu" else loss, "grad_input": criterion.backward(*given)}


def _largest(cpu, gpu, what):
    """Return the largest difference between arrays, or tables of arrays, over the largest entry."""
    errors = [0.0]
    for a, b in zip(table.leaves(cpu), table.leaves(gpu), strict=True):
        if backend.device_of(b) != "cuda" or b.shape != a.shape:
            raise ValueError(f"{what}: expected {a.shape} on the GPU, got {b.shape}, {backend.device_of(b)}")
        if what != "loss" and b.dtype != a.dtype:
            raise ValueError(f"{what}: expected {a.dtype}, got {b.dtype}")
        scale = max(float(np.abs(a).max(initial=0)), LEAST)
        error = float(np.abs(b.get() - a).max(initial=0)) / scale
        errors.append(error if np.isfinite(error) else np.inf)
    return max(errors)


def pieces(toy):
    """Yield (name, function that returns its row) of every case in float32, then in float64."""
    labels = list(cases())[::150] if toy else list(cases())
    for dtype in TOLERANCE:
        for label in labels:
            yield f"{label}, {dtype}", lambda _, label=label, dtype=dtype: _row(label, dtype)


def _row(label, dtype):
    errors = differences(label, dtype)
    worst = max(errors, key=errors.get)
    row = {"worst": worst, "error": errors[worst], "allowed": TOLERANCE[dtype]}
    return row | ({} if errors[worst] <= TOLERANCE[dtype] else {"wrong": True})
