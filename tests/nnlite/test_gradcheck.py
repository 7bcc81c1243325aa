"""The gradient checker must catch wrong gradients: here they are planted, one kind at a time."""

import numpy as np
import pytest

import nnlite as nn
from nnlite.gradcheck import TOLERANCE, check_criterion, check_module, worst


class Gated(nn.Module):
    """y = x ⊙ (W x) + b, rightly differentiated; every class below plants one mistake."""

    def __init__(self):
        super().__init__()
        self.add_parameter("weight", (3, 3))
        self.add_parameter("bias", (3,))
        self.reset_uniform(1.0)

    def update_output(self, input):
        self.check_array(input)
        self.output = input * (input @ self.weight.T) + self.bias
        return self.output

    def update_grad_input(self, input, grad_output):
        self.check_grad_output(grad_output)
        self.grad_input = grad_output * (input @ self.weight.T) + (grad_output * input) @ self.weight
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        self.grad_weight += scale * (grad_output * input).T @ input
        self.grad_bias += scale * grad_output.sum(axis=0)


class FlippedSign(Gated):
    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        self.grad_weight += scale * (grad_output * input).T @ input
        self.grad_bias -= scale * grad_output.sum(axis=0)


class MissingTerm(Gated):
    def update_grad_input(self, input, grad_output):
        self.grad_input = grad_output * (input @ self.weight.T)
        return self.grad_input


class TransposedInGradInput(Gated):
    def update_grad_input(self, input, grad_output):
        self.grad_input = grad_output * (input @ self.weight.T) + (grad_output * input) @ self.weight.T
        return self.grad_input


class TransposedInGradWeight(Gated):
    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        self.grad_weight += scale * input.T @ (grad_output * input)
        self.grad_bias += scale * grad_output.sum(axis=0)


class MissingScale(Gated):
    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        self.grad_weight += (grad_output * input).T @ input
        self.grad_bias += scale * grad_output.sum(axis=0)


class Overwrites(Gated):
    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        self.grad_weight += scale * (grad_output * input).T @ input
        self.grad_bias[...] = scale * grad_output.sum(axis=0)


class ForgetsTheBatch(Gated):
    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        self.grad_weight += scale * (grad_output * input).T @ input
        self.grad_bias += scale * grad_output[0]


class Averages(Gated):
    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        super().acc_grad_parameters(input, grad_output, scale / len(input))


class BackwardWritesToInput(Gated):
    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        super().acc_grad_parameters(input, grad_output, scale)
        input *= grad_output


class BackwardWritesToGradOutput(Gated):
    def update_grad_input(self, input, grad_output):
        right = super().update_grad_input(input, grad_output)
        grad_output *= 1.5
        return right


class ForwardWritesToInput(nn.ReLU):
    def update_output(self, input):
        np.maximum(input, 0, out=input)
        return super().update_output(input)


class NotANumber(Gated):
    def update_grad_input(self, input, grad_output):
        super().update_grad_input(input, grad_output)
        self.grad_input[1, 2] = np.nan
        return self.grad_input


class Infinite(Gated):
    def update_grad_input(self, input, grad_output):
        super().update_grad_input(input, grad_output)
        self.grad_input[1, 2] = np.inf
        return self.grad_input


class OneEntryIsOff(Gated):
    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        super().acc_grad_parameters(input, grad_output, scale)
        self.grad_weight[2, 1] += 1e-3 * scale


class WrongShape(Gated):
    def update_grad_input(self, input, grad_output):
        return super().update_grad_input(input, grad_output)[:1]


def noise(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def test_right_gradients_pass():
    checks = check_module(Gated(), noise(4, 3))
    assert worst(checks).error < 1e-8
    assert [check.what for check in checks] == [
        "input and grad_output unchanged",
        "input",
        "weight",
        "bias",
        "input (again, scale 0.5)",
        "weight (accumulated, scale 0.5)",
        "bias (accumulated, scale 0.5)",
    ]


@pytest.mark.parametrize(
    "planted, what",
    [
        (FlippedSign, "bias"),
        (MissingTerm, "input"),
        (TransposedInGradInput, "input"),
        (TransposedInGradWeight, "weight"),
        (MissingScale, "weight (accumulated, scale 0.5)"),
        (Overwrites, "bias (accumulated, scale 0.5)"),
        (ForgetsTheBatch, "bias"),
        (BackwardWritesToInput, "input and grad_output unchanged"),
        (BackwardWritesToGradOutput, "input and grad_output unchanged"),
        (ForwardWritesToInput, "input and grad_output unchanged"),
        (NotANumber, "input"),
        (Infinite, "input"),
        (OneEntryIsOff, "weight"),
        (WrongShape, "input (gradient shape (1, 3), expected (4, 3))"),
    ],
)
def test_planted_mistake_is_caught_where_it_is(planted, what):
    bad = worst(check_module(planted(), noise(4, 3)))
    assert not bad.error <= TOLERANCE
    assert bad.what == what


def test_every_wrong_parameter_is_reported():
    checks = check_module(Averages(), noise(4, 3))
    assert [check.what for check in checks if check.error > TOLERANCE] == ["weight", "bias"]
    assert worst(checks).error == pytest.approx(0.75)  # a quarter of what it should be


@pytest.mark.parametrize(
    "planted, index", [(NotANumber, (1, 2)), (Infinite, (1, 2)), (OneEntryIsOff, (2, 1))]
)
def test_worst_index_is_named(planted, index):
    bad = worst(check_module(planted(), noise(4, 3), max_entries=0))
    assert bad.index == index
    assert f"at {list(index)} (analytic " in str(bad)


def test_mistakes_deep_inside_are_named_by_path():
    net = nn.Sequential(nn.Linear(3, 3), nn.ConcatTable(nn.Linear(3, 3), FlippedSign()), nn.CAddTable())
    assert worst(check_module(net, noise(4, 3))).what == "1.1.bias"


def test_tables_are_checked_entry_by_entry():
    pair = nn.ParallelTable(nn.Linear(3, 2), MissingTerm())
    assert worst(check_module(pair, [noise(4, 3), noise(4, 3)])).what == "input 1"


def test_sampling_moves_at_most_max_entries():
    moved = []

    class Watched(nn.Identity):
        def update_output(self, input):
            moved.append(tuple(np.flatnonzero(input != start)))
            return super().update_output(input)

    start = noise(50)
    check_module(Watched(), start.copy(), max_entries=7)
    assert len({place for place in moved if len(place) == 1}) == 7
    assert any(len(place) == 50 for place in moved)  # along random directions
    moved.clear()
    check_module(Watched(), start.copy(), max_entries=0)
    assert {place for place in moved if place} == {(i,) for i in range(50)}


class WrongCriterion(nn.MSECriterion):
    def update_grad_input(self, input, target):
        return -super().update_grad_input(input, target)


def test_criteria():
    x, t = noise(4, 3), np.ones((4, 3))
    assert worst(check_criterion(nn.MSECriterion(), x, t)).error < TOLERANCE
    assert worst(check_criterion(WrongCriterion(), x, t)).error == pytest.approx(2)


def test_criteria_with_random_numbers_are_checked_and_the_generator_is_left_as_it_is():
    generator = nn.random.default_generator
    x, t = np.random.default_rng(0).standard_normal((2, 3, 4))
    criterion = nn.ModuleCriterion(nn.MSECriterion(), nn.Dropout(0.5).double())
    nn.manual_seed(3)
    expected = generator.uniform(0, 1, 5)
    nn.manual_seed(3)
    (check,) = check_criterion(criterion, x, t)
    assert check.error < TOLERANCE and not check.doubtful
    np.testing.assert_array_equal(generator.uniform(0, 1, 5), expected)
