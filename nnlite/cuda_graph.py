"""A function of arrays as a CUDA graph: captured once, then launched as a whole.

A training step is thousands of small kernels, and launching them one by one from Python takes longer than
they run. While a stream captures, the GPU's work is not done but recorded, as a graph of kernels with their
arguments: sizes, numbers and addresses. Launching the graph does all of it at once, as often as needed, on
the current content of those addresses.

So the graph has memory of its own, a pool that nothing else allocates from: the inputs are copied into it,
the results are left in it, and all intermediate arrays keep their addresses.
"""

import itertools
from contextlib import contextmanager, suppress

from . import backend
from .ops import cupy_ops

#: Runs before the capture. The first compiles kernels and makes constants and buffers; the second reuses
#: them, as the captured run does.
WARM_UPS = 2


class StepGraph:
    """A function that runs a model on the GPU, captured when first called and replayed from then on.

    function(*inputs): takes arrays and returns a tuple of arrays, or of numbers that never change. It must
    not wait for the GPU nor copy from host memory, and whatever it depends on may change in place only.
    Its products go straight to cuBLAS (`ops.cupy_ops.use_cublas`).
    model: the module that it runs. It is captured anew when the inputs' shapes or dtypes, a module's mode, or
    the addresses of parameters, gradients and buffers change. Before that `function` runs several times,
    which leaves no trace in the model's buffers, such as running means.
    Errors: ValueError on the CPU, and for a model that continues the previous sequence (`remember`);
    RuntimeError, with the cause, when something in `function` cannot be captured.
    """

    def __init__(self, function, model):
        if model.device == "cpu":
            raise ValueError("CUDA graphs need a GPU: run with device 'cuda', or without them")
        self.function, self.model = function, model
        self._captured_for = self._pool = self._stream = self._graph = self._inputs = self._outputs = None

    def __call__(self, *inputs):
        """Return function(*inputs) by the graph, in arrays that the next call overwrites."""
        form = self._form(inputs)
        if self._captured_for != form:
            self._captured_for = None
            self._capture(inputs)
            self._captured_for = form
        for captured, new in zip(self._inputs, inputs):
            captured[...] = new
        self._graph.launch()
        return self._outputs

    @property
    def memory(self):
        """The bytes that the graph took from the GPU."""
        return 0 if self._pool is None else self._pool.total_bytes()

    def _form(self, inputs):
        """Return everything that must not change between capture and launch."""
        for x in inputs:
            if not backend.is_array(x):
                raise TypeError(f"the inputs of a CUDA graph must be arrays, got {type(x).__name__}")
        modules = self.model.list_modules()
        modes = [
            (*(getattr(module, name) for name in module.mode_names), getattr(module, "remembers", False))
            for module in modules
        ]
        arrays = [
            *itertools.chain(*self.model.parameters()),
            *(array for _, array in self.model.named_buffers()),
        ]
        return [(x.shape, x.dtype) for x in inputs], modes, [backend.pointer(array) for array in arrays]

    def _capture(self, inputs):
        """Make everything anew: memory, inputs, graph and outputs."""
        if any(getattr(module, "remembers", False) for module in self.model.list_modules()):
            raise ValueError("CUDA graphs start every sequence from zero: switch remember() off in the model")
        cupy = backend.array_module("cuda")
        buffers = [(buffer, buffer.copy()) for _, buffer in self.model.named_buffers()]
        # Another stream takes over, and an earlier graph may be running still.
        cupy.cuda.get_current_stream().synchronize()
        self._graph = self._inputs = self._outputs = None
        self._pool, self._stream = cupy.cuda.MemoryPool(), cupy.cuda.Stream(non_blocking=True)
        # Buffers that modules keep for their next call must be made again in this pool: memory of another
        # would be reused as soon as a module, but not the graph, has released it.
        self.model.clear_state()
        used_cublas = cupy_ops.use_cublas(True)
        try:
            with self._stream, cupy.cuda.using_allocator(self._pool.malloc):
                self._inputs = [x.copy() for x in inputs]
                for _ in range(WARM_UPS):
                    self.function(*self._inputs)
                self._stream.synchronize()
                self._graph, self._outputs = self._record(cupy)
        finally:
            cupy_ops.use_cublas(used_cublas)
        for buffer, kept in buffers:
            buffer[...] = kept

    def _record(self, cupy):
        """Return the graph of one run and what it returned."""
        self._stream.begin_capture()
        try:
            with _no_uploads(cupy):
                outputs = self.function(*self._inputs)
            return self._stream.end_capture(), outputs
        except BaseException as error:
            with suppress(cupy.cuda.runtime.CUDARuntimeError):  # if the error has ended the capture already
                self._stream.end_capture()
            self.model.clear_state()  # nothing of it was computed
            if not isinstance(error, Exception):
                raise
            raise RuntimeError(f"{self.model.name} cannot be captured as a CUDA graph: {error}") from error


@contextmanager
def _no_uploads(cupy):
    """Return a context in which every copy from host memory raises RuntimeError.

    A graph would copy again at each launch, from an address that by then holds something else. CuPy does not
    object, but it takes page-locked memory for each such copy.
    """

    def refuse(size):
        raise RuntimeError(f"{size} bytes of host memory were to be copied to the GPU")

    cupy.cuda.set_pinned_memory_allocator(refuse)
    try:
        yield
    finally:
        cupy.cuda.set_pinned_memory_allocator(cupy.get_default_pinned_memory_pool().malloc)
