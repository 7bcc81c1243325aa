"""Importing any module of ours changes nothing outside it."""

import os
import subprocess
import sys

from tests.test_architecture import MODULES, ROOT

#: Imports all that is named on the command line; prints the modules that need a library that is not here.
IMPORT_ALL = """
import importlib, sys
import matplotlib
matplotlib.use("svg")
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        assert error.name.split(".")[0] in ("torch", "torchfile", "cupy"), error
        print(name)
assert "matplotlib.pyplot" not in sys.modules, "pyplot holds every figure until it is closed"
import matplotlib.pyplot as plt
assert plt.get_backend().lower() == "svg", plt.get_backend()
"""


def test_matplotlibs_backend_is_left_alone():
    names = [name for name in MODULES if not name.startswith("examples") and not name.endswith("__main__")]
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    command = [sys.executable, "-c", IMPORT_ALL, *names]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(name.startswith("nnlite.benchmarks.") for name in done.stdout.split())
