"""How far models carry without training: more digits, larger frames, other shapes."""

from nnlite.data.mnist import find_fashion_mnist
from nnlite.data.moving_mnist import DRAWN
from nnlite.train.moving_mnist import conditions

NOTES = """\
As trained: generated sequences like those that the first model learned from. Each other column changes one
thing of them: three digits in a frame; frames of 96x96, in which digits of the same size fill another part of
the picture; the project's own drawn digits; the shapes of Fashion-MNIST, where its idx files are in
fashion-mnist/ below NNLITE_DATA. Compare a figure with the copy and the bound of its own column."""


def show(experiment, given, line):
    """Score a trained model, or all that come along, on what none of them has learned; return the status."""
    changes = {"as trained": {}, "3 digits": {"digits": 3}, "96x96": {"size": 96}, "drawn": {"data": DRAWN}}
    if fashion := find_fashion_mnist():
        changes["Fashion-MNIST"] = {"data": str(fashion)}
    page = conditions.Page("transfer", "How far it carries without training", changes, NOTES)
    return conditions.show(page, experiment, given, line)
