"""Programs that tests start in several processes by mpiexec, and the starting."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: What Open MPI wants to be told: that root and more processes than cores are meant.
ALLOWED = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


def launcher():
    """Return the mpiexec of this environment or of the system, None where there is none or no mpi4py."""
    own = Path(sys.executable).with_name("mpiexec")
    found = str(own) if own.exists() else shutil.which("mpiexec")
    return found if find_spec("mpi4py") else None


def run(*arguments, processes=2, **environment):
    """Run Python with these arguments in some processes; return the completed process."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NNLITE_THREADS")}
    command = [launcher(), "-n", str(processes), sys.executable, *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=inherited | ALLOWED | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
