"""The kernels of a training step alone, each beside the time that its bytes or its operations need at least.

What the machine can do is measured on the spot: bytes a second of a large copy, and operations a second of a
large matrix product, exact and with TF32. The sizes are those of AE-ConvLSTM-flow. For products, `estimate`
is what `nnlite.ops.cost_gpu` expects, whose rates nobody has measured: compare the two.
"""

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import numpy as np

from nnlite import backend, optim
from nnlite.ops import convolution, cost_gpu, cupy_ops, get_ops, spectral
from nnlite.ops.tiles import Tiling

#: Of a measurement: calls before it, and how long and how often at least it is repeated.
WARM_UP, LEAST_SECONDS, LEAST_CALLS = 2, 0.02, 5

#: How often a graph is launched before the GPU is waited for.
LAUNCHES = 3


#: (n_in, n_out, kernel, scale of the side) of the convolutions outside the memory.
LAYERS = {
    "encoder 1 -> 16, 7x7": (1, 16, 7, 2),
    "decoder 16 -> 1, 7x7": (16, 1, 7, 2),
    "flow 64 -> 2, 15x15": (64, 2, 15, 1),
    "SegNet 64 -> 64, 7x7": (64, 64, 7, 2),
}


@dataclass(frozen=True)
class Sizes:
    """Images of a batch, time steps, side and channels of the memory's maps, entries of large arrays."""

    batches: tuple = (8, 16, 64, 128)
    steps: int = 10
    side: int = 32
    channels: tuple = (16, 64)
    large: int = 1 << 28
    product: int = 8192
    parameters: int = 1 << 20
    layers: tuple = tuple(LAYERS.items())


TOY = Sizes((2,), 2, 12, (2, 3), 1 << 10, 16, 1 << 10, (("toy 2 -> 3, 3x3", (2, 3, 3, 1)),))


def pieces(toy):
    """Yield (name, function that returns its row) of the rates, then of every kernel."""
    sizes = TOY if toy else Sizes()
    rates = {}
    yield "rate of copies", lambda _: _keep(rates, "bytes", _copy_rate(sizes))
    for tf32 in (False, True):
        name = "TF32" if tf32 else "float32"
        yield f"rate of products, {name}", lambda _, t=tf32, n=name: _keep(rates, n, _product_rate(sizes, t))
    for batch in sizes.batches:
        yield from _pointwise(sizes, batch, rates)
    yield from _optimisers(sizes, rates)
    for tf32 in (False, True):
        for batch in sizes.batches:
            yield from _memories(sizes, batch, tf32, rates)
            if batch in sizes.batches[1::2] or len(sizes.batches) == 1:
                yield from _convolutions(sizes, batch, tf32, rates)


def seconds_of(function):
    """Return the median time of a call on the GPU."""
    for _ in range(WARM_UP):
        function()
    found, start = [], _now()
    while len(found) < LEAST_CALLS or _now() - start < LEAST_SECONDS:
        before = _now()
        function()
        found.append(_now() - before)
    return median(found)


def graph_seconds_of(function):
    """Return the median time of a call as a CUDA graph: without what Python takes to launch its kernels."""
    cupy = backend.array_module("cuda")
    cupy.cuda.get_current_stream().synchronize()
    pool, stream = cupy.cuda.MemoryPool(), cupy.cuda.Stream(non_blocking=True)
    with stream, cupy.cuda.using_allocator(pool.malloc):
        for _ in range(max(WARM_UP, 1)):  # constants and kernels are made in the first
            function()
        stream.synchronize()
        stream.begin_capture()
        try:
            function()
        finally:
            graph = stream.end_capture()

        def launch():
            for _ in range(LAUNCHES):
                graph.launch()

        return seconds_of(launch) / LAUNCHES


def _now():
    backend.synchronize("cuda")
    return time.perf_counter()


@contextmanager
def _products(tf32):
    """Return a context in which products go straight to cuBLAS, and may round to TF32 or not."""
    before, straight = os.environ.get("CUPY_TF32"), cupy_ops.use_cublas(True)
    os.environ["CUPY_TF32"] = "1" if tf32 else "0"
    try:
        yield
    finally:
        cupy_ops.use_cublas(straight)
        if before is None:
            del os.environ["CUPY_TF32"]
        else:
            os.environ["CUPY_TF32"] = before


def _keep(rates, name, rate):
    rates[name] = rate
    return {"rate": rate, "unit": "bytes/s" if name == "bytes" else "operations/s"}


def _copy_rate(sizes):
    x = backend.array_module("cuda").ones(sizes.large, np.float32)
    y = x.copy()
    return 2 * x.nbytes / seconds_of(lambda: y.__setitem__(slice(None), x))


def _product_rate(sizes, tf32):
    n = sizes.product
    x = backend.array_module("cuda").ones((n, n), np.float32)
    out = x.copy()
    with _products(tf32):
        return 2 * n**3 / seconds_of(lambda: get_ops(x).matmul(x, x, out=out))


def _limited(rates, function, size=0, operations=0, product="float32", estimate=None):
    """Return the row of a kernel that reads and writes `size` bytes and makes `operations`."""
    seconds = graph_seconds_of(function)
    limit = {}
    if "bytes" in rates and size:
        limit["bytes"] = size / rates["bytes"]
    if product in rates and operations:
        limit["operations"] = operations / rates[product]
    row = {"seconds": seconds, "limit": max(limit.values(), default=None)}
    row["limited by"] = max(limit, key=limit.get) if limit else None
    return row | ({} if estimate is None else {"estimate": estimate})


# ---- what only moves numbers -------------------------------------------------------------------------------


def _pointwise(sizes, batch, rates):
    """Yield the pieces of the gates and of the copies between images and tiles."""
    _, n_out = sizes.channels
    xp, shape = backend.array_module("cuda"), (sizes.side**2, n_out, batch)

    def ones(*shape):
        return xp.ones(shape, np.float32)

    def gates(backward):
        a, (c_before, c, h, dc) = ones(shape[0], 4 * n_out, batch), ones(4, *shape)
        ops = get_ops(xp)
        if backward:  # reads a, c before, c, dh, dc; writes a, dc
            return _limited(rates, lambda: ops.gates_backward(a, c_before, c, h, dc), 13 * c.nbytes)
        return _limited(rates, lambda: ops.gates_forward(a, c_before, c, h), 11 * c.nbytes)

    def tiles(name):
        halo, tile = 3, -(-sizes.side // 2)
        tiling = Tiling(batch, sizes.side, sizes.side, tile, (halo, halo), (halo, halo))
        small, x = ones(tile, tile, n_out, tiling.batch), ones(batch, n_out, sizes.side, sizes.side)
        u = ones(tile + 2 * halo, tile + 2 * halo, n_out, tiling.batch)
        function = getattr(get_ops(xp), name)
        arrays = {
            "to_tiles": (x, small),
            "from_tiles": (small, x),
            "gather_halo": (small, u),
            "overlap_add": (u, small),
        }[name]
        return _limited(rates, lambda: function(tiling, *arrays), sum(array.nbytes for array in arrays))

    for backward in (False, True):
        name = f"gates, {'backward' if backward else 'forward'}, batch {batch}"
        yield name, lambda _, b=backward: gates(b)
    for name in ("to_tiles", "from_tiles", "gather_halo", "overlap_add"):
        yield f"{name}, batch {batch}", lambda _, n=name: tiles(n)


def _optimisers(sizes, rates):
    """Yield the pieces of the updates: how often they read or write an array of all parameters at least."""
    xp, n = backend.array_module("cuda"), sizes.parameters
    accesses = {"rmsprop": 5, "adam": 7, "sgd": 3, "muon": 7}

    def update(name):
        x, g = xp.ones((2, n), np.float32)
        config, state = {"learning_rate": 1e-3}, {}
        if name == "muon":
            rows = 1 << (n.bit_length() // 2)
            config["shapes"] = [(rows, n // rows)]
        function, size = getattr(optim, name), accesses[name] * x.nbytes
        with _products(False):
            return _limited(rates, lambda: function(lambda _: (0.0, g), x, config, state), size)

    for name in accesses:
        yield f"optim.{name}, {n:,} parameters", lambda _, name=name: update(name)

    def clip():
        g = xp.ones(n, np.float32)
        return _limited(rates, lambda: optim.clip_by_value(g, 0.5), 2 * g.nbytes)

    yield "optim.clip_by_value", lambda _: clip()


# ---- products ----------------------------------------------------------------------------------------------


def _memories(sizes, batch, tf32, rates):
    """Yield a step of the memory's convolution both ways, for each size of tiles worth a look."""
    (n_in, n_out), xp, kernel = sizes.channels, backend.array_module("cuda"), 7
    side, n_all, wide = sizes.side, n_in + n_out, 4 * n_out
    name = "TF32" if tf32 else "float32"

    def step(tile):
        padding = spectral.whole_map_padding(tile, side, side, kernel)
        tiles = (-(-side // tile)) ** 2 * batch
        made = spectral.SpectralConvolution(
            n_all, wide, (kernel, kernel), tile, tiles, 1, np.dtype(np.float32), xp, 1, padding
        )
        made.set_weight(xp.ones((wide, n_all, kernel, kernel), np.float32))
        u, z = (xp.ones((n, n, c, tiles), np.float32) for n, c in ((made.side, n_all), (made.tile, wide)))

        def both_ways():
            made.forward(u, z)
            made.backward(z, u)
            made.weight_gradient()

        estimate = cost_gpu.spectral_step_seconds(tile, side, side, batch, kernel, n_all, wide)
        products = 3 * 2 * made.half * made.length * 2 * wide * n_all * 2 * tiles
        return _limited(rates, both_ways, 3 * made.spectrum.nbytes, products, name, estimate)

    for tile in cost_gpu.candidate_tiles(side, side, kernel)[:3]:

        def piece(_, tile=tile):
            with _products(tf32):
                return step(tile)

        yield f"memory's convolution, batch {batch}, tiles of {tile}, {name}", piece


def _convolutions(sizes, batch, tf32, rates):
    """Yield the three operations of the layers outside the memory by every algorithm, over all steps."""
    xp, name = backend.array_module("cuda"), "TF32" if tf32 else "float32"

    def run(operation, algorithm, n_in, n_out, kernel, side):
        images, pad = sizes.steps * batch, (kernel // 2, kernel // 2)
        x, g = (xp.ones((images, c, side, side), np.float32) for c in (n_in, n_out))
        weight = xp.ones((n_out, n_in, kernel, kernel), np.float32)
        function = {
            "forward": lambda: convolution.conv2d(x, weight, pad, algorithm=algorithm),
            "grad_input": lambda: convolution.conv2d_grad_input(
                g, weight, (side, side), pad, algorithm=algorithm
            ),
            "grad_weight": lambda: convolution.conv2d_grad_weight(
                x, g, (kernel, kernel), pad, algorithm=algorithm
            ),
        }[operation]
        shapes = x.shape, weight.shape, pad
        estimate = {
            "gemm": lambda: cost_gpu.gemm_seconds(operation, *shapes),
            "rows": lambda: cost_gpu.rows_seconds(*shapes),
            "frames": lambda: cost_gpu.frames_seconds(*shapes),
        }[algorithm]()
        return _limited(rates, function, x.nbytes + g.nbytes, estimate=estimate)

    for layer, (n_in, n_out, kernel, scale) in sizes.layers:
        for operation in cost_gpu.OPERATIONS:
            for algorithm in ("gemm", "rows", "frames"):

                def piece(_, operation=operation, algorithm=algorithm, of=(n_in, n_out, kernel, scale)):
                    with _products(tf32):
                        return run(operation, algorithm, *of[:3], of[3] * sizes.side)

                yield f"{layer}, {operation}, {algorithm}, batch {batch}, {name}", piece
