"""gModule: modules wired as any graph without cycles, as nngraph wires them.

x = nn.Node()
h = nn.Node(nn.Tanh(), nn.Node(nn.Linear(3, 2), x))
net = nn.gModule([x], [nn.Node(nn.CAddTable(), h, nn.Node(nn.Linear(3, 2), x))])
"""

import functools
import operator
from collections.abc import Sequence

from . import table
from .exclusive import exclusive
from .module import Module
from .tables import _zeros_like


class Node:
    """A place in a graph: what it computes and the nodes that it reads.

    module: what computes it (None: what it reads is passed on). sources: the nodes that it reads; several are
    read as a table. entry: of a table that is read, the entry (0-based) that this node stands for.
    Without sources it is an input of the graph.
    """

    def __init__(self, module: Module | None = None, *sources: "Node", entry: int | None = None) -> None:
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"nn.Node takes a module first, got {type(module).__name__}")
        if module is not None and not sources:
            raise ValueError(f"nn.Node: {module!r} reads nothing; nn.Node() is an input, to be given to it")
        self.module, self.sources, self.entry = module, list(sources), entry

    def split(self, count: int) -> list["Node"]:
        """Return nodes for the `count` entries of the table that this node computes."""
        return [Node(None, self, entry=k) for k in range(count)]


class gModule(Module):
    """A graph of modules with inputs and outputs.

    Shapes: input that of the input node, of several a table with one entry each; output likewise.
    Forward: every node once, after those that it reads: z = f(z₁, ..., z_K).
    Backward: every node once, after those that read it: its ḡ is the sum of what they send back, and it
    sends (∂f/∂zₖ)ᵀ ḡ to the k-th that it reads. An input that nothing reads gets zeros.
    Errors: ValueError for an output that reads an unlisted input and for a module at two nodes.
    Source: nn.gModule (nngraph). `modules` are in the order in which they run.

        >>> x = nn.Node()
        >>> sum_and_square = nn.gModule([x], [nn.Node(nn.CAddTable(), x, nn.Node(nn.Square(), x))])
        >>> sum_and_square.forward(np.float32([1, 2, 3])).tolist()
        [2.0, 6.0, 12.0]
        >>> sum_and_square.backward(np.float32([1, 2, 3]), np.float32([1, 1, 1])).tolist()
        [3.0, 5.0, 7.0]
    """

    parameter_names = ()
    state_names = ("output", "grad_input", "_values", "_grads")

    def __init__(self, inputs: Sequence[Node], outputs: Sequence[Node]) -> None:
        super().__init__()
        nodes = _sorted(outputs)
        self._check(inputs, outputs, nodes)
        places = {id(node): k for k, node in enumerate([*inputs, *(n for n in nodes if n.sources)])}
        #: (module or None, places of what it reads, entry or None) of each node behind the inputs.
        self.steps = [
            (node.module, [places[id(source)] for source in node.sources], node.entry)
            for node in nodes
            if node.sources
        ]
        self.n_inputs = len(inputs)
        self.outputs = [places[id(node)] for node in outputs]
        self.modules = [module for module, _, _ in self.steps if module is not None]
        self._values = self._grads = None

    def children(self):
        return [(str(i), module) for i, module in enumerate(self.modules)]

    def reset(self, stdv=None):
        """Draw new initial parameters in every module."""
        for module in self.modules:
            module.reset(stdv)

    def update_output(self, input):
        if self.n_inputs > 1:
            self.check_table(input, size=self.n_inputs)
        self._values = list(input) if self.n_inputs > 1 else [input]
        for module, sources, entry in self.steps:
            value = self._read(sources)
            if entry is not None:
                self.check_table(value, "a table that is split")
                value = value[entry]
            self._values.append(value if module is None else module.update_output(value))
        self.output = self._read(self.outputs)
        return self.output

    def update_grad_input(self, input, grad_output):
        return self._back(grad_output, lambda module, x, g: module.update_grad_input(x, g))

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        for (module, sources, _), g in zip(self.steps, self._grads):
            if module is not None:
                module.acc_grad_parameters(self._read(sources), g, scale)

    @exclusive
    def backward(self, input, grad_output, scale=1.0):
        return self._back(grad_output, lambda module, x, g: module.backward(x, g, scale))

    def _read(self, places):
        """Return the value at a place, or the table of those at several."""
        return self._values[places[0]] if len(places) == 1 else [self._values[place] for place in places]

    def _back(self, grad_output, step):
        """Return the gradient with respect to the input; step(module, its input, g) goes back through one."""
        if self._values is None:
            raise RuntimeError(f"{self.name}: call forward before backward")
        if len(self.outputs) > 1:
            self.check_table(grad_output, "grad_output", size=len(self.outputs))
        incoming = [_Incoming() for _ in self._values]
        _distribute(incoming, self.outputs, grad_output)
        self._grads = [None] * len(self.steps)
        for k in reversed(range(len(self.steps))):
            module, sources, entry = self.steps[k]
            place = self.n_inputs + k
            g = self._grads[k] = incoming[place].sum(self._values[place])
            if entry is not None:
                incoming[sources[0]].entries.append((entry, g))
            else:
                _distribute(incoming, sources, g if module is None else step(module, self._read(sources), g))
        grads = [incoming[place].sum(self._values[place]) for place in range(self.n_inputs)]
        self.grad_input = grads if self.n_inputs > 1 else grads[0]
        return self.grad_input

    def _check(self, inputs, outputs, nodes):
        """Raise ValueError for a graph that cannot be run."""
        for what, listed in (("inputs", inputs), ("outputs", outputs)):
            if not listed or any(not isinstance(node, Node) for node in listed):
                raise ValueError(
                    f"{self.name}: {what} must be a list of at least one nn.Node, got {listed!r}"
                )
        known = {id(node) for node in inputs}
        if any(node.sources for node in inputs):
            raise ValueError(f"{self.name}: an input reads another node; inputs are made by nn.Node()")
        if any(not node.sources and id(node) not in known for node in nodes):
            raise ValueError(f"{self.name}: the outputs read an nn.Node() that is not among the inputs")
        modules = [node.module for node in nodes if node.module is not None]
        twice = next((m for i, m in enumerate(modules) if any(m is other for other in modules[:i])), None)
        if twice is not None:
            raise ValueError(
                f"{self.name}: {twice!r} is at two nodes, and its backward passes would mix them up; "
                "give one of them its clone() or, with the same parameters, its shared_clone()"
            )

    def __repr__(self):
        lines, numbers = [f"{self.name} {{"], {k: f"input {k + 1}" for k in range(self.n_inputs)}
        for k, (module, sources, entry) in enumerate(self.steps, self.n_inputs):
            numbers[k] = f"({len(numbers) - self.n_inputs + 1})"
            read = ", ".join(numbers[place] for place in sources) + ("" if entry is None else f"[{entry}]")
            lines.append(f"  {numbers[k]}: {read} -> {module or 'itself'!r}".replace("\n", "\n  "))
        return "\n".join([*lines, "  output: " + ", ".join(numbers[k] for k in self.outputs), "}"])


class _Incoming:
    """What was sent back to a place: gradients of its value, and of single entries when that is a table."""

    def __init__(self):
        self.wholes, self.entries = [], []

    def sum(self, value):
        """Return the sum, in the form of the value; zeros where nothing was sent."""
        parts = list(self.wholes)
        if self.entries:
            by_entry = [[g for k, g in self.entries if k == i] for i in range(len(value))]
            parts.append([_total(gs, x) for gs, x in zip(by_entry, value)])
        return _total(parts, value)


def _total(parts, value):
    if not parts:
        return _zeros_like(value)
    return functools.reduce(functools.partial(table.map, operator.add), parts)


def _distribute(incoming, places, g):
    """Note what goes back to a place, or the entries of a table that go back to several."""
    for place, part in zip(places, [g] if len(places) == 1 else g):
        incoming[place].wholes.append(part)


def _sorted(outputs):
    """Return all nodes that the outputs read and these, every node after those that it reads."""
    order, entered = [], set()
    waiting = [(node, False) for node in reversed(outputs) if isinstance(node, Node)]
    while waiting:
        node, complete = waiting.pop()
        if complete:
            order.append(node)
        elif id(node) not in entered:
            entered.add(id(node))
            waiting += [(node, True), *((source, False) for source in reversed(node.sources))]
    return order
