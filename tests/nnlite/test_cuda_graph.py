"""Steps as CUDA graphs, on a double of CuPy that notes what a stream captures and does it at each launch.

Where there is a GPU, all is done there as well.
"""

import numpy as np
import pytest

import nnlite as nn
from nnlite import backend
from nnlite.benchmarks.gpu.agreement import moved
from nnlite.cuda_graph import WARM_UPS, StepGraph
from nnlite.ops import cupy_ops

pytestmark = pytest.mark.usefixtures("library")


class Step:
    """Output and parameter gradients of a model, the loss being half the square of the output."""

    def __init__(self, *modules):
        self.model = nn.Sequential(*modules).cuda()
        self.runs, self.also = 0, lambda: None

    def __call__(self, x):
        self.runs += 1
        self.model.zero_grad_parameters()
        y = self.model.forward(x)
        self.also()
        self.model.backward(x, y)
        return (y,)

    def graph(self):
        return StepGraph(self, self.model)


def drawn(*shape, dtype=np.float32):
    return moved(np.random.default_rng(shape).standard_normal(shape).astype(dtype), "cuda")


def linear():
    nn.manual_seed(5)
    return Step(nn.Linear(3, 4), nn.Tanh())


def test_it_is_captured_once_and_does_the_same():
    step = linear()
    graph = step.graph()
    for seed in range(3):
        x = drawn(5, 3) * (seed + 1)
        (y,) = graph(x)
        y, gradient = y.get(), step.model[0].grad_weight.get()
        assert step.runs == WARM_UPS + 1
        cupy_ops.use_cublas()
        (expected,) = linear()(x)
        np.testing.assert_array_equal(y, expected.get())
        twin = linear()
        twin(x)
        np.testing.assert_array_equal(gradient, twin.model[0].grad_weight.get())
    assert graph.memory > 0


def test_inputs_are_copied_and_results_stay_in_one_place():
    graph, x = linear().graph(), drawn(5, 3)
    before = x.get()
    (first,), (second,) = graph(x), graph(x + 1)
    assert first is second
    np.testing.assert_array_equal(x.get(), before)


@pytest.mark.parametrize(
    "change",
    [
        lambda step: drawn(6, 3),
        lambda step: step.model.evaluate(),
        lambda step: step.model.get_parameters(),
        lambda step: step.model.double() and drawn(5, 3).astype(np.float64),
    ],
)
def test_what_makes_it_captured_anew(change):
    step = linear()
    graph, x = step.graph(), drawn(5, 3)
    graph(x)
    changed = change(step)
    x = changed if isinstance(changed, type(x)) else x
    for _ in range(2):
        (y,) = graph(x)
    assert step.runs == 2 * (WARM_UPS + 1)
    np.testing.assert_allclose(y.get(), step.model.forward(x).get(), rtol=1e-6)


class Switched(nn.MulConstant):
    """A module with a mode of its own."""

    mode_names = (*nn.Module.mode_names, "doubled")
    doubled = False

    def update_output(self, input):
        self.output = super().update_output(input) * (2 if self.doubled else 1)
        return self.output


def test_a_mode_of_a_module_makes_it_captured_anew():
    step = Step(Switched(1.5))
    graph, x = step.graph(), drawn(5, 3)
    graph(x)
    step.model[0].doubled = True
    (y,) = graph(x)
    np.testing.assert_allclose(y.get(), 3 * x.get(), rtol=1e-6)
    assert step.runs == 2 * (WARM_UPS + 1)


def test_the_weights_may_change_in_place():
    step = linear()
    graph, x = step.graph(), drawn(5, 3)
    graph(x)
    step.model[0].weight *= 2
    (y,) = graph(x)
    assert step.runs == WARM_UPS + 1
    np.testing.assert_allclose(y.get(), step.model.forward(x).get(), rtol=1e-6)


def test_running_means_change_as_by_one_run():
    graphed, plain = (Step(nn.BatchNormalization(3)) for _ in range(2))
    graph = graphed.graph()
    for k in range(3):
        graph(drawn(5, 3) + k)
        plain(drawn(5, 3) + k)
        for (path, mine), (_, other) in zip(graphed.model.named_buffers(), plain.model.named_buffers()):
            np.testing.assert_allclose(mine.get(), other.get(), rtol=1e-6, err_msg=path)


def test_what_modules_keep_may_go():
    """The grid's constant is older than the graph, and is dropped before the graph reads it again."""
    step = Step(nn.AffineGridGeneratorOpticalFlow2D(3, 4))
    graph, x = step.graph(), drawn(2, 3, 4)
    expected = step.model.forward(x).get()
    for _ in range(2):
        np.testing.assert_array_equal(graph(x)[0].get(), expected)
        step.model.clear_state()


def waits():
    step = linear()
    step.also = lambda: float(step.model.output.sum())
    return step


def multiplies_by_cupy():
    step = linear()
    step.also = lambda: step.model.output @ step.model.output.T
    return step


@pytest.mark.parametrize(
    "make, message",
    [
        (waits, "nn.Sequential cannot be captured as a CUDA graph: the current stream is capturing"),
        (multiplies_by_cupy, "cannot be captured .* calling cuBLAS API"),
        (lambda: Step(nn.Dropout()), "cannot be captured .* 60 bytes of host memory were to be copied"),
    ],
)
def test_what_cannot_be_captured(make, message):
    """It is said why, and everything works afterwards."""
    step = make()
    graph, x = step.graph(), drawn(5, 3)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=message):
            graph(x)
    cupy = backend.array_module("cuda")
    assert not graph._stream.is_capturing()
    assert cupy_ops.use_cublas(False) is False
    cupy.asarray(np.ones(3))  # an upload
    step.also = lambda: None
    step.model.evaluate()  # without it Dropout would fail again
    np.testing.assert_allclose(graph(x)[0].get(), step.model.forward(x).get(), rtol=1e-6)


def test_an_interruption_gets_through():
    step = linear()

    def interrupt():
        if step.runs == WARM_UPS + 1:
            raise KeyboardInterrupt

    step.also = interrupt
    graph = step.graph()
    with pytest.raises(KeyboardInterrupt):
        graph(drawn(5, 3))
    step.also = lambda: None
    assert np.isfinite(graph(drawn(5, 3))[0].get()).all()


def test_what_is_refused():
    with pytest.raises(ValueError, match="CUDA graphs need a GPU: run with device 'cuda', or without them"):
        StepGraph(None, nn.Linear(2, 2))
    with pytest.raises(TypeError, match="must be arrays, got list"):
        linear().graph()([drawn(5, 3)])
    step = Step(nn.SeqLSTM(3, 4))
    graph = step.graph()
    graph(drawn(2, 5, 3))
    step.model[0].remember("train")
    with pytest.raises(ValueError, match=r"start every sequence from zero: switch remember\(\) off"):
        graph(drawn(2, 5, 3))
    step.model[0].remember("eval")
    graph(drawn(2, 5, 3))
