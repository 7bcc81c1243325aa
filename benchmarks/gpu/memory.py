"""Counts, on a machine without a GPU, the GPU memory of a training step, buffer by buffer.

    python -m benchmarks.gpu.memory --out results

The step runs on the double of CuPy that the tests have; every array that it makes is entered in a model of
CuPy's memory pool, with the module that asked for it. What a pool takes from the GPU is what nnlite's
contestant in `benchmarks.train_step` reports as its peak there. It is set beside what PyTorch was measured to
take. Not counted: CUDA itself, the code of the kernels, and what a captured graph adds.
"""

import argparse
import shlex
import sys
import tempfile
from unittest import mock

from nnlite.benchmarks.contestant import ROOT
from nnlite.benchmarks.nnlite_contestant import NnliteContestant
from nnlite.benchmarks.side_by_side import LEARNING, write_start
from nnlite.files import make_folder, write_text
from nnlite.train.report.files import write_json
from nnlite.train.report.provenance import commit
from nnlite.train.report.tables import format_markdown
from nnlite.train.runs.loop import Trainer

MIB = 1 << 20
#: What PyTorch's allocator had reserved, MiB, on an H100 (`results/benchmarks.md`), and nnlite by then.
MEASURED = {
    ("ae_convlstm_flow", 8): {"eager": 402, "graph": 556, "nnlite": 813},
    ("ae_convlstm_flow", 16): {"graph": 844, "nnlite": 1352},
}
#: Rows of the table of buffers: those above this share of the peak.
SHARE = 0.01


def main(argv=None):
    """Run the command; return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu.memory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", default="ae_convlstm_flow", help="default: ae_convlstm_flow")
    parser.add_argument("--batch", nargs="+", type=int, default=(8, 16), help="default: 8 16")
    parser.add_argument("--length", type=int, default=10, help="frames in a sequence (10)")
    parser.add_argument("--out", default="results", metavar="FOLDER", help="default: results")
    options = parser.parse_args(argv)
    if not (ROOT / "tests" / "cupy_double").is_dir():
        print("error: this needs the tests' double of CuPy: run it in a clone", file=sys.stderr)
        return 2
    content = {"command": shlex.join(["python", "-m", "benchmarks.gpu.memory", *argv]), "commit": commit()}
    content |= {"model": options.model, "length": options.length, "rows": []}
    for batch in options.batch:
        for graph in (False, True):
            content["rows"].append(count(options.model, batch, options.length, graph))
    page, folder = format_page(content), make_folder(options.out)
    print(page)
    write_json(folder / "gpu_memory.json", content)
    write_text(folder / "gpu_memory.md", page)
    return 0


def count(model, batch, length, graph):
    """Return what training steps of a model take: bytes of the pools, most bytes in use, and by whom."""
    sys.path.insert(0, str(ROOT))
    from tests import cupy_double
    from tests.cupy_double import memory, streams

    with (
        tempfile.TemporaryDirectory() as folder,
        cupy_double.installed(),
        memory.counting() as count_of,
        mock.patch.object(streams.Graph, "launch", lambda *_: None),
        mock.patch.object(Trainer, "_check_loss", lambda _: None),  # nothing is computed
    ):
        write_start(folder, model, batch, length)
        contestant = NnliteContestant("train", model, "cuda", folder, LEARNING | {"cuda_graph": graph})
        for path, module in contestant.model.named_modules():
            module.counted_as = path
        for _ in range(1 if graph else 2):  # as many as it takes until a step is like the one before
            contestant.trainer.train_step()
        pools = [count_of(None)]
        if graph:
            pools.append(count_of(contestant.trainer.gradient._pool))
        peaks = [pool.at_peak() for pool in pools]
    by = {}
    for _, found in peaks:
        for (module, function), size in found.items():
            by[f"{module}: {function}"] = by.get(f"{module}: {function}", 0) + size
    return {
        "batch": batch,
        "graph": graph,
        "pools": [pool.total for pool in pools],
        "in use": sum(most for most, _ in peaks),
        "buffers": dict(sorted(by.items(), key=lambda item: -item[1])),
    }


def format_page(content):
    """Return the page in Markdown."""
    lines = ["# GPU memory of a training step, counted", ""]
    lines += [
        f"`{content['command']}`, commit {content['commit']}. **Counted buffers, not measured on a GPU.**"
    ]
    lines += [f"{content['model']}, {content['length']} frames of 64x64, rmsprop, float32.", ""]
    table = []
    for row in content["rows"]:
        measured = MEASURED.get((content["model"], row["batch"]), {})
        torch = {name: size for name, size in measured.items() if name != "nnlite"}
        least = min(torch.values(), default=None)
        total = sum(row["pools"]) / MIB
        cells = [
            row["batch"],
            "yes" if row["graph"] else "no",
            f"{total:,.0f}",
            f"{row['in use'] / MIB:,.0f}",
        ]
        cells += [", ".join(f"{size} ({name})" for name, size in torch.items())]
        cells += [f"{total / least:.2f}" if least else "", measured.get("nnlite", "") if row["graph"] else ""]
        table.append(cells)
    columns = "batch", "CUDA graph", "MiB of the pools", "most in use", "PyTorch, measured", "ratio"
    lines += [_table((*columns, "nnlite, measured before"), table), ""]
    for row in content["rows"]:
        lines += [f"## Batch {row['batch']}{', CUDA graph' * row['graph']}: what is in use at the peak", ""]
        whole = sum(row["buffers"].values())
        large = [(who, f"{size / MIB:.1f}") for who, size in row["buffers"].items() if size > SHARE * whole]
        rest = whole - sum(size for size in row["buffers"].values() if size > SHARE * whole)
        lines += [_table(("asked for by", "MiB"), [*large, ("the rest", f"{rest / MIB:.1f}")]), ""]
    return "\n".join(lines)


def _table(columns, rows):
    return format_markdown(columns, [[str(cell) for cell in row] for row in rows])


if __name__ == "__main__":
    sys.exit(main())
