"""What a process takes of the machine that it shares with others of its group: cores, and a GPU."""

import os
import socket

from threadpoolctl import threadpool_limits

from nnlite import backend
from nnlite.ops import threads
from nnlite.ops.cores import available_cores, cgroup_quota
from nnlite.train.runs import processes


def take_cores(group):
    """Let the workers of this process be as many as its share of the cores, unless NNLITE_THREADS says it."""
    if group.size == 1 or os.environ.get(threads.VARIABLE, "").strip():
        return
    here = _on_this_machine(group, sorted(_mask()))
    cores = share_of_cores([mask for _, mask in here], [rank for rank, _ in here].index(group.rank))
    threads.set_num_threads(cores)
    threadpool_limits(cores, "blas")


def share_of_cores(masks, number):
    """Return how many cores are for one of several processes on a machine, at least 1.

    masks: the cores that each of them may use. A core that several may use is divided; a launcher that binds
    processes has divided them already.
    """
    own = sum(1 / sum(core in mask for mask in masks) for core in masks[number])
    quota = cgroup_quota()
    if quota is not None:
        own = min(own, quota[0] / quota[1] / len(masks))
    return max(1, int(own + 1e-9))


def resolve_device(name):
    """Return the device, "cpu" or "cuda", of an option; of several GPUs each process takes its own.

    Gradients on GPUs are added up by NCCL where all processes have it and a GPU each, else through the host.
    """
    group = processes.current()
    with group.together():
        device = backend.resolve_device(name)
    if group.size == 1 or device in group.devices:
        return device
    devices = group.gather(device)
    if len(set(devices)) > 1:
        raise RuntimeError(f"some processes have a GPU, others none ({', '.join(devices)}): use --device cpu")
    if device == "cuda":
        _take_gpu(group)
    group.devices.add(device)
    return device


def _take_gpu(group):
    """Use the GPU whose number is that of this process among those on this machine."""
    cuda = backend.array_module("cuda").cuda
    here = [rank for rank, _ in _on_this_machine(group, None)]
    gpu = cuda.Device(here.index(group.rank) % cuda.runtime.getDeviceCount())
    gpu.use()
    nccl = getattr(cuda, "nccl", None)
    has_nccl = getattr(nccl, "available", False)
    found = group.gather((socket.gethostname(), gpu.pci_bus_id, has_nccl))
    if all(has for *_, has in found) and len(set(found)) == group.size:
        group.nccl = nccl.NcclCommunicator(group.size, group.from_leader(nccl.get_unique_id), group.rank)


def _on_this_machine(group, value):
    """Return (rank, value) of all processes on this machine."""
    from mpi4py import MPI

    local = group.comm.Split_type(MPI.COMM_TYPE_SHARED, group.rank)
    found = local.allgather((group.rank, value))
    local.Free()
    return found


def _mask():
    """Return the cores that this process may use."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(available_cores())
