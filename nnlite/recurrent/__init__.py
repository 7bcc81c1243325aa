"""Recurrent modules: one time step a call, or whole sequences."""

from .abstract_recurrent import AbstractRecurrent
from .bi_sequencer import BiSequencer
from .conv_lstm import ConvLSTM, UntiedConvLSTM
from .gru import GRU
from .lstm import LSTM, FastLSTM, Gate
from .recurrent import Recurrent
from .recursor import Recursor
from .repeater import Repeater
from .seq_conv_lstm import SeqConvLSTM
from .seq_gru import SeqGRU
from .seq_lstm import SeqLSTM
from .sequencer import Sequencer

__all__ = [
    "GRU",
    "LSTM",
    "AbstractRecurrent",
    "BiSequencer",
    "ConvLSTM",
    "FastLSTM",
    "Gate",
    "Recurrent",
    "Recursor",
    "Repeater",
    "SeqConvLSTM",
    "SeqGRU",
    "SeqLSTM",
    "Sequencer",
    "UntiedConvLSTM",
]
