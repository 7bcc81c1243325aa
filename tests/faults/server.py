"""Runs jobs in children, one after the other: a process that has everything imported, and forks for each.

It is started with `touches.c` loaded before the C library, which counts, refuses or ends what a child changes
on the disk. Imports and nothing else happen before a fork, so that a child is like a fresh process.
"""

import ctypes
import faulthandler
import gc
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

COUNT, FULL, KILL = range(3)
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Outcome:
    """How a child ended: status or signal, whether its time was over, its seconds of the processor, what it
    printed, its touches."""

    status: int | None
    signal: int | None
    hung: bool
    seconds: float
    out: str
    err: str
    touches: int

    @property
    def last_line(self):
        """The last line on stderr."""
        return (self.err.strip().splitlines() or [""])[-1]


class Server:
    """The process that forks, seen from outside."""

    def __init__(self, folder):
        library = folder / "touches.so"
        compiler = shutil.which("cc")
        self.counts_touches = compiler is not None
        environment = dict(os.environ)
        if compiler:
            command = [
                compiler,
                "-shared",
                "-fPIC",
                "-O1",
                "-o",
                str(library),
                str(HERE / "touches.c"),
                "-ldl",
            ]
            subprocess.run(command, check=True)
            environment["LD_PRELOAD"] = str(library)
        self.outputs = folder / "out", folder / "err"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.server", *map(str, self.outputs)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, job, *, seconds=120, memory=None, touch=None, kill_after=None, **arguments):
        """Run a job of `jobs.py` in a child and return its `Outcome`.

        seconds: of the processor; by the clock it may take six times as long. memory: in bytes, beyond what
        the process has when it begins. touch: (folder, mode, at). kill_after: seconds, of the processor too,
        until it is killed.
        """
        order = [job, arguments, seconds, memory, touch and [str(touch[0]), *touch[1:]], kill_after]
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        out, err = (path.read_text(errors="backslashreplace") for path in self.outputs)
        return Outcome(**answer, out=out, err=err)

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


def main(outputs):
    """Take orders from stdin until it ends."""
    from tests.faults import jobs

    gc.collect()
    gc.freeze()  # else each child copies all objects when it collects
    answers = os.dup(1)
    os.dup2(2, 1)
    for line in sys.stdin:
        job, arguments, seconds, memory, touch, kill_after = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _begin(outputs, memory, touch)
            try:
                jobs.JOBS[job](**arguments)
            finally:
                if touch:
                    touches = ctypes.CDLL(None).touches_count()
                    os.write(writing, str(touches).encode())
            sys.exit()
        os.close(writing)
        answer = _wait(child, seconds, kill_after, outputs[1])
        answer["touches"] = int(os.read(reading, 100) or 0) if select.select([reading], [], [], 0)[0] else 0
        os.close(reading)
        os.write(answers, (json.dumps(answer) + "\n").encode())


def _begin(outputs, memory, touch):
    """Make this process one of its own, with limits and its output in files."""
    os.setsid()
    faulthandler.register(signal.SIGUSR1, file=2)  # tells where all threads are, should it hang
    for number, path in enumerate(outputs, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if memory:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory,) * 2)
    if touch:
        folder, mode, at = touch
        ctypes.CDLL(None).touches_begin(folder.encode(), mode, ctypes.c_long(at))


def _wait(child, seconds, kill_after, errors):
    """Wait for the child; kill it, and what it began, when it is time.

    A child that is over its time first says on stderr, the file `errors`, where it is.
    """
    passed, seen, hung, killed = 0.0, time.monotonic(), False, False
    while True:
        ended, code, used = os.wait4(child, os.WNOHANG)
        # A moment in which this process did not run either, such as one in which all were stopped, is short.
        now = time.monotonic()
        passed, seen = passed + min(now - seen, 0.1), now
        if ended:
            break
        # A machine that is busy elsewhere lets a child wait for longer than it computes.
        over = passed > 6 * seconds or (passed > seconds and _processor_time(child) > seconds)
        if not killed and (over or (kill_after is not None and _processor_time(child) > kill_after)):
            hung, killed = over, True
            if over:
                _describe(child, errors)
            os.kill(child, signal.SIGKILL)
        time.sleep(0.002)
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:
        pass
    number = os.WTERMSIG(code) if os.WIFSIGNALED(code) else None
    return {
        "status": None if number else os.WEXITSTATUS(code),
        "signal": number,
        "hung": hung,
        "seconds": used.ru_utime + used.ru_stime,
    }


def _describe(process, errors):
    """Let a process write the stack of each thread, then add what the system says of them."""
    os.kill(process, signal.SIGUSR1)
    time.sleep(0.5)
    with open(errors, "a") as file:
        print(f"\n{_processor_time(process):.1f} s of the processor; state, place, call of each:", file=file)
        for task in sorted(Path(f"/proc/{process}/task").iterdir()):
            status = (task / "stat").read_text().rpartition(")")[2].split()[0]
            print(task.name, status, *((task / name).read_text() for name in ("wchan", "syscall")), file=file)


def _processor_time(process):
    """Return the seconds that a process has computed."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(sys.argv[1:])
