"""A mistyped name is answered with the nearest known one."""

import numpy as np
import pytest

from nnlite import models, optim
from nnlite.spelling import did_you_mean


@pytest.mark.parametrize(
    "name, known, nearest",
    [
        ("momentun", ["momentum", "alpha"], "momentum"),
        ("learningRate", ["learning_rate", "learning_rates"], "learning_rate"),
        ("AE-ConvLSTM", ["ae_conv", "ae_convlstm"], "ae_convlstm"),
        ("--optimsier", ["--optimiser", "--out"], "--optimiser"),
    ],
)
def test_the_nearest(name, known, nearest):
    assert did_you_mean(name, known) == f"; did you mean {nearest!r}?"


def test_nothing_near():
    assert did_you_mean("huge", ["default", "quick"]) == "" and did_you_mean("x", []) == ""


def test_names_of_models_options_and_optimisers():
    with pytest.raises(ValueError, match=r"unknown model 'ae-convlstm'.*; did you mean 'ae_convlstm'\?"):
        models.build("ae-convlstm")
    with pytest.raises(TypeError, match=r"ae_convlstm has no option 'heigth'; .*; did you mean 'height'\?"):
        models.build("ae_convlstm", heigth=32)
    with pytest.raises(ValueError, match=r"no pretrained model 'ae_conv_lstm'.*did you mean 'ae_convlstm'"):
        models.load_pretrained("ae_conv_lstm")
    x = np.zeros(2)
    with pytest.raises(ValueError, match=r"unknown key 'beta_1' in config; .*; did you mean 'beta1'\?"):
        optim.adam(lambda x: (0.0, x), x, {"beta_1": 0.5})
