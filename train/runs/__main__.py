"""List the run folders below a folder: what they train, how far they are, and how to continue them.

python -m train.runs            those below runs/
python -m train.runs FOLDER
"""

if __name__ == "__main__":  # before all other imports, which take their time
    from ..starting import start

    start(__spec__.name)

import argparse
from pathlib import Path

from nnlite.train.report.tables import format_markdown, print_any_name
from nnlite.train.runs.experiment import kind_of, load_run
from nnlite.train.runs.loop import CHECKPOINT
from nnlite.train.runs.run import RESULT

COLUMNS = ("run", "experiment", "model", "sequences", "of", "state")


def main(argv=None):
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m train.runs", description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", default="runs", metavar="FOLDER", help="where to look (runs)")
    print_any_name()
    folder = Path(parser.parse_args(argv).folder)
    rows = [_row(path, folder) for path in sorted(folder.rglob(CHECKPOINT))]
    print(format_markdown(COLUMNS, rows) if rows else f"there are no runs below {folder}")
    return 0


def _row(path, root):
    """Return the cells of a run, whose checkpoint may be damaged or of something else."""
    name = str(path.parent.relative_to(root))
    try:
        saved = load_run(path)
    except ValueError as error:
        return name, "", "", "", "", f"damaged: {error}"
    kind = kind_of(saved)
    if kind is None:
        return name, "", saved.architecture.get("name", ""), "", "", "not a run"
    loop = saved.metadata["loop"]
    seen = saved.position["step"] * loop["batch"]
    state = "finished" if (path.parent / RESULT).exists() else "to be resumed"
    return name, kind, saved.architecture["name"], f"{seen:,}", f"{loop['sequences']:,}", state
