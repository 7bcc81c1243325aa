"""Reads the wiring of nn.gModule, nngraph's module of a graph.

Each node keeps a table `data` with its `module` (none: it passes on what it reads), the data of the nodes
that it reads in `mapindex`, and in `selectindex` the entry that it picks from a table. The last node,
`outnode`, reads the outputs. The first, `innode`, stands for the input and reads nothing; in the oldest
version its own `mapindex` lists the nodes that read the inputs, each its own.
"""

import nnlite as nn

from .kind import is_object
from .types import as_list


def assemble_graph(fields, convert):
    """Return the nn.gModule of an object's fields; convert(object, its path) returns the module of a node.

    None when the module of a node has no counterpart.
    """
    start, end = (_data(fields, name) for name in ("innode", "outnode"))
    readers = _read_by(start)
    order = _sources_first(end, start)
    modules = _modules(fields, order, convert)
    if None in modules.values():
        return None
    nodes = {id(start): nn.Node()}
    for data in order:
        sources = [nodes[id(source)] for source in _read_by(data)]
        entry = data.get("selectindex")
        if len(readers) > 1 and sources == [nodes[id(start)]]:
            entry = 1 + next(k for k, reader in enumerate(readers) if reader is data)
            sources = [nn.Node(None, *sources, entry=entry - 1)]
            entry = None
        nodes[id(data)] = nn.Node(modules.get(id(data)), *sources, entry=None if entry is None else entry - 1)
    return nn.gModule([nodes[id(start)]], nodes[id(end)].sources)


def _data(fields, name):
    """Return the `data` of a node that is a field."""
    node = fields.get(name)
    if not is_object(node) or not isinstance(node.contents.get("data"), dict):
        raise ValueError(f"{name} must be an nngraph.Node with a table data, got {node!r}")
    return node.contents["data"]


def _read_by(data):
    """Return the data of the nodes that a node reads."""
    index = data.get("mapindex", {})
    found = as_list(index) if isinstance(index, dict) else [index]
    if not all(isinstance(source, dict) for source in found):
        raise ValueError("mapindex of a node must list tables: the data of other nodes")
    return found


def _sources_first(end, start):
    """Return the data of all nodes behind `start`, each after those that it reads."""
    order, state = [], {id(start): "complete"}
    waiting = [(end, False)]
    while waiting:
        data, complete = waiting.pop()
        if complete:
            state[id(data)] = "complete"
            order.append(data)
        elif state.get(id(data)) == "entered":
            raise ValueError("the graph has a cycle")
        elif id(data) not in state:
            state[id(data)] = "entered"
            if not _read_by(data):
                raise ValueError(
                    "a node besides innode reads nothing (parameters as nodes have no counterpart)"
                )
            waiting += [(data, True), *((source, False) for source in reversed(_read_by(data)))]
    return order


def _modules(fields, order, convert):
    """Return {identity of a node's data: its module}."""
    nodes = fields.get("forwardnodes", {})
    nodes = as_list(nodes) if isinstance(nodes, dict) else []
    places = {id(node.contents.get("data")): i for i, node in enumerate(nodes, 1) if is_object(node)}
    modules = {}
    for data in order:
        place = f"forwardnodes[{places[id(data)]}].data" if id(data) in places else "outnode"
        for name in ("module", "criterion"):
            if name in data:
                modules[id(data)] = convert(data[name], f"{place}.{name}")
    return modules
