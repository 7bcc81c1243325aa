"""Base of the modules that take one time step per call and remember the previous steps."""

import copy
from typing import Any

from ..decorators import MaskZero
from ..module import Module
from ..typing import Number


class AbstractRecurrent(Module):
    """Base of the recurrent modules: counts steps and keeps the state for back-propagation through time.

    Each `forward(x_t)` computes the next step. In training mode every step runs on its own copy of
    `recurrent_module`; all copies share their parameters and gradients, so that gradients sum over time.
    Each `backward(x_t, g_t)` goes one step back: the first call after a forward pass is for the last step,
    the next for the one before. The gradient with respect to the state before a step is kept, and the step
    that computed this state adds it. `forget()` starts a new sequence.

    Truncation: backward reaches the last `rho` steps. Older ones are dropped, so that sequences can have any
    length. The gradient of the last `rho` steps is then exactly that of a sequence that starts with the
    state before them as a constant; gradients further back are not computed, and one more `backward` raises
    RuntimeError.

    In evaluation mode only the last state is kept, and `recurrent_module` itself computes every step.
    Changing between the modes forgets.

    A subclass builds `recurrent_module`, names in `part_names` the attributes under which parameters are
    known (they, not the places inside the assembled containers, make the dotted paths), in `per_step`
    its dicts of arrays by step, and writes `update_output`, `backward_step` and `accumulate_step`.

    Attributes: `step`, the number of steps since `forget()`; `outputs` and `grad_inputs`, dicts
    keyed by the step, 0 the first; `rho`.
    Errors: RuntimeError for backward without forward, in evaluation mode, or further back than is kept.
    Source: nn.AbstractRecurrent (rnn), whose steps start at 1.
    """

    parameter_names = ()
    part_names: tuple[str, ...] = ()
    per_step: tuple[str, ...] = ("outputs", "grad_inputs")
    outputs: dict[int, Any]
    grad_inputs: dict[int, Any]

    def __init__(self, rho: int) -> None:
        super().__init__()
        self.rho = _checked_rho(self, rho)
        self.recurrent_module: Any = None
        self._step_modules: dict[int, Any] = {}
        self._spare_modules: list[Any] = []
        self._restart()

    @property
    def state_names(self):
        """The attributes that `clear_state` drops."""
        return ("output", "grad_input", "_step_modules", "_spare_modules", *self.per_step)

    def children(self):
        """Return the assembled module; it contains everything trainable."""
        return [("recurrent_module", self.recurrent_module)]

    def named_parameters(self, prefix=""):
        """Yield (path, weight, grad) under the names of the parts, such as "input_gate.input2gate.weight"."""
        for name, weight, grad in self.own_parameters():
            yield prefix + name, weight, grad
        for name in self.part_names:
            yield from getattr(self, name).named_parameters(f"{prefix}{name}.")

    def reset(self, stdv=None):
        """Draw new initial parameters."""
        for _, module in self.children():
            module.reset(stdv)

    # ---- one step forward, one step back ------------------------------------------------------------

    def begin_step(self) -> int:
        """Make room for the next step and return its number; `update_output` starts with this."""
        if self.outputs is None:  # after clear_state()
            self.forget()
        self._drop_steps_before(self.step - (self.rho if self.train else 1) + 1)
        return self.step

    def end_step(self, step: int, output: Any) -> Any:
        """Keep and return the output of a step; `update_output` ends with this."""
        self.output = self.outputs[step] = output
        self.step = self.update_grad_input_step = self.acc_grad_parameters_step = step + 1
        return output

    def update_grad_input(self, input, grad_output):
        step = self._step_before(self.update_grad_input_step)
        self.grad_input = self.grad_inputs[step] = self.backward_step(step, input, grad_output)
        self.update_grad_input_step = step
        return self.grad_input

    def acc_grad_parameters(self, input, grad_output, scale=1.0):
        step = self._step_before(self.acc_grad_parameters_step)
        if step < self.update_grad_input_step:
            raise RuntimeError(
                f"{self.name}: call update_grad_input for step {step} before acc_grad_parameters"
            )
        self.accumulate_step(step, input, grad_output, scale)
        self.acc_grad_parameters_step = step

    def backward_step(self, step: int, input: Any, grad_output: Any) -> Any:
        """Return d loss / d input of one step; backward has been called for the steps after it."""
        raise NotImplementedError(f"{self.name} has no backward_step")

    def accumulate_step(self, step: int, input: Any, grad_output: Any, scale: Number) -> None:
        """Add the parameter gradients of one step; `backward_step` has been called for it."""
        raise NotImplementedError(f"{self.name} has no accumulate_step")

    def step_module(self, step: int) -> Any:
        """Return the module that computes a step, in training mode a copy for this step."""
        if not self.train:
            return self.recurrent_module
        if step not in self._step_modules:
            spare = self._spare_modules
            self._step_modules[step] = spare.pop() if spare else step_clone(self.recurrent_module)
        return self._step_modules[step]

    # ---- memory -------------------------------------------------------------------------------------

    def forget(self) -> Any:
        """Start a new sequence at the next step, here and in recurrent modules inside; return self."""
        self._spare_modules = [*(self._spare_modules or []), *(self._step_modules or {}).values()]
        self._step_modules = {}
        self._restart()
        for inner in self._recurrent_inside():
            inner.forget()
        return self

    def max_bptt_step(self, rho: int) -> Any:
        """Set how many steps gradients flow back, here and in recurrent modules inside; return self."""
        for module in (self, *self._recurrent_inside()):
            module.rho = _checked_rho(self, rho)
        return self

    def mask_zero(self, n_input_dim: int) -> Any:
        """Pass over rows of the input that are all zero (see `MaskZero`), and return self.

        Where xₜ is zero, so are the output and the state: what comes after such a step is a new sequence.
        n_input_dim: how many dimensions the input of one step has without the batch.
        """
        self.recurrent_module = MaskZero(self.recurrent_module, n_input_dim).type(self.dtype, self.device)
        self.drop_clones()
        return self

    def show_step(self, step: int) -> None:
        """Set `output` and `grad_input` to those of a step: containers read them during backward."""
        if self.outputs:
            self.output, self.grad_input = self.outputs.get(step), self.grad_inputs.get(step)

    def drop_clones(self):
        self._step_modules, self._spare_modules = {}, []
        self._restart()

    def training(self):
        if not self.train:
            self.forget()
        super().training()

    def evaluate(self):
        if self.train:
            self.forget()
        super().evaluate()

    def _restart(self):
        self.step = self.update_grad_input_step = self.acc_grad_parameters_step = 0
        self._first_step = 0  # the earliest that backward can reach
        for name in self.per_step:
            setattr(self, name, {})

    def _drop_steps_before(self, first_step):
        """Drop the steps before `first_step`, except the output that `first_step` started from."""
        self._first_step = max(self._first_step, first_step)
        for old in [step for step in self._step_modules if step < self._first_step]:
            self._spare_modules.append(self._step_modules.pop(old))
        for name in self.per_step:
            arrays = getattr(self, name)
            for old in [step for step in arrays if step < self._first_step - 1]:
                del arrays[old]

    def _step_before(self, step):
        """Return the step that backward is for now, the one before `step`, or raise with the reason."""
        if not self.outputs:
            raise RuntimeError(
                f"{self.name}: call forward before backward (get_parameters, share and conversions move "
                "parameters and forget the sequence)"
            )
        if not self.train:
            raise RuntimeError(f"{self.name}: backward needs training mode; call training() before forward")
        if step == 0:
            raise RuntimeError(
                f"{self.name}: backward was called more often than forward ({self.step} steps); "
                "call backward once for each step of a forward pass, the last step first"
            )
        if step == self._first_step:
            raise RuntimeError(
                f"{self.name}: backward over more than the last {self.step - self._first_step} steps; "
                "call max_bptt_step(n) before forward to keep more"
            )
        return step - 1

    def _recurrent_inside(self):
        """Return the recurrent modules below this one."""
        below = [module for _, child in self.children() for module in child.list_modules()]
        return [module for module in below if isinstance(module, AbstractRecurrent)]


def step_clone(module):
    """Return a copy of `module` for another time step: own outputs, the same parameters, gradients, buffers.

    Recurrent modules inside are not copied: they count their steps themselves.
    """
    shared = [array for triple in module.named_parameters() for array in triple[1:]]
    shared += [array for _, array in module.named_buffers()]
    shared += [inner for inner in module.list_modules() if isinstance(inner, AbstractRecurrent)]
    return copy.deepcopy(module, {id(item): item for item in shared})


def _checked_rho(module, rho):
    if rho < 1:
        raise ValueError(f"{module.name}: the number of steps to go back must be at least 1, got {rho}")
    return rho
