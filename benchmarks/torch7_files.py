"""Time to load Torch7 files of many small objects, by nnlite and by torchfile, in turns.

    python -m benchmarks.torch7_files     some seconds

Three files of about 5,800 objects: a network of small layers, records as a data set keeps them, and small
tensors. Both readers must find the same in them. Writes torch7_files.md and .json.
"""

import argparse
import shlex
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from statistics import median

import numpy as np

import nnlite as nn
from nnlite import torch7
from nnlite.files import make_folder, write_text
from nnlite.train.report.files import write_json
from nnlite.train.report.provenance import hardware
from nnlite.train.report.tables import format_markdown

COLUMNS = ("file", "objects", "MB", "nnlite, ms", "torchfile, ms", "ratio")


class Disagreement(RuntimeError):
    """The two readers do not find the same in a file."""


def main(argv=None):
    """Run the command; return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.torch7_files",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--scale", type=float, default=1.0, help="times as many objects (1)")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each reader (15)")
    parser.add_argument("--out", default="results", metavar="FOLDER", help="default: results")
    options = parser.parse_args(argv)
    try:
        import torchfile
    except ImportError:
        print("error: torchfile is not installed: pip install torchfile", file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory() as folder:
            files = {name: make(options.scale) for name, make in FILES.items()}
            rows = [
                measure(name, obj, Path(folder), torchfile, options.rounds) for name, obj in files.items()
            ]
    except Disagreement as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    run = {
        "command": shlex.join(["python", "-m", "benchmarks.torch7_files", *argv]),
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": hardware("cpu"),
        "rows": rows,
    }
    folder = make_folder(options.out)
    write_json(folder / "torch7_files.json", run)
    write_text(folder / "torch7_files.md", format_page(run))
    print(format_markdown(COLUMNS, [_cells(row) for row in rows]))
    print(f"Written to {folder}/torch7_files.md and {folder}/torch7_files.json")
    return 0


def measure(name, obj, folder, torchfile, rounds):
    """Return objects, bytes and seconds of the turns of both readers with a file of `obj`."""
    path = str(folder / "file.t7")
    torch7.save(path, obj)
    readers = {"nnlite": torch7.load, "torchfile": torchfile.load}
    found = {side: load(path) for side, load in readers.items()}
    if not _same(found["nnlite"], found["torchfile"]):
        raise Disagreement(f"{name}: the two readers do not find the same")
    seconds = {side: [] for side in readers}
    for _ in range(rounds):
        for side, load in readers.items():
            begun = time.perf_counter()
            load(path)
            seconds[side].append(time.perf_counter() - begun)
    size, count = Path(path).stat().st_size, _objects(found["nnlite"])
    return {"file": name, "objects": count, "bytes": size, "seconds": seconds}


def format_page(run):
    """Return the page of a run in Markdown."""
    machine = run["machine"]
    return "\n".join(
        [
            "# Loading Torch7 files of many small objects beside torchfile 0.1.0",
            "",
            f"`{run['command']}`, {run['date']}, one core of {machine['cpu']}.",
            "Objects are tables, objects of classes, tensors and storages. The readers take turns; times are",
            "medians.",
            "",
            format_markdown(COLUMNS, [_cells(row) for row in run["rows"]]),
            "",
        ]
    )


def _cells(row):
    ours, theirs = (1e3 * median(row["seconds"][side]) for side in ("nnlite", "torchfile"))
    size = f"{row['bytes'] / 1e6:.2f}"
    return row["file"], f"{row['objects']:,}", size, f"{ours:.1f}", f"{theirs:.1f}", f"{ours / theirs:.2f}"


def _network(scale):
    """Return a network of small layers, as its file holds it."""
    blocks = max(1, round(166 * scale))
    layers = [
        layer
        for _ in range(blocks)
        for layer in (nn.Linear(3, 3), nn.Tanh(), nn.SpatialConvolution(1, 1, 1, 1), nn.Dropout())
    ]
    return torch7.from_module(nn.Sequential(*layers))


def _records(scale):
    """Return a table of pictures with what is in them."""
    count = max(1, round(1450 * scale))
    return [
        {
            "file": f"images/{i:06d}.jpg",
            "size": [640, 480],
            "labels": {"class": f"class {i % 20}", "difficult": i % 7 == 0, "score": i / count},
            "box": [i, 2 * i, i + 0.5, 2 * i + 0.25],
        }
        for i in range(count)
    ]


def _tensors(scale):
    """Return a table of small tensors by names. (With NumPy 2 torchfile 0.1.0 cannot read a list of them.)"""
    random = np.random.default_rng(0)
    count = max(1, round(2900 * scale))
    return {f"tensor {i}": random.standard_normal((1 + i % 4, 5)).astype(np.float32) for i in range(count)}


FILES = {"network": _network, "records": _records, "tensors": _tensors}


def _objects(found):
    """Return how many objects with an index there are in what was loaded."""
    seen, waiting = set(), [found]
    while waiting:
        obj = waiting.pop()
        if id(obj) in seen:
            continue
        if isinstance(obj, np.ndarray):
            seen |= {id(obj)} | ({id(obj.base)} if obj.base is not None else set())
        elif isinstance(obj, torch7.TorchObject):
            seen.add(id(obj))
            waiting.append(obj.contents)
        elif isinstance(obj, dict):
            seen.add(id(obj))
            waiting += obj.values()
    return len(seen)


def _same(ours, theirs):
    """Tell whether both readers found the same; torchfile makes lists of some tables, and bytes."""
    if isinstance(ours, torch7.TorchObject):
        name = theirs.torch_typename().decode()
        return ours.class_name == name and _same(ours.contents, theirs._obj)
    if isinstance(ours, dict) and isinstance(theirs, list):
        return list(ours) == list(range(1, len(theirs) + 1)) and all(map(_same, ours.values(), theirs))
    if isinstance(ours, dict):
        keys = [key.encode() if isinstance(key, str) else key for key in ours]
        return set(keys) == set(theirs) and all(
            _same(value, theirs[key]) for key, value in zip(keys, ours.values())
        )
    if isinstance(ours, np.ndarray):
        return np.array_equal(ours, theirs)
    if isinstance(ours, torch7.Storage):
        return np.array_equal(ours.array, theirs)
    return (ours.encode() if isinstance(ours, str) else ours) == theirs


if __name__ == "__main__":
    sys.exit(main())
