"""The loss of a training step, of all predictions or of the last alone."""

from nnlite import backend, table


def loss_and_gradient(criterion, output, target, loss_at):
    """Return the loss, its gradient with respect to the output, and the number of target values in its sum.

    output (T', N, C, H, W) predicts the last T' frames of target. With loss_at "last" only the last counts.
    Of tables, which the criterion alone understands, everything counts.
    """
    if isinstance(output, list | tuple):
        elements = sum(array.size for array in table.leaves(target))
        return criterion.forward(output, target), criterion.backward(output, target), elements
    target = target[len(target) - len(output) :]
    if loss_at == "all":
        return criterion.forward(output, target), criterion.backward(output, target), target.size
    loss = criterion.forward(output[-1:], target[-1:])
    grad_output = backend.get_array_module(output).zeros_like(output)
    grad_output[-1:] = criterion.backward(output[-1:], target[-1:])
    return loss, grad_output, target[-1:].size
