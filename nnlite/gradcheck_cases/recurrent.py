"""Cases of `nnlite/recurrent/`: every module through time, the whole sequence at once."""

import nnlite as nn

from .inputs import module, noise


def cases():
    """Return (label, function) pairs."""
    vectors, batches = noise(4, 3), noise(3, 2, 3)
    maps, map_batches = noise(3, 1, 3, 4), noise(3, 2, 1, 3, 3)
    return [
        module("Gate", lambda: nn.Gate(nn.Tanh(), nn.Linear(3, 4), nn.Linear(4, 4)), _state(2, 3)),
        module("Gate with peephole", _peephole_gate, _state(2, 3)),
        module("LSTM", _sequencer(nn.LSTM, 3, 4), batches),
        module("LSTM single vectors", _sequencer(nn.LSTM, 3, 4), vectors),
        module("LSTM without peepholes", _sequencer(nn.LSTM, 3, 4, 9999, False), batches),
        module("LSTM without peepholes, single vectors", _sequencer(nn.LSTM, 3, 4, 9999, False), vectors),
        module("FastLSTM", _sequencer(nn.FastLSTM, 3, 4), batches),
        module("FastLSTM single vectors", _sequencer(nn.FastLSTM, 3, 4), vectors),
        module("GRU", _sequencer(nn.GRU, 3, 4), batches),
        module("GRU single vectors", _sequencer(nn.GRU, 3, 4), vectors),
        module("Recurrent", lambda: nn.Sequencer(_simple()), batches),
        module("Recurrent single vectors", lambda: nn.Sequencer(_simple()), vectors),
        module("Recursor", lambda: nn.Sequencer(nn.Recursor(_stack())), batches),
        module("Recursor single vectors", lambda: nn.Sequencer(nn.Recursor(_stack())), vectors),
        module("Sequencer", lambda: nn.Sequencer(_stack()), batches),
        module("Sequencer over a list", lambda: nn.Sequencer(_stack()), list(vectors)),
        module("Sequencer over a layer", lambda: nn.Sequencer(nn.Linear(3, 4)), batches),
        module("BiSequencer", lambda: nn.BiSequencer(nn.GRU(3, 2)), batches),
        module(
            "BiSequencer over a list", lambda: nn.BiSequencer(nn.Linear(3, 2), nn.LSTM(3, 2)), list(vectors)
        ),
        module("BiSequencer with a sum", _summed, batches),
        module("Repeater", lambda: nn.Repeater(nn.LSTM(3, 4), 3), batches[0]),
        module("Repeater of a stack, single vector", lambda: nn.Repeater(_stack(), 2), vectors[0]),
        module("ConvLSTM", _sequencer(nn.ConvLSTM, 1, 2, 5, 3, 3), map_batches),
        module("ConvLSTM single images", _sequencer(nn.ConvLSTM, 1, 2, 5, 5, 3), maps),
        module("UntiedConvLSTM", _sequencer(nn.UntiedConvLSTM, 1, 2, 5, 3, 3), map_batches),
        module("UntiedConvLSTM single images", _sequencer(nn.UntiedConvLSTM, 1, 2, 5, 5, 3), maps),
        module("SeqLSTM", lambda: nn.SeqLSTM(3, 4), batches),
        module("SeqLSTM single vectors", lambda: nn.SeqLSTM(3, 4), vectors),
        module("SeqGRU", lambda: nn.SeqGRU(3, 4), batches),
        module("SeqGRU single vectors", lambda: nn.SeqGRU(3, 4), vectors),
        module("SeqGRU with a start", lambda: nn.SeqGRU(3, 4), [noise(2, 4, seed=2), batches]),
        module("SeqConvLSTM", lambda: nn.SeqConvLSTM(1, 2, 3), map_batches),
        module("SeqConvLSTM single images", lambda: nn.SeqConvLSTM(1, 2, 5, 3), maps),
    ]


def _sequencer(cls, *args):
    """Return the function that builds a Sequencer over `cls(*args)`."""
    return lambda: nn.Sequencer(cls(*args))


def _summed():
    return nn.BiSequencer(nn.FastLSTM(3, 4), None, nn.CAddTable())


def _simple():
    return nn.Recurrent(4, nn.Linear(3, 4), nn.Linear(4, 4), nn.Tanh())


def _stack():
    """A module with memory between two layers."""
    return nn.Sequential(nn.Linear(3, 4), nn.LSTM(4, 4), nn.Linear(4, 2))


def _state(n, n_in):
    """Return a table (x, h, c) for a batch of n, the state of 4 numbers."""
    return [noise(n, n_in), noise(n, 4, seed=2), noise(n, 4, seed=3)]


def _peephole_gate():
    return nn.Gate(nn.Sigmoid(), nn.Linear(3, 4), nn.LinearNoBias(4, 4), nn.CMul(4))
