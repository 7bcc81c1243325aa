"""A double of `cupy.cuda.nccl` for arrays of the double of CuPy: MPI adds them up."""

import ctypes

import numpy as np


class Nccl:
    """The module, with the names, arguments and constants of CuPy 14's.

    comm: the communicator of mpi4py that stands for the cables.
    """

    available = True
    NCCL_SUM, NCCL_FLOAT32, NCCL_FLOAT64 = 0, 7, 8

    def __init__(self, comm):
        self.comm = comm

    def get_unique_id(self):
        return tuple(range(-64, 64))

    def NcclCommunicator(self, ndev, commId, rank):
        assert len(commId) == 128 and (ndev, rank) == (self.comm.size, self.comm.rank)
        return Communicator(self.comm)


class Communicator:
    """What adds up arrays on the devices of all processes, by their addresses."""

    def __init__(self, comm):
        self.comm = comm

    def allReduce(self, sendbuf, recvbuf, count, datatype, op, stream):
        from mpi4py import MPI

        assert op == Nccl.NCCL_SUM and isinstance(stream, int)
        kind = {Nccl.NCCL_FLOAT32: ctypes.c_float, Nccl.NCCL_FLOAT64: ctypes.c_double}[datatype]
        sent, received = (
            np.ctypeslib.as_array((kind * count).from_address(place)) for place in (sendbuf, recvbuf)
        )
        self.comm.Allreduce(sent.copy(), received, MPI.SUM)
