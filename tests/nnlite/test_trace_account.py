"""The account that nn.trace gives as text."""

import numpy as np

import nnlite as nn


def test_the_account_reads_in_the_order_of_the_flow():
    net = nn.Sequencer(nn.Linear(2, 1)).double()
    net.module.module.weight[...], net.module.module.bias[...] = [[3.0, 4.0]], 0.0
    with nn.trace(net) as t:
        net.forward(np.array([[1.0, 0.0], [0.0, 1.0]]))
        net.backward(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0], [2.0]]))
    assert str(t).splitlines() == [
        "trace of nn.Sequencer: 5 update_output, 5 update_grad_input, 5 acc_grad_parameters",
        "",
        "forward: norm of each output",
        "                          shape  whole  t=0  t=1",
        ".              Sequencer  2x1        5",
        "module         Recursor   1               3    4",
        "module.module  Linear     1               3    4",
        "",
        "backward: norm of each grad_input, from a grad_output of 2.24",
        "                          shape  whole  t=1  t=0",
        ".              Sequencer  2x2     11.2",
        "module         Recursor   2              10    5",
        "module.module  Linear     2              10    5",
        "",
        "parameters: norm of what was added to each gradient",
        "                      shape  t=1  t=0",
        "module.module.weight  1x2      2    1",
        "module.module.bias    1        2    1",
    ]


def test_the_account_leaves_out_the_middle_of_a_long_sequence_and_says_what_is_repeated():
    net, x = nn.Sequencer(nn.Tanh()), np.ones((30, 2), np.float32)
    with nn.trace(net) as t:
        net.forward(x)
        net.forward(x)
    lines = str(t).splitlines()
    assert lines[2] == "forward: norm of each output (the last of 2 calls)"
    assert lines[3].split() == "shape whole t=0 t=1 t=2 t=3 ... t=26 t=27 t=28 t=29".split()
