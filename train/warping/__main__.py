"""The paper's Figure 2: frames warped by their true flow with the grid generator and the sampler alone.

    python -m train.warping                     MPI-Sintel and Middlebury below NNLITE_DATA, else a drawn pair
    python -m train.warping --sintel DIR        every scene and pass that is there (folder with training/)
    python -m train.warping --middlebury DIR    folder with other-data/ and other-gt-flow/

Why there are two directions, and which pixels count: python -m pydoc nnlite.train.warping.experiment
"""

if __name__ == "__main__":  # before all other imports, which take their time
    from ..starting import start

    start(__spec__.name)

import shlex
import sys

from nnlite.files import exit_status
from nnlite.train.report.tables import print_any_name
from nnlite.train.runs.command import invocation
from nnlite.train.runs.options import parse_options
from nnlite.train.warping.experiment import WarpingOptions, run

DESCRIPTION = """\
The paper's Figure 2: warps frames by their true flow with the grid generator and the
sampler alone, in both directions. Prints the error per sequence and overall, with and without
occluded pixels, beside the paper's."""
EPILOG = (
    "Why there are two directions, and which pixels count: python -m pydoc nnlite.train.warping.experiment"
)


def main(argv=None):
    """Run the command; return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    print_any_name()
    program = invocation("warping")
    _, given = parse_options(WarpingOptions, argv, program=program, description=DESCRIPTION, epilog=EPILOG)
    try:
        run(WarpingOptions(**given), shlex.join([*program.split(), *argv]))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return exit_status(error)
    return 0
