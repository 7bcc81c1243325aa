"""The training loop: batches in, gradient steps, a log, checkpoints and the way back from them.

A run is a folder with `checkpoint.h5`, replaced as a whole whenever it is saved, and `log.jsonl`. What a
step does follows from the parameters, the optimiser's state and the number of the step alone, so a run
that is resumed takes exactly the steps that it would have taken without the interruption. Several processes
(`processes`, `replicas`) take each step together, every one on its share of the batch.
"""

import math
import sys
import time
from contextlib import contextmanager, nullcontext
from itertools import tee
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from nnlite import backend, checkpoint, optim, parameters, table
from nnlite.cuda_graph import StepGraph
from nnlite.data.prefetch import Prefetch
from nnlite.models.recomputation import Recomputation
from nnlite.ops import cupy_ops
from nnlite.train.report.anonymise import CHECKPOINT
from nnlite.train.runs import log
from nnlite.train.runs.divergence import DivergenceCheck, check_batch
from nnlite.train.runs.interruption import Interruption
from nnlite.train.runs.loss import loss_and_gradient
from nnlite.train.runs.order import batch_indices
from nnlite.train.runs.previous import PreviousCheckpoint
from nnlite.train.runs.replicas import Replicas
from nnlite.train.runs.running_mean import RunningMean


class Trainer:
    """A training run: the model, its optimiser, the position reached, and the folder that keeps them.

    model: maps frames (T, N, C, H, W) to the frames that follow; with fewer outputs than inputs these are the
    last ones. criterion: sums its loss over all elements. make_batch(step, indices): returns input and
    target, both (T, N, C, H, W), of the numbered training sequences; whole numbers, such as labels, reach the
    criterion as they are. Output and target may be tables of such arrays for a criterion that takes them. Of
    several processes each calls make_batch(step, indices, share=slice) for its share of the batch.
    epoch: how many training sequences there are. metadata: goes into the checkpoint, as does `model.config`,
    the {"name", "options"} it was built from. prefetch: whether a thread makes batches ahead of time.
    """

    def __init__(
        self, model, criterion, make_batch, options, folder, *, epoch, metadata=None, prefetch=False
    ):
        self.model, self.criterion, self.epoch = model, criterion, epoch
        self.options, self.folder, self.metadata = options, Path(folder), metadata or {}
        self.replicas, self.prefetch = Replicas(model, options), prefetch
        self.processes, self.make_batch = self.replicas.group, self.replicas.making(make_batch)
        if options.tf32:
            backend.use_tf32(model.device)
        self.stepped = Recomputation(model) if options.memory == "low" else model
        for module in self.stepped.list_modules():
            # On the CPU memory that was given back to the system would come back page by page.
            module.keeps_results = model.device == "cpu"
        self.gradient = StepGraph(self._gradient, model) if options.cuda_graph else self._gradient
        if options.tf32 or options.cuda_graph:
            cupy_ops.use_cublas()  # CuPy rounds some products only, and lets none into a graph
        self.parameters, self.gradients = model.get_parameters()
        self.mean = RunningMean(self.parameters, options.mean_over) if options.mean_over else None
        self.predictor = getattr(model, "video", model)  # SegNet-flow has its predictor beside SegNet
        self.optimiser, self.config = getattr(optim, options.optimiser), dict(options.optimiser_options)
        if options.optimiser == "muon":
            self.config["shapes"] = parameters.shapes(model)
        self.state = {}
        self.step, self.seconds, self.restored = 0, 0.0, False
        self.divergence, self.loss = DivergenceCheck(options.learning_rate), None  # of the last step
        self.previous = PreviousCheckpoint(self.folder)
        self.sums = dict.fromkeys(("loss", "penalty", "steps"), 0.0)  # since the last line of the log

    @property
    def sequences_seen(self):
        """The number of sequences trained on so far."""
        return self.step * self.options.batch

    @property
    def sequences_held(self):
        """The number of those during which the flow was held at zero."""
        has_flow = hasattr(self.predictor, "hold_flow")
        return min(self.sequences_seen, self.options.flow_warmup) if has_flow else 0

    def restore(self, saved):
        """Continue from a loaded checkpoint; lines of the log that were written after it are dropped."""
        checkpoint.load_parameters(self.model, saved)
        if self.mean is not None:
            own = saved.position["parameters"]
            self.mean.restore(backend.asarray(own, self.model.dtype, self.model.device))
        self.state = saved.optimiser
        self.replicas.restore_generator(saved.random)
        position = saved.position
        self.step, self.seconds, self.restored = position["step"], position["seconds"], True
        self.divergence.start = dict(position.get("start", {}))  # which older checkpoints do not have
        self.sums = {name: float(value) for name, value in position["sums"].items()}
        self.processes.leader_does(lambda: log.cut(self.folder, self.step))

    def save(self):
        """Write the checkpoint; FloatingPointError instead if training has diverged."""
        self._check_loss()
        with self.processes.together():
            self.divergence.check_parameters(self.parameters, self.step)
        means = [] if self.mean is None else [self.mean.values]
        self.replicas.equalise([self.parameters, *means], self.state)
        generators = self.replicas.generators()
        self.processes.leader_does(lambda: self._write_checkpoint(generators))

    def _write_checkpoint(self, generators):
        self.previous.keep(self.step)
        position = {name: getattr(self, name) for name in ("step", "seconds", "sums")}
        position["start"] = self.divergence.start
        with self.averaged() as own:
            checkpoint.save(
                self.folder / CHECKPOINT,
                self.model,
                architecture=self.model.config,
                optimiser=self.state,
                random=generators,
                position=position if own is None else position | {"parameters": own},
                metadata={**self.metadata, "loop": self.options.kept("loop")},
            )

    def averaged(self):
        """Return a context in which the model is the one to score: that of the mean, where one is kept."""
        return nullcontext() if self.mean is None else self.mean.in_place()

    def _check_loss(self):
        """Check the loss of the last step: that of the parameters from before it."""
        if self.loss is not None:
            self.divergence.check_loss(self.loss, self.step)
            self.previous.went_well(self.step)

    def run(self, monitor=None):
        """Train to the end of the budget; return the signal that stopped it before, or None.

        monitor(): called at a few steps, the first and the last among them; the numbers that it returns go
        into the log.
        """
        options, leader = self.options, self.processes.leader
        last_step = math.ceil(options.sequences / options.batch)
        evaluations = min(options.evaluations, last_step)  # one after each step at the most
        milestones = set(np.linspace(0, last_step, evaluations + 2).astype(int).tolist())
        started = saved = time.monotonic()
        started -= self.seconds
        with (
            self.previous if leader else nullcontext(),
            Interruption() as interruption,
            self._progress_bar() as bar,
            self._batches(range(self.step, last_step)) as batches,
        ):
            if self.step == 0 and not self.restored:
                self._monitor(monitor)
                self.save()
            signal, over, due = self._decisions(interruption, saved)
            while self.step < last_step and not (signal or over):
                self.train_step(batches)
                self.seconds = time.monotonic() - started
                bar.update(options.batch)
                if self.step % options.log_every == 0 or self.step == last_step:
                    bar.set_postfix_str(self._log_training())
                if self.step in milestones:
                    self._monitor(monitor)
                signal, over, due = self._decisions(interruption, saved)
                if due:
                    self.save()
                    saved = time.monotonic()
            self.save()
            signal, *_ = self._decisions(interruption, saved)
        return signal or None

    def _decisions(self, interruption, saved):
        """Return the signal to stop after or 0, whether the time is over, and whether to save: one for all.

        The clock is the leader's.
        """
        minutes, leader = self.options.minutes, self.processes.leader
        over = leader and minutes is not None and self.seconds > 60 * minutes
        due = leader and time.monotonic() - saved >= self.options.save_every
        return self.processes.most(int(interruption.signal or 0), int(over), int(due))

    def train_step(self, batches=None):
        """Take one step of gradient descent on the next of `batches`, or on the batch of this step."""
        options = self.options
        self.config["learning_rate"] = self._learning_rate()
        with self.replicas.together(), self._hold_flow(self.sequences_seen < options.flow_warmup):
            indices = self._indices(self.step)
            input, target = next(batches) if batches else self.make_batch(self.step, indices)
            check_batch(input, target, indices[self.replicas.share])
            loss, elements, penalty = self.gradient(*self._on_device((input, target)))
        loss, elements, penalty = self.replicas.add_up(self.gradients, loss, elements, penalty)
        loss, penalty = loss / elements, penalty / options.batch
        self.gradients /= options.batch  # eq. 4 sums over the pixels of one sequence
        optim.clip_by_value(self.gradients, options.clip)
        self.optimiser(lambda x: (loss, self.gradients), self.parameters, self.config, self.state)
        self.step, self.loss = self.step + 1, loss
        if self.mean is not None:
            self.mean.update(self.step)
        # On the GPU this would wait: there the first loss is noted, and log and checkpoints check.
        if not hasattr(loss, "get") or "loss" not in self.divergence.start:
            self._check_loss()
        for name, value in (("loss", loss), ("penalty", penalty), ("steps", 1)):
            # On the GPU a float would wait for the step to be done.
            self.sums[name] = self.sums[name] + (value if hasattr(value, "get") else float(value))

    def _gradient(self, input, target):
        """Set `gradients` to the gradient of this share; return its loss, of how many values, and penalty.

        What changes from step to step without being an array, the learning rate, stays out of it.
        """
        self.gradients.fill(0)
        output = self.stepped.forward(input)
        if self.model.device == "cpu":  # on the GPU this would wait; there the log checks
            self.divergence.check_finite(sum(y.sum() for y in table.leaves(output)), self.step)
        loss, grad_output, elements = loss_and_gradient(self.criterion, output, target, self.options.loss_at)
        self.stepped.backward(input, grad_output)
        if not self.stepped.keeps_results:
            self.stepped.release()
        return loss, elements, self.stepped.sum_penalties()

    @contextmanager
    def _batches(self, steps):
        """Return, as a context, an iterator over the batches of these steps."""
        schedule = ((step, self._indices(step)) for step in steps)
        if not self.prefetch:
            yield (self.make_batch(*item) for item in schedule)
            return
        schedule, order = tee(schedule)
        with Prefetch(lambda item: self.make_batch(*item), schedule) as made:
            yield (made(item) for item in order)

    def _indices(self, step):
        return batch_indices(step, self.options.batch, self.epoch, self.options.seed)

    @contextmanager
    def _hold_flow(self, hold):
        """Return a context in which the flow of a model that has one is zero, if `hold`."""
        if not (hold and hasattr(self.predictor, "hold_flow")):
            yield
            return
        self.predictor.hold_flow = True
        try:
            yield
        finally:
            self.predictor.hold_flow = False

    def _on_device(self, values):
        """Return an array, or a table of them, where the model is and in its dtype but for whole numbers."""

        def move(array):
            dtype = array.dtype if array.dtype.kind == "i" else self.model.dtype
            return backend.asarray(array, dtype, self.model.device)

        return table.map(move, values)

    def _learning_rate(self):
        """Return the learning rate of the next step."""
        options = self.options
        epoch = self.sequences_seen // self.epoch
        try:
            rate = options.learning_rate * options.decay ** (epoch // options.decay_epochs)
        except OverflowError:
            rate = math.inf  # which the optimiser refuses
        left = 1.0 - self.sequences_seen / options.sequences
        falling = options.lr_decay_fraction
        return rate * (0.1 + 0.9 * left / falling) if left < falling else rate

    def _log_training(self):
        """Write the means since the last such line to the log; return them for the progress bar."""
        steps = self.sums["steps"]
        loss, penalty = float(self.sums["loss"]) / steps, float(self.sums["penalty"]) / steps
        self._check_loss()
        self._log(loss=loss, penalty=penalty, learning_rate=self.config["learning_rate"])
        self.sums = dict.fromkeys(self.sums, 0.0)
        return f"loss {loss:.4f}"

    def _monitor(self, monitor):
        if monitor is not None:
            with self.processes.together():
                self.divergence.check_parameters(self.parameters, self.step)
            with self.averaged():
                evaluation = monitor()
            self._log(evaluation=evaluation)

    def _log(self, **values):
        line = {
            "step": self.step,
            "sequences": self.sequences_seen,
            "seconds": round(self.seconds, 2),
            **values,
        }
        self.processes.leader_does(lambda: log.append(self.folder, line))

    def _progress_bar(self):
        # A terminal is refreshed often, a log file seldom.
        interval = 0.2 if sys.stderr.isatty() else 20.0
        return tqdm(
            total=math.ceil(self.options.sequences / self.options.batch) * self.options.batch,
            initial=self.sequences_seen,
            unit=" sequences",
            mininterval=interval,
            maxinterval=max(10.0, interval),
            dynamic_ncols=True,
        )
