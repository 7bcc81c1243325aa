"""Where numbers come from: the machine, the versions and the commit that they were made with."""

import os
import platform
import subprocess
from pathlib import Path

import numpy as np
import scipy

import nnlite
from nnlite import backend


def hardware(device):
    """Return the processor, the GPU if it is used, and the versions of Python and libraries."""
    found = {"cpu": _cpu_name(), "cores": os.cpu_count(), "device": device}
    versions = {"nnlite": nnlite.__version__, "python": platform.python_version()}
    versions |= {"numpy": np.__version__, "scipy": scipy.__version__}
    if device == "cuda":
        cupy = backend.array_module("cuda")
        versions["cupy"] = cupy.__version__
        found["gpu"] = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()
    system = f"{platform.system()} {platform.release().partition('-')[0]}, {platform.machine()}"
    return {**found, "system": system, "versions": versions}


def format_hardware(hardware):
    """Return the GPU, or the processor and its number of cores."""
    return hardware.get("gpu") or f"{hardware['cores']} cores of {hardware['cpu']}"


def machines(result):
    """Return the machines that a run was trained on; older results name only the last one."""
    return result.get("machines") or [format_hardware(result["hardware"])]


def commit():
    """Return the commit of the source tree, "+ changes" if it was changed since; outside git the version.

    An installed copy may lie inside another project's checkout, which does not track it.
    """

    def git(*arguments):
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return None

    if not git("ls-files", "--error-unmatch", __file__):
        return f"version {nnlite.__version__}"
    name = git("rev-parse", "--short=12", "HEAD")
    return f"{name} + changes" if git("status", "--porcelain", "--untracked-files=no") else name


def format_commits(commits):
    """Return the commits that a run was trained with as text; None stands for an unknown one."""
    return ", ".join(filter(None, commits)) or "unknown"


def _cpu_name():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")
