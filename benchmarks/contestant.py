"""Contestants and their processes: each acts only on request, so that only one works at a time.

A parent starts a `Child` for each contestant and exchanges lines of JSON with it. The child runs `serve`.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


class ChildFailed(RuntimeError):
    """A contestant's process ended; the message is its error."""


class Child:
    """A process that runs `python -m program` in the given environment and serves one contestant.

    settings: the arguments that the contestant is built with.
    """

    def __init__(self, program, settings, environment):
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self.libraries = self._send(settings)

    def ask(self, method, *arguments):
        """Call a method of the contestant and return what it returns."""
        return self._send([method, *arguments])

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()
        self._errors.close()

    def _send(self, message):
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
            reply = self._process.stdout.readline()
        except BrokenPipeError:
            reply = ""
        if not reply:
            self._process.wait()
            self._errors.seek(0)
            raise ChildFailed(_reason(self._errors.read()) or f"exit status {self._process.returncode}")
        return json.loads(reply)


class Contestant:
    """The requests that contestants of both frameworks answer; subclasses do the work.

    job: "train" (a unit of work is one training step), "sequences" (one prediction for a batch of sequences)
    or "stream" (one prediction from the next frame of one endless sequence). A unit returns the loss or the
    prediction, or None.
    """

    def __init__(self, job):
        self.unit = {"train": self.train, "sequences": self.predict, "stream": self.continue_stream}[job]
        self.position = 0

    def warm_up(self, units):
        """Run some units without timing them; return the mean of the first one's result, or None."""
        first = self.unit()
        for _ in range(units - 1):
            self.unit()
        self.synchronize()
        return None if first is None else float(first if isinstance(first, float) else first.mean())

    def turn(self, min_seconds):
        """Work for at least that long; return the seconds of every unit."""
        seconds, turn_start = [], time.perf_counter()
        while not seconds or time.perf_counter() - turn_start < min_seconds:
            unit_start = time.perf_counter()
            self.unit()
            self.synchronize()
            seconds.append(time.perf_counter() - unit_start)
        return seconds

    def next_frame(self):
        """Return the next frame of the first sequence, (1, 1, C, H, W), cyclically."""
        frame = self.frames[self.position : self.position + 1, :1]
        self.position = (self.position + 1) % len(self.frames)
        return frame

    def processor_seconds(self):
        """Return the processor time that this process has used, in seconds."""
        return time.process_time()

    def peak_memory(self):
        """Return the peak memory in bytes, {"host": ...} and on a GPU also "device"."""
        return {"host": _peak_resident(), **self.peak_device_memory()}


def serve(build):
    """Build a contestant from the first line of standard input, then answer the lines that follow.

    build(**settings) returns the contestant; its `libraries` are the first answer.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the output of libraries must not be taken for an answer

    def answer(content):
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    contestant = build(**json.loads(sys.stdin.readline()))
    answer(contestant.libraries)
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        answer(getattr(contestant, method)(*arguments))


def _reason(output):
    """Return the line of a Python traceback that names the error, else the last line."""
    lines = [line for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if not line[0].isspace() and "Error: " in line]
    return (errors or lines or [""])[-1]


def _peak_resident():
    """Return the peak resident set size of this process in bytes."""
    try:  # getrusage would include the memory of the parent at the time of the fork
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
