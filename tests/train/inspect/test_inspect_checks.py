"""The microscope's finite differences detect wrong derivatives, and kinks, where there is none."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.train.inspect.checks import compare


class Toy:
    """Stands for a `ForwardBackward`: L = Σ r ⊙ f(x)."""

    def __init__(self, model, x):
        self.model, self.input = model.double(), x
        self.r = np.random.default_rng(1).uniform(1, 2, model.forward(x).shape)

    def loss(self):
        return float((self.r * self.model.forward(self.input)).sum())

    def backward(self):
        self.model.zero_grad_parameters()
        return self.model.backward(self.input, self.r)


def test_a_kink_is_marked_and_a_smooth_place_is_not():
    x = np.array([[0.0, 0.0, 0.0], [1.0, -2.0, 0.5]])
    found = {tuple(check["index"]): check for check in compare(Toy(nn.Abs(), x), entries=6)}
    assert len(found) >= 5
    assert all(check["kink"] == (index[0] == 0) for index, check in found.items())
    at_zero = next(check for index, check in found.items() if index[0] == 0)
    assert at_zero["left"] == pytest.approx(-at_zero["right"]) and at_zero["right"] > 0.9


class WrongLinear(nn.Linear):
    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        super().acc_grad_parameters(input, grad_output, 2 * scale)


def test_a_wrong_gradient_is_seen_and_is_no_kink():
    x = np.random.default_rng(0).standard_normal((2, 3))
    for module, wrong in ((nn.Linear(3, 2), False), (WrongLinear(3, 2), True)):
        checks = compare(Toy(nn.Sequential(module, nn.Tanh()), x), entries=2)
        assert [check["what"] for check in checks] == ["input"] * 2 + ["0.weight"] * 2 + ["0.bias"] * 2
        assert not any(check["kink"] for check in checks)
        for check in checks:
            assert (check["error"] > 0.4) == (wrong and check["what"] != "input"), check


def test_the_model_is_as_before_after_the_finite_differences():
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 2))
    toy = Toy(model, np.random.default_rng(0).standard_normal((2, 3)))
    before = [weight.copy() for weight in model.parameters()[0]]
    compare(toy, entries=2)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.parameters()[0]))
    assert not any("update_output" in vars(module) for module in model.list_modules())
