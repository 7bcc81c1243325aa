"""Where a training step spends its time, module by module.

During the profile, timed versions replace the forward and backward methods in the modules' classes, so that
the modules need no code for it and the copies that recurrent modules make of themselves are timed as well.
"""

import time
from collections import defaultdict
from contextlib import ExitStack
from unittest.mock import patch

from nnlite import backend, optim

#: Method -> phase. `forward` only calls `update_output`.
PHASES = {
    "update_output": "forward",
    "backward": "backward",
    "update_grad_input": "backward",
    "acc_grad_parameters": "backward",
}


def profile(trainer, steps):
    """Take some training steps; return rows [name, forward, backward, share of the step], slowest first.

    Times are in seconds a step and exclude the time of submodules. The last row is the rest of the step:
    zeroing, scaling and checking. trainer: see `train.loop.Trainer`; it should have taken a step or two
    before.
    """
    clock, model, criterion = _Clock(trainer.model.device), trainer.model, trainer.criterion
    for path, module in model.named_modules():
        module.profiled_as = f"{path} {module.name}" if path else "between the modules"
    with ExitStack() as patches:

        def time_calls(owner, method, phase, name=None):
            timed = clock.timed(getattr(owner, method), phase, name)
            patches.enter_context(patch.object(owner, method, timed))

        for cls in {type(module) for module in model.list_modules()}:
            for method, phase in PHASES.items():
                time_calls(cls, method, phase)
        time_calls(criterion, "forward", "forward", criterion.name)
        time_calls(criterion, "backward", "backward", criterion.name)
        time_calls(optim, "clip_by_value", "backward", "optim.clip_by_value")
        time_calls(trainer, "optimiser", "backward", f"optim.{trainer.optimiser.__name__}")
        start = clock.now()
        for _ in range(steps):
            trainer.train_step()
        step = (clock.now() - start) / steps

    rows = [[name, *(times[p] / steps for p in ("forward", "backward"))] for name, times in clock.own.items()]
    rows.sort(key=lambda row: -row[1] - row[2])
    rows.append(["the rest of the step", 0.0, step - sum(row[1] + row[2] for row in rows)])
    return [[*row, (row[1] + row[2]) / step] for row in rows]


class _Clock:
    """The time of calls without the timed calls inside them: `own` is {name: {phase: seconds}}."""

    def __init__(self, device):
        self.device = device
        self.own = defaultdict(lambda: {"forward": 0.0, "backward": 0.0})
        self._inside = []  # for each call in progress, the time of the timed calls inside it

    def now(self):
        """Return the time once the device has finished all its work."""
        backend.synchronize(self.device)
        return time.perf_counter()

    def timed(self, function, phase, name=None):
        """Return `function` with its time added to `name`, by default to the module that it is called on."""

        def call(*arguments, **keywords):
            start = self.now()
            self._inside.append(0.0)
            try:
                return function(*arguments, **keywords)
            finally:
                elapsed = self.now() - start
                self.own[name or _path(arguments[0])][phase] += elapsed - self._inside.pop()
                if self._inside:
                    self._inside[-1] += elapsed

        return call


def _path(module):
    """Return the name to which a module's time is added; copies made before the profile have no path."""
    return getattr(module, "profiled_as", f"copies of {module.name}")
