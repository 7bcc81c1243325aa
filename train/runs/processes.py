"""Several processes that train one model together: data parallelism on MPI.

    mpiexec -n 4 python -m train.moving_mnist ...

Each process has the whole model and takes its share of every batch. The gradients of the shares are added up
(`Processes.sum_in_place`), and every process takes the same step of the optimiser with the sum. So n
processes do what one does, but for rounding. Process 0, the leader, alone writes files and prints.

What decides where a run goes is decided by all together, in reductions of whole numbers: MPI leaves open what
the largest of some floats is when one of them is NaN, and libraries answer differently, even to the processes
of one reduction (`findings/mpi_max_nan.sh`).

An error inside `together` or `leader_does` is an error of all processes: they end as one process would. Any
other error ends the process that has it, and with it, by MPI_Abort, all others.

A program that was not started as one of several processes imports no MPI: it is a group of one, for which all
of this is a matter of course.
"""

import contextlib
import os
import pickle
import signal
import sys
import time
import traceback
from functools import reduce
from operator import add

import numpy as np

from nnlite import backend

#: Where launchers tell how many processes they started, and which this is (MPICH, Intel MPI and others; Open
#: MPI; a Slurm with PMIx, which has the size elsewhere).
SIZES, RANKS = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE"), ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK")
#: Elements that are added up at once. Of 33 million float32 on two cores it took 36 ms in such chunks, 63 in
#: one piece; of up to this many a single piece was fastest.
CHUNK = 1 << 22
#: Seconds that the other processes give the leader to report an error that all have.
GRACE = 1.0


class Processes:
    """A group of processes, each with a rank from 0 on, of which this is one. Without `comm` it is alone.

    comm: a communicator of mpi4py. nccl: a communicator of NCCL for arrays on the GPU, if there is one.
    devices: those that all processes have been found to have.
    """

    def __init__(self, comm=None):
        self.comm, self.nccl, self.devices = comm, None, set()
        self.rank, self.size = (0, 1) if comm is None else (comm.rank, comm.size)
        self._agreed = False  # whether all processes are about to end with the same error
        self._apart = False  # whether each is on its own, in `together`

    def __deepcopy__(self, memo):
        return self

    @property
    def leader(self):
        """Whether this process is the one that writes and prints."""
        return self.rank == 0

    def require_one(self, what):
        """Raise ValueError unless this process is alone: `what` is not made for several."""
        if self.size > 1:
            raise ValueError(f"{what} is for a single process: start it without mpiexec")

    def share(self, count):
        """Return the slice of `count` things that is this process's: equal parts, or one more or less."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def own(self, items):
        """Return those of a sequence of pieces of work that this process does, every size-th of them."""
        return items[self.rank :: self.size]

    def collect(self, results):
        """Return the results of all processes for their `own` items, in the order of all items."""
        parts = self.gather(results)
        return [parts[k % self.size][k // self.size] for k in range(sum(map(len, parts)))]

    def gather(self, value):
        """Return the list of the values, anything that can be pickled, of all processes."""
        self._may_wait()
        return [value] if self.size == 1 else self.comm.allgather(value)

    def sum_in_place(self, array):
        """Replace a flat array by its sum over all processes."""
        self._may_wait()
        if self.size == 1:
            return
        from mpi4py import MPI

        on_host = isinstance(array, np.ndarray)
        if not on_host and self.nccl is not None:
            self._nccl_sum(array)
            return
        for first in range(0, array.size, CHUNK):
            part = array[first : first + CHUNK]
            here = part if on_host else part.get()
            self.comm.Allreduce(MPI.IN_PLACE, here, MPI.SUM)
            if not on_host:
                part[...] = backend.asarray(here, device="cuda")

    def sum(self, array):
        """Return the sum of a flat float64 array over all processes, to the bit the same in each of them."""
        if self.size == 1:
            return array
        from mpi4py import MPI

        if not isinstance(array, np.ndarray) and self.nccl is not None:
            total = array.copy()
            self._nccl_sum(total)
            return total
        here = backend.as_numpy(array)
        total = np.empty_like(here)
        # MPI promises the same bits to all who get one result, and only advises it for Allreduce.
        self.comm.Reduce(here, total, MPI.SUM)
        self.comm.Bcast(total)
        return backend.asarray(total, device=backend.device_of(array))

    def most(self, *numbers):
        """Return the largest of each of these whole numbers over all processes."""
        self._may_wait()
        return numbers if self.size == 1 else tuple(self._extreme(numbers, "MAX"))

    def from_leader(self, function):
        """Return in all processes what function() returns in the leader, where alone it is called."""
        return self._leader_does(function, lambda value: value)

    def leader_does(self, function):
        """Return function() in the leader, None in the others, which wait until it is done."""
        return self._leader_does(function, lambda value: None)

    def _leader_does(self, function, told):
        self._may_wait()
        if self.size == 1:
            return function()
        value = error = None
        if self.leader:
            try:
                value = function()
            except Exception as found:
                error = found
        error_of_all, shared = self.comm.bcast((_portable(error), told(value)) if self.leader else None)
        if error_of_all is not None:
            self._agreed = True
            raise error or error_of_all
        return value if self.leader else shared

    @contextlib.contextmanager
    def together(self):
        """Return a context that all processes enter and leave: an error of one in it is one of all of them.

        Inside, no process may wait for another, who may have left with an error: RuntimeError.
        """
        self._may_wait()
        error, self._apart = None, True
        try:
            yield
        except Exception as found:
            error = found
        finally:
            self._apart = False
        if self.size == 1:
            if error is not None:
                raise error
            return
        (first,) = self._extreme([self.size if error is None else self.rank], "MIN")
        if first == self.size:
            return
        error_of_first = self.comm.bcast(_portable(error) if self.rank == first else None, root=first)
        self._agreed = True
        raise error if first == self.rank else error_of_first

    def _may_wait(self):
        """Raise RuntimeError where waiting for the other processes could be for ever."""
        if self._apart:
            raise RuntimeError("inside `together` no process may wait for another")

    def failed(self, text, status, file=None):
        """Report an error; return the exit status. One that not all processes have ends all of them here.

        file: where to print it if it does not; by default standard error.
        """
        if self.size == 1 or self._agreed:
            self._agreed = False
            print(text, file=file or sys.stderr)
            return status
        if not self.leader:
            time.sleep(GRACE)  # in an error that all have, the leader ends this process meanwhile
            text += f"\n(in process {self.rank} of 0 to {self.size - 1}, which ends all of them)"
        print(text, file=sys.__stderr__, flush=True)
        self.comm.Abort(status)

    def _extreme(self, numbers, operation):
        from mpi4py import MPI

        numbers = np.array(numbers, np.int64)  # of floats one could be NaN, which splits the processes
        self.comm.Allreduce(MPI.IN_PLACE, numbers, getattr(MPI, operation))
        return numbers.tolist()

    def _nccl_sum(self, array):
        from cupy.cuda import get_current_stream, nccl

        kind = {"float32": nccl.NCCL_FLOAT32, "float64": nccl.NCCL_FLOAT64}[str(array.dtype)]
        place, stream = backend.pointer(array), get_current_stream().ptr
        self.nccl.allReduce(place, place, array.size, kind, nccl.NCCL_SUM, stream)


#: The group of this process.
_current = ALONE = Processes()


def current():
    """Return the group of processes that this one works in."""
    return _current


@contextlib.contextmanager
def _working_in(group):
    """Return a context in which `group` is the current one."""
    global _current
    before, _current = _current, group
    try:
        yield group
    finally:
        _current = before


def alone():
    """Return a context in which this process works on its own, as the leader does while it draws."""
    return _working_in(ALONE)


@contextlib.contextmanager
def joined():
    """Return, as a context, the group of processes in which a launcher started this one.

    Processes other than the leader print nothing in it. What passes out of it ends all of them.
    """
    if _started() < 2:
        yield _current
        return
    group = Processes(_communicator())
    with contextlib.ExitStack() as stack:
        stack.enter_context(_working_in(group))
        if not group.leader:
            nowhere = stack.enter_context(open(os.devnull, "w"))
            stack.enter_context(contextlib.redirect_stdout(nowhere))
            stack.enter_context(contextlib.redirect_stderr(nowhere))
        try:
            yield group
        except KeyboardInterrupt:
            group.failed("\nStopped by Ctrl-C; what was saved before stands.", 128 + signal.SIGINT)
            raise
        except Exception:
            sys.exit(group.failed(traceback.format_exc(), 1))


def add_up(parts):
    """Return {name: sum of the values of that name} of a list of such dicts."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: reduce(add, (part[name] for part in parts if name in part)) for name in names}


def started_first():
    """Return whether this is the first of the processes that a launcher started, or the only one."""
    return {os.environ.get(name, "0") for name in RANKS} == {"0"}


def _started():
    """Return how many processes a launcher says that it started."""
    sizes = [os.environ.get(name, "") for name in SIZES]
    if "PMIX_RANK" in os.environ:
        sizes.append(os.environ.get("SLURM_STEP_NUM_TASKS", ""))
    return max((int(size) for size in sizes if size.isdecimal()), default=1)


def _communicator():
    """Return the communicator of all processes; RuntimeError where MPI knows of others than the launcher."""
    count = _started()
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: it finds no MPI library
        raise RuntimeError(
            f"this is one of {count} processes, which need mpi4py and an MPI library ({error}): pip install "
            "'nnlite-video[distributed]' mpich, or start a single process, without mpiexec"
        ) from error
    comm = MPI.COMM_WORLD
    if comm.size != count:
        library = MPI.Get_library_version().split("\n")[0].strip()
        raise RuntimeError(
            f"the launcher started {count} processes, but the MPI library that mpi4py found ({library}) "
            f"knows of {comm.size}: use that library's own mpiexec"
        )
    return comm


def _portable(error):
    """Return an error as it can be sent to other processes."""
    if error is None:
        return None
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
