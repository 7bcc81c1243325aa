"""How many cores a process may use: its affinity, and the quotas of its control groups."""

import os
import subprocess
import sys

import pytest

from nnlite.ops import cores


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


@pytest.fixture
def groups(tmp_path):
    """Return a function: the quota of a process in the groups of this text, with limits below tmp_path."""

    def quota(text):
        (tmp_path / "membership").write_text(text)
        return cores.cgroup_quota(tmp_path / "membership", tmp_path)

    return quota


def test_no_groups_no_quota(tmp_path, groups):
    assert cores.cgroup_quota(tmp_path / "missing", tmp_path) is None
    assert groups("0::/\n1:name=systemd:/x\n") is None


def test_version_2_takes_the_lowest_quota_of_all_groups_above(tmp_path, groups):
    write(tmp_path / "a" / "b", cpu__max="400000 100000\n")
    write(tmp_path / "a", cpu__max="150000 100000\n")
    write(tmp_path, cpu__max="max 100000\n")
    assert groups("0::/a/b\n") == (150000, 100000)
    assert groups("0::/other\n") is None


def test_version_2_in_a_container_that_sees_only_the_root(tmp_path, groups):
    write(tmp_path, cpu__max="200000 100000\n")
    assert groups("0::/kubepods/pod1/container2\n") == (200000, 100000)


def test_version_1(tmp_path, groups):
    write(tmp_path / "cpu" / "job", cpu__cfs_quota_us="50000\n", cpu__cfs_period_us="100000\n")
    write(tmp_path / "cpu", cpu__cfs_quota_us="-1\n", cpu__cfs_period_us="100000\n")
    assert groups("4:memory:/\n1:cpu,cpuacct:/job\n0::/\n") == (50000, 100000)
    assert groups("1:cpu:/\n0::/\n") is None


@pytest.mark.parametrize(
    "quota, expected", [(None, 4), ((50_000, 100_000), 1), ((150_000, 100_000), 2), ((900_000, 100_000), 4)]
)
def test_cores_of_the_affinity_and_the_quota(monkeypatch, quota, expected):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(cores, "cgroup_quota", lambda: quota)
    assert cores.available_cores() == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
def test_a_process_bound_to_one_core_has_one():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); import nnlite as nn; "
    result = subprocess.run(
        [sys.executable, "-c", code + "print(nn.get_num_threads())"],
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "NNLITE_THREADS"},
    )
    assert result.stdout == "1\n", result.stderr
