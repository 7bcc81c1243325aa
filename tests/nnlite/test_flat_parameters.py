"""What `get_parameters` returned stays connected, or whoever uses it is told."""

import numpy as np
import pytest

import nnlite as nn
from nnlite import optim
from nnlite.gradcheck import check_module
from tests.toy_networks import SHARED, input, network


def moved_by_conversion(net):
    net.double()


def moved_by_sharing(net):
    net[0].share(nn.Linear(4, 3), *SHARED)


def moved_with_a_part(net):
    net[2].get_parameters()


def moved_into_a_whole(net):
    nn.Sequential(net, nn.Linear(2, 2)).get_parameters()


def added_to(net):
    net.add(nn.Linear(2, 2))


MOVES = [moved_by_conversion, moved_by_sharing, moved_with_a_part, moved_into_a_whole, added_to]


@pytest.mark.parametrize("method", ["sgd", "adam", "rmsprop", "adagrad", "adamax", "adadelta", "nag"])
@pytest.mark.parametrize("move", MOVES)
def test_a_step_on_parameters_that_were_moved_is_an_error(move, method):
    net = network()
    parameters, gradients = net.get_parameters()
    step = getattr(optim, method)
    step(lambda x: (0.0, gradients), parameters, {}, {})
    move(net)
    with pytest.raises(RuntimeError, match=rf"optim\.{method}: x no longer .* call get_parameters\(\) again"):
        step(lambda x: (0.0, gradients), parameters, {}, {})
    parameters, gradients = net.get_parameters()
    step(lambda x: (0.0, gradients), parameters, {}, {})


@pytest.mark.parametrize("move", MOVES[:-1])
def test_nobody_can_write_to_arrays_that_were_disconnected(move):
    net = network()
    for array in net.get_parameters():
        array[...] = 1
    flat = net.get_parameters()
    move(net)
    for array in flat:
        with pytest.raises(ValueError, match="read-only"):
            array.fill(0)
    net.zero_grad_parameters()
    net.update_parameters(0.1)


def test_a_stale_gradient_is_an_error_too():
    net = network()
    _, old = net.get_parameters()
    net.double().float()
    parameters, _ = net.get_parameters()
    with pytest.raises(RuntimeError, match=r"optim\.sgd: the gradient no longer"):
        optim.sgd(lambda x: (0.0, old), parameters, {"learning_rate": 0.1})


def test_what_moves_nothing_leaves_the_arrays_connected():
    net = network()
    parameters, gradients = net.get_parameters()
    assert all(a is b for a, b in zip(net.get_parameters(), (parameters, gradients)))
    net.float().cpu().type(np.float32)
    twin = net.shared_clone()
    net.clone().double()
    net.training()
    parameters[...], gradients[...] = 2, 3
    assert all((weight == 2).all() for weight in net.parameters()[0] + twin.parameters()[0])
    optim.sgd(lambda x: (0.0, gradients), parameters, {"learning_rate": 1.0})
    assert all((weight == -1).all() for weight in net.parameters()[0] + twin.parameters()[0])
    twin.double()  # the twin goes its own way, the net is as it was
    optim.sgd(lambda x: (0.0, gradients), parameters, {"learning_rate": 1.0})
    assert all((weight == -4).all() for weight in net.parameters()[0])


def test_flat_arrays_in_another_order_are_not_returned_again():
    net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    first, _ = net.get_parameters()
    net.modules.reverse()
    second, _ = net.get_parameters()
    assert second is not first
    np.testing.assert_array_equal(second, np.concatenate([first[6:], first[:6]]))


def test_arrays_outlive_their_module():
    parameters, gradients = network().get_parameters()
    optim.sgd(lambda x: (0.0, gradients), parameters, {"learning_rate": 0.1})


def trained(steps, checked):
    """Return the losses and the parameters of a network that is trained, and checked between the steps."""
    nn.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.1), nn.Tanh(), nn.Linear(3, 2))
    parameters, gradients = net.get_parameters()
    x, target, criterion = input(5, 4), np.ones((5, 2), np.float32), nn.MSECriterion()

    def feval(_):
        gradients.fill(0)
        loss = criterion.forward(net.forward(x), target)
        net.backward(x, criterion.backward(net.output, target))
        return loss, gradients

    losses, state = [], {}
    for _ in range(steps):
        if checked:
            check_module(net, np.ones((2, 4)), max_entries=2)
        losses += optim.adam(feval, parameters, {"learning_rate": 0.1}, state)[1]
    return losses, parameters


def test_training_goes_on_after_a_check_as_without_it():
    (plain, expected), (losses, parameters) = trained(20, False), trained(20, True)
    assert losses == plain and losses[-1] < 0.1 * losses[0]
    np.testing.assert_array_equal(parameters, expected)
