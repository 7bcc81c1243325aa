"""A training in which process 1, or the leader, meets with an accident; run by mpiexec.

python -m tests.mpi.faulty FOLDER ACCIDENT...     a run for each of the accidents, in FOLDER/ACCIDENT
"""

import os
import resource
import signal
import sys
from pathlib import Path

from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.runs import command, processes
from tests.mpi import toys

STEP = 3
OPTIONS = """--preset tiny --data drawn --device cpu --model ae_convlstm --model-option kernel=3
    --model-option n_features=2 --model-option n_memory=2 --size 8 --batch 5 --sequences 40 --save-every 0
    --evaluations 0"""


class Faulty(MovingDigits):
    """Small sequences without digits, no scores, and an accident."""

    accident = None

    def load(self, training=True):
        """Nothing to read."""

    def evaluate(self, model):
        return {}

    def make_batch(self, step, indices, share=slice(0, None)):
        if step == STEP:
            getattr(self, self.accident)(processes.current().rank)
        return (part.astype("float32") for part in toys.frames(step, indices, share))

    def disk(self, rank):
        """No file can grow any more."""
        if rank == 0:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))

    def stop(self, rank):
        """One of the processes is asked to end."""
        if rank == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    def memory(self, rank):
        """One of the processes has not enough memory, which it tells the others."""
        if rank == 1:
            raise MemoryError("Unable to allocate 9 TiB")

    def kill(self, rank):
        """One of the processes is no more."""
        if rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    def alone(self, rank):
        """An error that the others cannot hear of."""
        if rank == 1:
            processes.current().failed("error: a cable broke", 4)


def main(folder, accidents):
    """Train once with each accident; print the status of each."""
    for Faulty.accident in accidents:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        argv = [*OPTIONS.split(), "--out", str(Path(folder) / Faulty.accident)]
        status = command.run(Faulty, argv)
        if os.environ.get("PMI_RANK", os.environ.get("OMPI_COMM_WORLD_RANK")) == "0":
            print(Faulty.accident, status, flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
