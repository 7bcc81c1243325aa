"""Contexts that change a model's modes: every module is afterwards in the mode it was found in."""

import numpy as np
import pytest

import nnlite as nn


def modes(model):
    return [module.train for module in model.list_modules()]


@pytest.mark.parametrize("frozen", [(), (1,), (0, 2)])
def test_evaluating_restores_each_modules_own_mode(frozen):
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Dropout(), nn.Tanh()), nn.LSTM(2, 2))
    for i in frozen:
        model[i].evaluate()
    before = modes(model)
    with nn.evaluating(model) as inside:
        assert inside is model and not any(modes(model))
    assert modes(model) == before
    model.evaluate()
    model[1][0].training()
    before = modes(model)
    with pytest.raises(KeyError), nn.evaluating(model):
        assert not any(modes(model))
        raise KeyError
    assert modes(model) == before


def test_evaluating_leaves_a_model_that_evaluates_as_it_is():
    """A memory that goes on from sequence to sequence forgets only when its mode changes."""
    model = nn.Sequencer(nn.LSTM(2, 2)).remember("eval")
    model.evaluate()
    x = np.ones((2, 1, 2), np.float32)
    first = model.forward(x)
    with nn.evaluating(model):
        second = model.forward(x)
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, model.forward(x))


def test_remembering_continues_inside_and_restores_each_mode():
    memories = nn.SeqLSTM(2, 3).remember("train"), nn.SeqConvLSTM(1, 1, 3), nn.Sequencer(nn.LSTM(3, 3))
    model, x = nn.Sequential(memories[0], memories[2]).double(), np.ones((4, 1, 2))
    whole = model.clear_state().forward(x)
    memories[0].forget()
    with nn.remembering(model, "both") as inside:
        assert inside == [memories[0], memories[2]]
        pieces = [model.forward(x[t : t + 1]) for t in range(4)]
    np.testing.assert_allclose(np.concatenate(pieces), whole, rtol=1e-12)
    assert [memory._remember for memory in memories] == ["train", "neither", "neither"]
    np.testing.assert_allclose(model.forward(x), whole, rtol=1e-12)  # nothing is left of the pieces


def test_remembering_restores_after_an_error():
    model = nn.SeqLSTM(2, 3)
    with pytest.raises(TypeError), nn.remembering(model):
        model.forward(None)
    assert model._remember == "neither"
    with pytest.raises(ValueError, match="mode must be one of"), nn.remembering(model, "always"):
        pass
    assert model._remember == "neither"
