"""Module: Torch7's forward/backward contract.

A module computes `output = f(input; weight, bias)` in `update_output`. Given `grad_output`, the
derivative of some loss with respect to `output`, `update_grad_input` returns the derivative with respect
to `input` and `acc_grad_parameters` *adds* the derivatives with respect to the parameters, times
`scale`, to `grad_weight` and `grad_bias`. Nothing is recorded: `backward` is given the same `input` again.

A Torch table is a Python list or tuple of arrays (or of tables).
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar

import numpy as np

from . import backend, parameters, rich
from .checks import Checks
from .exclusive import exclusive
from .random import default_generator
from .typing import Array, Number, Value

_M = TypeVar("_M", bound="Module")


class Module(Checks):
    """Base of every layer, container and recurrent module.

    A subclass lists in `parameter_names` which attributes are trainable (each has a gradient of the same
    shape in "grad_" + name; an attribute that is None is skipped), in `buffer_names` which other arrays
    belong to its persistent state, and in `state_names` which attributes are leftovers of the last
    call, to be dropped by `clear_state`, and in `mode_names` which attributes choose what a call computes,
    besides parameters and input. A module that adds a penalty to the loss sets `penalises` and has the
    penalty of its last forward pass as `value`, a number or a 0-d array on its device.

    A module keeps in itself what `backward` needs of the last `forward`, so it belongs to one thread at a
    time: threads have clones (`clone`, `shared_clone`), or a lock around forward and backward. A `forward` or
    `backward` that begins while another thread is in one of the same module raises RuntimeError.

    Attributes: `output` and `grad_input` of the last call, `train` (training or evaluating), `dtype` and
    `device`; and `keeps_results`, whether the modules inside a `Sequential`, or a model, keep their `output`
    and `grad_input` when `backward` has no more use for them. Training on a GPU, where memory is short, does
    without.

        >>> net = nn.Linear(2, 1)
        >>> net.weight[...], net.bias[...] = [[3, 4]], 5
        >>> x = np.float32([[1, 2]])
        >>> net.forward(x).tolist()
        [[16.0]]
        >>> net.backward(x, np.float32([[10]])).tolist()
        [[30.0, 40.0]]
        >>> net.grad_weight.tolist(), net.grad_bias.tolist()
        ([[10.0, 20.0]], [10.0])
        >>> flat, flat_grad = net.get_parameters()
        >>> flat.tolist(), flat_grad.tolist()
        ([3.0, 4.0, 5.0], [10.0, 20.0, 10.0])
    """

    parameter_names: ClassVar[tuple[str, ...]] = ("weight", "bias")
    _added_names: tuple[str, ...] = ()
    buffer_names: ClassVar[tuple[str, ...]] = ()
    state_names: ClassVar[tuple[str, ...]] = ("output", "grad_input")
    mode_names: ClassVar[tuple[str, ...]] = ("train",)
    penalises = False
    keeps_results = True
    value: Any  # only where `penalises`
    weight: Any  # these four where `add_parameter` has made them, None without bias
    bias: Any
    grad_weight: Any
    grad_bias: Any

    def __init__(self) -> None:
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self.device = "cpu"
        self.train = True
        self.output: Any = None
        self.grad_input: Any = None

    # ---- the contract -------------------------------------------------------------------------------

    def update_output(self, input: Value) -> Any:
        """Compute and return `self.output` from `input`."""
        raise NotImplementedError(f"{self.name} has no update_output")

    def update_grad_input(self, input: Value, grad_output: Value) -> Any:
        """Compute and return `self.grad_input` = d loss / d input, of the shape of `input`."""
        raise NotImplementedError(f"{self.name} has no update_grad_input")

    def acc_grad_parameters(self, input: Value, grad_output: Value, scale: Number = 1.0) -> None:
        """Add scale · d loss / d parameter to the gradient of every parameter."""

    @exclusive
    def forward(self, input: Value) -> Any:
        """Return the output for `input`.

        ValueError in training mode when one module is in two places: its second call would overwrite what
        the backward pass of the first one needs. (In evaluation mode the backward pass says so.)
        """
        if self.train:
            self._check_distinct()
        return self.update_output(input)

    @exclusive
    def backward(self, input: Value, grad_output: Value, scale: Number = 1.0) -> Any:
        """Return d loss / d input and accumulate the parameter gradients.

        `input` must be what `forward` was last called with.
        """
        grad_input = self.update_grad_input(input, grad_output)
        self.acc_grad_parameters(input, grad_output, scale)
        return grad_input

    def reset(self, stdv: Number | None = None) -> None:
        """Draw new initial parameters; `stdv` replaces the layer's own standard deviation."""

    # ---- parameters ---------------------------------------------------------------------------------

    def children(self) -> list[tuple[str, "Module"]]:
        """Return the (name, module) pairs right below this module; names make the dotted paths."""
        return []

    def add_parameter(self, name: str, shape: tuple[int, ...]) -> None:
        """Make the parameter `name` and its gradient "grad_" + name, both zero, of the given shape.

        It is trainable from then on, whatever `parameter_names` says or is set to later.
        """
        self._added_names = (*self._added_names, name)
        setattr(self, name, self.xp.zeros(shape, self.dtype))
        setattr(self, "grad_" + name, self.xp.zeros(shape, self.dtype))

    def reset_uniform(self, bound: Number) -> None:
        """Draw this module's own parameters from U(-bound, bound), in the order of `parameter_names`."""
        for _, weight, _ in self.own_parameters():
            drawn = default_generator.uniform(-bound, bound, weight.shape)
            weight[...] = backend.asarray(drawn, self.dtype, self.device)

    def own_parameters(self) -> Iterator[tuple[str, Array, Array]]:
        """Yield (name, weight, grad) of this module alone."""
        for name in dict.fromkeys((*self.parameter_names, *self._added_names)):
            weight = getattr(self, name, None)
            if weight is not None:
                yield name, weight, getattr(self, "grad_" + name)

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Array, Array]]:
        """Yield (path, weight, grad) of every parameter; paths look like "2.input_gate.input2gate.weight"."""
        for name, weight, grad in self.own_parameters():
            yield prefix + name, weight, grad
        for name, module in self.children():
            yield from module.named_parameters(f"{prefix}{name}.")

    def named_buffers(self, prefix: str = "") -> Iterator[tuple[str, Array]]:
        """Yield (path, array) of the persistent arrays that are not trained, such as running means."""
        for name in self.buffer_names:
            if getattr(self, name, None) is not None:
                yield prefix + name, getattr(self, name)
        for name, module in self.children():
            yield from module.named_buffers(f"{prefix}{name}.")

    def parameters(self) -> tuple[list[Array], list[Array]]:
        """Return (weights, grads), two lists of arrays; a shared parameter is listed once per owner."""
        triples = list(self.named_parameters())
        return [weight for _, weight, _ in triples], [grad for _, _, grad in triples]

    def get_parameters(self) -> tuple[Array, Array]:
        """Move all parameters into one flat array, all gradients into another, and return the two.

        The modules' arrays become views of them, so that an optimiser works on the two flat arrays. A
        parameter that several modules share takes one place. A second call returns the same two arrays,
        unless parameters were moved in between: by a conversion (`double`, `cuda`, ...), by `share`, or by
        `get_parameters` of a part or of a module around this one. As in Torch7 the earlier arrays are then
        no longer connected; an optimiser refuses them, and on the CPU they become read-only.
        Raises TypeError when parts have another dtype, ValueError when only one of weight and gradient is
        shared.
        """
        before = self.parameters()[0]
        flat = parameters.flatten(self)
        if any(old is not new for old, new in zip(before, self.parameters()[0])):
            self._parameters_moved()
        return flat

    def zero_grad_parameters(self) -> None:
        """Set every parameter gradient to zero."""
        for grad in self.parameters()[1]:
            grad.fill(0)

    def update_parameters(self, learning_rate: Number) -> None:
        """Take a plain gradient step: parameter -= learning_rate · gradient.

        As in Torch7 a parameter that two modules share takes the step twice.
        """
        for weight, grad in zip(*self.parameters()):
            weight -= learning_rate * grad

    def share(self: _M, other: "Module", *names: str) -> _M:
        """Make the named arrays ("weight", "bias", "grad_weight", ...) those of `other`, recursively."""
        parameters.share(self, other, names)
        self._parameters_moved()
        return self

    def _parameters_moved(self) -> None:
        """Drop everything that refers to parameter arrays which were replaced."""
        for module in self.list_modules():
            module.drop_clones()
        parameters.find_stale()

    def drop_clones(self) -> None:
        """Forget copies that share this module's parameters (recurrent modules keep such)."""

    # ---- copies, modes, types -----------------------------------------------------------------------

    def clone(self: _M) -> _M:
        """Return an independent deep copy."""
        return copy.deepcopy(self)

    def shared_clone(self: _M) -> _M:
        """Return a copy with its own state that shares all parameters, gradients and buffers."""
        shared = [array for triple in self.named_parameters() for array in triple[1:]]
        shared += [array for _, array in self.named_buffers()]
        twin = copy.deepcopy(self, {id(array): array for array in shared})
        return twin.clear_state()

    def clear_state(self: _M) -> _M:
        """Drop outputs, gradients and scratch arrays of the last call and return self."""
        for module in self.list_modules():
            for name in module.state_names:
                setattr(module, name, None)
        return self

    def release(self) -> None:
        """Drop `output` and `grad_input`, here and in every module below."""
        for module in self.list_modules():
            module.output = module.grad_input = None

    def training(self) -> None:
        """Switch to training mode, here and in every module below."""
        self.train = True
        for _, module in self.children():
            module.training()

    def evaluate(self) -> None:
        """Switch to evaluation mode, here and in every module below."""
        self.train = False
        for _, module in self.children():
            module.evaluate()

    def apply(self: _M, function: Callable[["Module"], Any]) -> _M:
        """Call `function(module)` on this module and then on every one below; return self."""
        for module in self.list_modules():
            function(module)
        return self

    def list_modules(self) -> list["Module"]:
        """Return this module and all below it, parents first."""
        return [self] + [below for _, module in self.children() for below in module.list_modules()]

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """Yield (path, module) of this module (path "" at the top) and of all below it."""
        yield prefix, self
        for name, module in self.children():
            yield from module.named_modules(f"{prefix}.{name}" if prefix else name)

    def find_modules(self, name: str) -> list[Any]:
        """Return all modules here and below whose class is called `name`."""
        return [module for module in self.list_modules() if type(module).__name__ == name]

    def type(self, dtype: Any = None, device: str | None = None) -> Any:
        """Convert to a float dtype and move to a device, keeping shared arrays shared; return self.

        Without arguments return the dtype. State of earlier calls is dropped.
        """
        if dtype is None and device is None:
            return self.dtype
        dtype = self.dtype if dtype is None else np.dtype(dtype)
        if dtype not in backend.FLOAT_DTYPES:
            raise TypeError(f"{self.name}: dtype must be float32 or float64, got {dtype}")
        device = device or self.device
        backend.array_module(device)
        self.clear_state()
        if parameters.convert(self, dtype, device):
            self._parameters_moved()
        return self

    def float(self: _M) -> _M:
        """Convert to float32."""
        return self.type(np.float32)

    def double(self: _M) -> _M:
        """Convert to float64."""
        return self.type(np.float64)

    def cuda(self: _M) -> _M:
        """Move to the GPU."""
        return self.type(device="cuda")

    def cpu(self: _M) -> _M:
        """Move to host memory."""
        return self.type(device="cpu")

    @property
    def xp(self) -> Any:
        """The array library (numpy or cupy) of this module's device."""
        return backend.array_module(self.device) if self.device != "cpu" else np

    def sum_penalties(self) -> Any:
        """Return the sum of the penalties that this module and those inside added when last run forward."""
        return sum(module.value for module in self.list_modules() if module.penalises)

    # ---- printing ------------------------------------------------------------------------

    def _check_distinct(self) -> None:
        """Raise unless every module below is in one place only."""
        modules = self.list_modules()
        if len({id(module) for module in modules}) == len(modules):
            return
        places: dict[int, tuple[Module, list[str]]] = {}
        for path, module in self.named_modules():
            places.setdefault(id(module), (module, []))[1].append(path)
        module, paths = next(entry for entry in places.values() if len(entry[1]) > 1)
        raise ValueError(
            f"{self.name}: the same {module.name} is at {' and at '.join(paths)}: gradients would be wrong; "
            "put its clone() in the second place, or its shared_clone() to share parameters"
        )

    def describe(self) -> str:
        """Return the constructor's arguments as `repr` shows them, for instance "(4 -> 3)"."""
        return ""

    def __repr__(self) -> str:
        return self.name + self.describe()

    def _repr_html_(self) -> str:
        return rich.module_html(self)
