"""Look at every gradient of one sequence: forward, backward, and a page that shows both.

    python -m train.inspect                       the default model on a test sequence
    python -m train.inspect RUN                   the model that a run has trained
    python -m train.inspect --model ae_fclstm     another architecture
    python -m train.inspect RUN --video FILE      on frames of a video

The page is one HTML file that opens from disk and needs no network. It shows the inputs, the outputs and the
gradients of every module as pictures, histograms and norms, gradient norms over time, the gates of the
memory, and derivatives beside finite differences.
"""

if __name__ == "__main__":  # before all other imports, which take their time
    from ..starting import start

    start(__spec__.name)

import sys
import time
from pathlib import Path

from nnlite import models
from nnlite.files import exit_status, make_folder
from nnlite.train.inspect import traced_model
from nnlite.train.inspect.report import describe_checks, write
from nnlite.train.inspect.sequences import sequence_for
from nnlite.train.inspect.settings import DESCRIPTION, EPILOG, Settings, anonymised_command
from nnlite.train.report.tables import print_any_name
from nnlite.train.runs import command
from nnlite.train.runs.memory import describe_shortage
from nnlite.train.runs.options import parse_options
from nnlite.train.runs.run import PAGE


def main(argv=None):
    """Run the command; return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    print_any_name()
    program = command.invocation("inspect")
    _, given = parse_options(Settings, argv, program=program, description=DESCRIPTION, epilog=EPILOG)
    settings, began = Settings(**given), time.monotonic()
    try:
        traced = traced_model.load(settings.run, settings.model)
        print(f"{models.TITLES[traced.name]}, {models.count_parameters(traced.model):,} parameters")
        print(f"weights: {traced.origin}")
        sequence = sequence_for(traced, settings.sequence, settings.video, settings.frames)
        print(f"on {sequence.description}", flush=True)
        path = Path(settings.out or (traced.folder or Path("runs")) / PAGE)
        make_folder(path.parent)
        content = write(
            path,
            traced,
            sequence,
            loss_at=settings.loss_at,
            entries=settings.entries,
            command=anonymised_command(given),
        )
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return exit_status(error)
    except MemoryError as error:
        print(f"error: {describe_shortage(error, '--frames')}", file=sys.stderr)
        return 2
    gradient = content["gradient"]
    print(f"loss {content['loss']:.6g}, norm of the gradient with respect to all parameters {gradient:.6g}")
    print(describe_checks(content["checks"]))
    print(f"{path.stat().st_size / 1e6:.1f} MB in {time.monotonic() - began:.0f} s; open {path}")
    return 0
