"""Recurrent modules: one time step a call, or whole sequences."""

from .abstract_recurrent import AbstractRecurrent
from .conv_lstm import ConvLSTM, UntiedConvLSTM
from .lstm import LSTM, FastLSTM, Gate
from .recurrent import Recurrent
from .recursor import Recursor
from .seq_conv_lstm import SeqConvLSTM
from .seq_lstm import SeqLSTM
from .sequencer import Sequencer

__all__ = [
    "LSTM",
    "AbstractRecurrent",
    "ConvLSTM",
    "FastLSTM",
    "Gate",
    "Recurrent",
    "Recursor",
    "SeqConvLSTM",
    "SeqLSTM",
    "Sequencer",
    "UntiedConvLSTM",
]
