"""Losses made of other losses: weighted sums, one for each entry of a table, repeated or masked targets."""

import copy
import operator
from functools import reduce

from . import backend, table
from .criterion import Criterion
from .module import Module
from .typing import Number


class MultiCriterion(Criterion):
    """A weighted sum of losses of the same input and target.

    Shapes: those of the criteria added.
    Forward: L = Σₖ wₖ Lₖ(x, t).
    Backward: grad_input = Σₖ wₖ ∂Lₖ/∂x.
    Errors: TypeError when something else than a criterion is added; ValueError when none was.
    Source: nn.MultiCriterion.

        >>> loss = nn.MultiCriterion().add(nn.MSECriterion()).add(nn.AbsCriterion(), 10)
        >>> print(loss.forward(np.float32([2]), np.float32([0])))
        24.0
    """

    def __init__(self) -> None:
        super().__init__()
        self.criterions: list[Criterion] = []
        self.weights: list[Number] = []

    def add(self, criterion: Criterion, weight: Number = 1.0) -> "MultiCriterion":
        """Add a criterion with its weight, and return self."""
        _check_criterion(self, criterion)
        self.criterions.append(criterion)
        self.weights.append(weight)
        return self

    def update_output(self, input, target):
        pairs = self._pairs()
        self.output = sum(weight * criterion.update_output(input, target) for criterion, weight in pairs)
        return self.output

    def update_grad_input(self, input, target):
        pairs = self._pairs()
        grads = [_times(weight, criterion.update_grad_input(input, target)) for criterion, weight in pairs]
        self.grad_input = reduce(lambda a, b: table.map(operator.add, a, b), grads)
        return self.grad_input

    def _pairs(self):
        if not self.criterions:
            raise ValueError(f"{self.name}: there is no criterion; add(criterion, weight) one first")
        return list(zip(self.criterions, self.weights, strict=True))


class ParallelCriterion(Criterion):
    """A weighted sum of losses, one for each entry of a table.

    Shapes: input a table of at least as many entries as there are criteria; target a table of their
    targets, or, with `repeat_target`, one target for all.
    Forward: L = Σₖ wₖ Lₖ(xₖ, tₖ).
    Backward: grad_inputₖ = wₖ ∂Lₖ/∂xₖ, and 0 for entries without a criterion.
    Errors: TypeError when something else than a criterion is added or input and target are no tables;
    ValueError when they are too short.
    Source: nn.ParallelCriterion.
    """

    def __init__(self, repeat_target: bool = False) -> None:
        super().__init__()
        self.criterions: list[Criterion] = []
        self.weights: list[Number] = []
        self.repeat_target = repeat_target

    def add(self, criterion: Criterion, weight: Number = 1.0) -> "ParallelCriterion":
        """Add the criterion of the next entry with its weight, and return self."""
        _check_criterion(self, criterion)
        self.criterions.append(criterion)
        self.weights.append(weight)
        return self

    def update_output(self, input, target):
        terms = self._terms(input, target)
        self.output = sum(weight * criterion.update_output(x, t) for criterion, weight, x, t in terms)
        return self.output

    def update_grad_input(self, input, target):
        terms = self._terms(input, target)
        grads = [_times(weight, criterion.update_grad_input(x, t)) for criterion, weight, x, t in terms]
        self.grad_input = grads + [_times(0, x) for x in input[len(grads) :]]
        return self.grad_input

    def _terms(self, input, target):
        count = len(self.criterions)
        tables = {"input": input} if self.repeat_target else {"input": input, "target": target}
        for what, entries in tables.items():
            if not table.is_table(entries):
                raise TypeError(f"{self.name}: {what} must be a list or tuple, got {type(entries).__name__}")
            if len(entries) < count:
                raise ValueError(f"{self.name}: {count} criteria, but {len(entries)} entries of {what}")
        targets = [target] * count if self.repeat_target else target[:count]
        return list(zip(self.criterions, self.weights, input[:count], targets, strict=True))


class RepeaterCriterion(Criterion):
    """The sum of a loss over the steps of a sequence, all against the same target.

    Shapes: input time-first: an array (T, ...) or a list of T; target that of one step.
    Forward: L = Σ_t criterion(x_t, y).
    Backward: grad_input_t = ∂L/∂x_t, in the form (array or list) of the input.
    Errors: TypeError when no criterion is given; ValueError when the sequence is empty; RuntimeError without
    forward.
    Source: nn.RepeaterCriterion (rnn).
    """

    def __init__(self, criterion: Criterion) -> None:
        super().__init__()
        _check_criterion(self, criterion)
        self.criterion = criterion
        self.steps: list[Criterion] = []

    def update_output(self, input, target):
        if not len(input):
            raise ValueError(f"{self.name}: a sequence must have at least one step")
        # Somebody's criterion may keep something for its backward pass, so each step has its own.
        self.steps = [copy.deepcopy(self.criterion) for _ in input]
        self.output = sum(step.forward(x, target) for step, x in zip(self.steps, input, strict=True))
        return self.output

    def update_grad_input(self, input, target):
        if len(self.steps) != len(input) or not self.steps:
            raise RuntimeError(f"{self.name}: call forward with these {len(input)} steps before backward")
        grads = [step.backward(x, target) for step, x in zip(self.steps, input, strict=True)]
        listed = isinstance(input, list | tuple)
        self.grad_input = grads if listed else backend.get_array_module(input).stack(grads)
        return self.grad_input


class ModuleCriterion(Criterion):
    """A loss of what modules make of input and target.

    Shapes: input and target those of the modules, or of the criterion where there is none.
    Forward: L = criterion(f(x), h(t)), f = `input_module` and h = `target_module`, the identity when None.
    Backward: grad_input = (∂f/∂x)ᵀ ∂criterion/∂f; the gradients of f's parameters are accumulated.
    What the modules left behind in `forward` is used, so their random numbers are drawn once.
    Errors: TypeError when no criterion is given; RuntimeError for backward without forward; ValueError for
    backward when a module is in f and in h; those of the modules and of the criterion.
    Source: nn.ModuleCriterion.
    """

    def __init__(
        self, criterion: Criterion, input_module: Module | None = None, target_module: Module | None = None
    ) -> None:
        super().__init__()
        _check_criterion(self, criterion)
        self.criterion, self.input_module, self.target_module = criterion, input_module, target_module
        self._seen = None

    def update_output(self, input, target):
        x = input if self.input_module is None else self.input_module.forward(input)
        t = target if self.target_module is None else self.target_module.forward(target)
        self._seen = x, t
        self.output = self.criterion.forward(x, t)
        return self.output

    def update_grad_input(self, input, target):
        if self._seen is None:
            raise RuntimeError(f"{self.name}: call forward before backward")
        self._check_distinct()
        self.grad_input = self.criterion.backward(*self._seen)
        if self.input_module is not None:
            self.grad_input = self.input_module.backward(input, self.grad_input)
        return self.grad_input

    def _check_distinct(self):
        """Raise if the pass over the target has overwritten what the backward pass over the input needs."""
        if self.input_module is not None and self.target_module is not None:
            of_target = {id(module) for module in self.target_module.list_modules()}
            for module in self.input_module.list_modules():
                if id(module) in of_target:
                    raise ValueError(
                        f"{self.name}: the same {module.name} is in input_module and in target_module: "
                        "gradients would be wrong; give one of them its clone(), or its shared_clone() to "
                        "share parameters"
                    )


class MaskZeroCriterion(Criterion):
    """A loss of those rows of a batch that are not all zero.

    Shapes: input (N, ...), of n_input_dim + 1 dimensions, or a table of such, whose first array
    decides; target (N, ...), or a table of such.
    Forward: L = criterion(rows of x, rows of t), the rows i with xᵢ ≠ 0; 0 when there are none.
    Backward: the criterion's gradient in these rows, 0 in the others.
    Errors: TypeError when no criterion is given; ValueError for another number of dimensions.
    Source: nn.MaskZeroCriterion (rnn).
    """

    def __init__(self, criterion: Criterion, n_input_dim: int) -> None:
        super().__init__()
        _check_criterion(self, criterion)
        self.criterion, self.n_input_dim = criterion, n_input_dim

    def update_output(self, input, target):
        rows = self._rows(input)
        self.output = self.criterion.forward(_take(input, rows), _take(target, rows)) if rows.size else 0.0
        return self.output

    def update_grad_input(self, input, target):
        rows = self._rows(input)
        self.grad_input = _times(0, input)
        if rows.size:
            grad = self.criterion.backward(_take(input, rows), _take(target, rows))
            for whole, part in zip(table.leaves(self.grad_input), table.leaves(grad), strict=True):
                whole[rows] = part
        return self.grad_input

    def _rows(self, input):
        """Return the places of the rows that count."""
        first = table.leaves(input)[0]
        self.check_floats(first)
        if first.ndim != self.n_input_dim + 1:
            raise ValueError(
                f"{self.name}: input must have {self.n_input_dim + 1} dimensions, the first the batch, "
                f"got shape {first.shape}"
            )
        return first.reshape(len(first), -1).any(axis=1).nonzero()[0]


def _check_criterion(holder, criterion):
    if not isinstance(criterion, Criterion):
        raise TypeError(f"{holder.name} takes a criterion, got {type(criterion).__name__}")


def _times(factor, x):
    """Return factor · x of an array or of every array in a table; 0 · ∞ counts as 0."""
    return table.map(
        lambda leaf: leaf * factor if factor else backend.get_array_module(leaf).zeros_like(leaf), x
    )


def _take(x, rows):
    """Return these rows of an array, or of every array in a table."""
    return table.map(lambda leaf: leaf[rows], x)
