"""The replicas of a model in several processes, each trained on its share of every batch."""

import zlib
from contextlib import nullcontext
from functools import partial

import numpy as np

from nnlite import backend
from nnlite.random import default_generator, manual_seed
from nnlite.train.runs import processes


class Replicas:
    """What keeps the replicas of a model, one in each process of the current group, the same.

    model: that of this process. options: `LoopOptions`. share: the slice of every batch that is its own.
    ValueError when a batch has less sequences than there are processes.

    Batch normalisation with `batch_statistics` "own" takes mean and variance of the own share of the batch;
    its running statistics become the means of those of all processes. "synchronised" takes mean and variance
    of the whole batch. Modules that draw random numbers draw others in each process.
    """

    def __init__(self, model, options):
        self.model, self.group = model, processes.current()
        self.batch, self.share = options.batch, self.group.share(options.batch)
        self.waits_inside = options.batch_statistics == "synchronised" and self.group.size > 1
        if self.group.size == 1:
            return
        if options.batch < self.group.size:
            raise ValueError(
                f"--batch {options.batch} is less than one sequence for each of {self.group.size} processes"
            )
        if self.group.rank:
            manual_seed(int(np.random.SeedSequence([options.seed, self.group.rank]).generate_state(1)[0]))
        if self.waits_inside:
            for module in model.list_modules():
                if hasattr(module, "synchronise"):
                    module.synchronise(self.group.sum)

    def making(self, make_batch):
        """Return make_batch(step, indices) for the own share of the batch."""
        return make_batch if self.group.size == 1 else partial(make_batch, share=self.share)

    def together(self):
        """Return a context for what each process does for its share, where an error is one of all of them.

        Not where the processes wait for each other inside: then an error ends all.
        """
        return nullcontext() if self.waits_inside else self.group.together()

    def add_up(self, gradients, loss, elements, penalty):
        """Add up the gradients of all shares in place; return the sums of the numbers.

        As all of them are sums over the sequences of a share, those of unequal shares add up as they should.
        """
        if self.group.size == 1:
            return loss, elements, penalty
        self.group.sum_in_place(gradients)
        xp, weight = backend.get_array_module(gradients), (self.share.stop - self.share.start) / self.batch
        buffers = [buffer for _, buffer in self.model.named_buffers()]
        numbers = [xp.asarray(number, np.float64).reshape(1) for number in (loss, elements, penalty)]
        numbers += [buffer.reshape(-1).astype(np.float64) * weight for buffer in buffers]
        total, first = self.group.sum(xp.concatenate(numbers)), 3
        for buffer in buffers:
            buffer[...] = total[first : first + buffer.size].reshape(buffer.shape)
            first += buffer.size
        return total[0], total[1], total[2]

    def equalise(self, arrays, state):
        """Give all processes the leader's arrays and state of the optimiser where they are not the same.

        On equal machines they are, to the bit; processors of several kinds round differently.
        """
        if self.group.size == 1:
            return
        arrays = [*arrays, *(value for _, value in sorted(state.items()) if backend.is_array(value))]
        sums = [zlib.crc32(backend.as_numpy(array)) for array in arrays]
        if all(other == sums for other in self.group.gather(sums)):
            return
        for array in arrays:
            leaders = self.group.from_leader(lambda array=array: backend.as_numpy(array))
            array[...] = backend.asarray(leaders, device=backend.device_of(array))

    def generators(self):
        """Return {name: state} of the generators that the modules of all processes draw from."""
        states = self.group.gather(default_generator.get_state())
        return {_name(rank): state for rank, state in enumerate(states)}

    def restore_generator(self, states):
        """Set the generator of this process to its state among these; one that has none has a new seed."""
        if (state := states.get(_name(self.group.rank))) is not None:
            default_generator.set_state(state)


def _name(rank):
    """Return the name of a process's generator in a checkpoint; a single process has the first."""
    return f"process {rank}" if rank else "default"
