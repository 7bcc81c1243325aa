"""Plants faults and counts what becomes of them.

    python -m tests.faults --minutes 10 --seed 1

- Files, a third of the time: good files of every format that is read (Torch7 objects and sequences,
  .npy, .flo, idx, checkpoints, PNG and JPEG, one by one and as folders, MP4, GIF, AVI and Matroska, results,
  logs and groups of runs, lists of pictures and of videos), which it makes itself, are read whole, then
  truncated, spliced, bit-flipped, claiming too much, and, where they hold JSON, valid and wrong. A child
  reads each with 10 s of the processor, 60 by the clock, and 2 GiB. Right: it was read. Clear error: a
  ValueError or OSError that names the file. Anything else is wrong: an unclear error, an unnamed file, a
  hang, a crash, memory.
- Kills, a fourth: tiny runs, and groups of runs, of every experiment, without their pictures, are killed by
  SIGKILL at a touch of their files (a call that creates, writes, renames, removes or syncs one; a write half
  done), one fourth of them at a random time instead, and continued. Wrong: a run that is lost, or that leaves
  other files, or whose parameters, log or result differ, times aside, from those of one that was not killed.
- Disks, a fifth: commands that write, on a disk that is full from one of their touches on. Right: status 1
  and a message that names the file. Wrong: a traceback, a signal, another message or status, a piece left.
- Options, a tenth: the same runs, and what is done with them afterwards, with one option at either end of
  what its help allows, or at one of its choices, from start to result. Right: there is one, or an error that
  names the option. Wrong: a traceback, a signal, a hang, a warning of NumPy's, another message.
- Forks, a tenth: a process that has computed, and may be computing in a thread, forks; parent, children and
  threads compute the same numbers to the bit. Wrong: a hang, other numbers.

The trials, though not how many there is time for, follow from the seed. Kills and disks need a C compiler,
`cc`; without one they are left out. The status is 1 when anything was wrong.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from nnlite.limits import VARIABLE
from nnlite.train.report.tables import format_markdown
from tests.faults import ends, trials
from tests.faults.server import Server

SHARES = {"files": 0.35, "kills": 0.25, "disks": 0.2, "options": 0.1, "forks": 0.1}
RIGHT = {"right", "clear error", "equal", "named, status 1", "done", "named"}
PARTS = {
    "files": trials.files,
    "kills": trials.kills,
    "disks": trials.disks,
    "options": ends.options,
    "forks": trials.forks,
}
#: How many wrong outcomes of a part are told.
TOLD = 20
#: What a file may ask for in these trials: so that a claim beyond it is quickly made.
LARGEST = 2**28


def main(argv=None):
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=1.0, metavar="M", help="how long (1)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of all that is drawn (0)")
    parser.add_argument("--parts", nargs="+", choices=SHARES, default=list(SHARES), help="what to do (all)")
    asked = parser.parse_args(argv)
    print(__doc__, flush=True)
    os.environ[VARIABLE] = str(LARGEST)
    os.environ.pop("NNLITE_DATA", None)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            counts = _run(server, Path(folder), asked)
        finally:
            server.close()
    rows = [(part, outcome, str(n)) for part, found in counts.items() for outcome, n in sorted(found.items())]
    print("\n" + format_markdown(("part", "outcome", "trials"), rows))
    return int(any(set(found) - RIGHT for found in counts.values()))


def _run(server, folder, asked):
    """Return {part: Counter of outcomes}."""
    began, counts = time.monotonic(), {}
    share = sum(SHARES[part] for part in asked.parts)
    runs = None
    for part in asked.parts:
        if part in ("kills", "disks") and not server.counts_touches:
            print(f"{part}: left out, there is no C compiler")
            continue
        if part not in ("files", "forks"):
            runs = runs or trials.whole_runs(server, folder)
        seconds, start = 60 * asked.minutes * SHARES[part] / share, time.monotonic()
        about = {"files": (), "forks": ()}.get(part, (runs,))
        made = PARTS[part](server, folder, asked.seed, *about)
        counts[part] = found = Counter()
        for outcome, message in made:
            found[outcome] += 1
            if message and sum(n for o, n in found.items() if o not in RIGHT) <= TOLD:
                print(f"{part}: {message}", flush=True)
            if time.monotonic() - start > seconds:
                break
        print(f"{part}: {found.total()} trials in {time.monotonic() - start:.0f} s", flush=True)
    print(f"{time.monotonic() - began:.0f} s in all")
    return counts


if __name__ == "__main__":
    sys.exit(main())
