"""How many processor cores this process may use."""

import os
from pathlib import Path


def available_cores():
    """Return the number of cores: those of the affinity mask, fewer if a control group's quota is lower."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota()
    return allowed if quota is None else max(1, min(allowed, -(-quota[0] // quota[1])))


def cgroup_quota(membership="/proc/self/cgroup", mount="/sys/fs/cgroup"):
    """Return the lowest quota of this process's control groups as (µs of processor time, µs), or None.

    A group is bound by the quotas of all groups above it. In a container its path may be that on the host,
    of which only the root can be seen. membership, mount: where Linux tells the groups and their limits.
    """
    try:
        lines = Path(membership).read_text().splitlines()
    except OSError:
        return None
    quotas = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            root, read = Path(mount), _quota_v2
        elif "cpu" in controllers.split(","):
            root, read = Path(mount, "cpu"), _quota_v1
        else:
            continue
        group = root / path.lstrip("/")
        quotas += [read(folder) for folder in (group, *group.parents) if folder.is_relative_to(root)]
    return min(filter(None, quotas), key=lambda quota: quota[0] / quota[1], default=None)


def _quota_v2(folder):
    return _numbers(folder / "cpu.max")


def _quota_v1(folder):
    return _numbers(folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us")


def _numbers(*files):
    """Return the two positive integers in these files, None if there are none: no limit, or no such group."""
    try:
        quota, period = map(int, " ".join(file.read_text() for file in files).split())
    except (OSError, ValueError):  # the word for no limit is "max"
        return None
    return (quota, period) if quota > 0 and period > 0 else None
