"""Torch7 files: graphs of nngraph, put together as both of its versions do."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import torch7
from tests import golden_cases as golden

RNG = np.random.default_rng(5)


def noise(*shape):
    return RNG.standard_normal(shape)


class Drawn:
    """A node as nngraph.Node makes it: `data` refers to the data of what it reads, by number and as a key."""

    def __init__(self, *reads, **data):
        self.data = data | {"mapindex": {}, "annotations": {"_debugLabel": "[x]:1"}}
        for i, node in enumerate(reads, 1):
            self.data["mapindex"] |= {i: node.data, torch7.Key(node.data): i}
        self.reads = list(reads)

    def split(self, count):
        middle = Drawn(self, nSplitOutputs=count)
        return [Drawn(middle, selectindex=k, input={}) for k in range(1, count + 1)]


def layer(module, *reads):
    return Drawn(*reads, module=torch7.from_module(module))


def graph(inputs, outputs, oldest=False):
    """Return the object that nn.gModule(inputs, outputs) is; nodes also refer to those that read them."""
    end = Drawn(*outputs, input={})
    start = Drawn(input={})
    if oldest:
        start.data |= {"data": {}, "gradOutput": {}}
        for i, node in enumerate(inputs, 1):
            start.data["mapindex"] |= {i: node.data, torch7.Key(node.data): i}
        sources = [start] * len(inputs)
    else:
        sources = [start] if len(inputs) == 1 else start.split(len(inputs))
    for node, source in zip(inputs, sources):
        node.data["mapindex"] |= {1: source.data, torch7.Key(source.data): 1}
        node.reads.append(source)
    order, waiting = [], [end]
    while waiting:
        node = waiting.pop()
        if node not in order:
            order.append(node)
            waiting += node.reads
    objects = {id(node): torch7.TorchObject("nngraph.Node", {"data": node.data, "id": 1}) for node in order}
    for node in order:
        readers = [objects[id(other)] for other in order if node in other.reads]
        children = dict(enumerate(readers, 1))
        objects[id(node)].contents["children"] = children | {child: i for i, child in children.items()}
    nodes = [objects[id(node)] for node in reversed(order)]
    fields = {"innode": objects[id(start)], "outnode": objects[id(end)], "verbose": False}
    fields |= {
        "forwardnodes": dict(enumerate(nodes, 1)),
        "fg": torch7.TorchObject("graph.Graph", {"nodes": {}}),
    }
    return torch7.TorchObject("nn.gModule", fields | {"_type": "torch.DoubleTensor", "train": False})


def read_back(obj, path):
    torch7.save(path / "graph.t7", obj)
    return torch7.load(path / "graph.t7")


def lstm_graph(lstm, oldest=False):
    """Return the graph of a step that FastLSTM builds with nngraph: of x, h and c."""
    x, h, c = (layer(nn.Identity()) for _ in range(3))
    sums = layer(nn.CAddTable(), layer(lstm.i2g, x), layer(lstm.o2g, h))
    i, g, f, o = layer(nn.SplitTable(1), layer(nn.Reshape(4, 2), sums)).split(4)
    new = layer(nn.CMulTable(), layer(nn.Sigmoid(), i), layer(nn.Tanh(), g))
    cell = layer(nn.CAddTable(), layer(nn.CMulTable(), layer(nn.Sigmoid(), f), c), new)
    hidden = layer(nn.CMulTable(), layer(nn.Sigmoid(), o), layer(nn.Tanh(), cell))
    return graph([x, h, c], [hidden, cell], oldest)


@pytest.mark.parametrize("oldest", [False, True])
def test_step_of_an_lstm(oldest, tmp_path):
    lstm = nn.FastLSTM(3, 2).double()
    net = torch7.to_module(read_back(lstm_graph(lstm, oldest), tmp_path))
    assert isinstance(net, nn.gModule) and net.dtype == np.float64 and not net.train
    x = noise(2, 5, 3)
    state = [lstm.forward(x[0]), lstm.cells[0]]
    want = [lstm.forward(x[1]), lstm.cells[1]]
    golden.assert_close(net.forward([x[1], *state]), want)
    flat = [np.concatenate([w.ravel() for w in net.parameters()[k]]) for k in (0, 1)]
    assert flat[0].size == lstm.get_parameters()[0].size


def test_fast_lstm_whose_step_is_a_graph(tmp_path):
    lstm = nn.FastLSTM(3, 2).double()
    obj = torch7.from_module(lstm)
    obj.contents["recurrentModule"] = obj.contents["modules"][1] = lstm_graph(lstm)
    again = torch7.to_module(read_back(obj, tmp_path))
    x = noise(5, 3)
    golden.assert_close(again.forward(x), lstm.forward(x), 0)


@pytest.mark.parametrize("oldest", [False, True])
def test_one_input_that_is_read_twice(oldest, tmp_path):
    linear = nn.Linear(3, 3).double()
    x = layer(nn.Identity())
    net = torch7.to_module(
        read_back(graph([x], [layer(nn.CAddTable(), layer(linear, x), x)], oldest), tmp_path)
    )
    value = noise(2, 3)
    golden.assert_close(net.forward(value), linear.forward(value) + value)


def test_graph_inside_a_network_and_a_long_one(tmp_path):
    x = node = layer(nn.Identity())
    for _ in range(600):
        node = layer(nn.MulConstant(1), node)
    net = torch7.TorchObject(
        "nn.Sequential", {"modules": {1: graph([x], [node])}, "_type": "torch.DoubleTensor"}
    )
    value = noise(3)
    golden.assert_close(torch7.to_module(read_back(net, tmp_path)).forward(value), value, 0)


def test_all_nodes_without_a_counterpart_are_named_with_their_places(tmp_path):
    x = Drawn(module=torch7.TorchObject("OneHot", {"outputSize": 5}))
    h = layer(nn.Tanh(), x)
    loss = Drawn(
        Drawn(h, module=torch7.TorchObject("nn.Odd", {})), h, criterion=torch7.TorchObject("nn.My", {})
    )
    with pytest.raises(torch7.Torch7Error) as caught:
        torch7.to_module(read_back(graph([x], [loss]), tmp_path))
    assert str(caught.value) == (
        "torch7.to_module: 3 things cannot be converted:\n"
        "  there is no module for the OneHot at top.forwardnodes[3].data.module\n"
        "  there is no module for the nn.Odd at top.forwardnodes[1].data.module\n"
        "  there is no module for the nn.My at top.forwardnodes[5].data.criterion"
    )


def damaged(change):
    x = layer(nn.Identity())
    obj = graph([x], [layer(nn.Tanh(), x)])
    change(obj.contents, x.data)
    return obj


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda fields, data: fields.pop("innode"),
            r"innode must be an nngraph\.Node with a table data, got None",
        ),
        (lambda fields, data: fields["outnode"].contents.pop("data"), "outnode must be an nngraph"),
        (lambda fields, data: data.update(mapindex={1: 5}), "mapindex of a node must list tables"),
        (lambda fields, data: data.update(mapindex={}), "a node besides innode reads nothing"),
        (lambda fields, data: data.update(mapindex={1: data}), "the graph has a cycle"),
        (
            lambda fields, data: data.update(module=7),
            r"expected an nn object at top\.forwardnodes\[2\].*, got 7",
        ),
        (lambda fields, data: data.update(selectindex="x"), "cannot be built"),
    ],
)
def test_damaged_graphs(change, message):
    with pytest.raises(torch7.Torch7Error, match=message):
        torch7.to_module(damaged(change))
