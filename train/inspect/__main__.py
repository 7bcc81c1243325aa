"""Look at every gradient of one sequence: forward, backward, and a page to look at it with.

    python -m train.inspect                       the default model on a test sequence
    python -m train.inspect RUN                   the model that a run has trained
    python -m train.inspect --model ae_fclstm     another architecture
    python -m train.inspect RUN --video FILE      on frames of a video

The page is one HTML file that opens from disk and needs no network: what every module took and gave on the
way forth and back as pictures, histograms and norms, gradient norms over time, the gates of the memory, and
derivatives beside finite differences.
"""

import argparse
import shlex
import sys
import time
from pathlib import Path

from nnlite.train.inspect import sequences as inspection_sources
from nnlite.train.inspect import subject as inspection_subject
from nnlite.train.inspect.report import ENTRIES, PAGE, PROGRAM, TITLES, describe_checks, write
from nnlite.train.report.anonymise import anonymised_command
from nnlite.train.runs.options import whole

from nnlite import models


def main(argv=None):
    """Run the command; return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    options = _parser().parse_args(argv)
    began = time.monotonic()
    try:
        subject = inspection_subject.load(options.checkpoint, options.model)
        print(f"{TITLES[subject.name]}, {models.count_parameters(subject.model):,} parameters")
        print(f"weights: {subject.weights}")
        sequence = inspection_sources.sequence_for(subject, options.sequence, options.video, options.frames)
        print(f"on {sequence.description}", flush=True)
        path = Path(options.out or (subject.folder or Path("runs")) / PAGE)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = write(
            path,
            subject,
            sequence,
            loss_at=options.loss_at,
            entries=options.entries,
            command=_portable(argv),
        )
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"loss {content['loss']:.6g}, norm of the gradient by all parameters {content['gradient']:.6g}")
    print(describe_checks(content["checks"]))
    print(f"{path.stat().st_size / 1e6:.1f} MB in {time.monotonic() - began:.0f} s; open {path}")
    return 0


def _portable(argv):
    """Return the command with files and folders named without those that they lie in."""
    words = [Path(word).name if "/" in word and Path(word).exists() else word for word in argv]
    return anonymised_command(shlex.join([*PROGRAM.split(), *words]))


def _parser():
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Run one sequence through a model, forward and backward, and write one HTML page that\n"
        "shows every gradient on the way: by module and time step, as pictures, histograms and norms.",
        epilog="The page opens from disk in any browser and needs no network. Press ? in it for its keys.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "checkpoint",
        nargs="?",
        metavar="CHECKPOINT",
        help="a checkpoint.h5, or the folder of a run (default: the pretrained weights of the model, or a "
        "new model where there are none)",
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        help=f"architecture: {', '.join(TITLES)} (default: {inspection_subject.DEFAULT}); in a run of "
        "several models, which of them",
    )
    parser.add_argument("--sequence", type=whole(0), default=0, metavar="N", help="which test sequence (0)")
    parser.add_argument(
        "--video", metavar="FILE", help="a video, or a folder of pictures: its Nth stretch of frames"
    )
    parser.add_argument(
        "--frames", type=whole(2), metavar="T", help="frames that the model sees (default: as in training)"
    )
    parser.add_argument(
        "--loss-at",
        choices=("all", "last"),
        help="the loss of the predictions of all steps or of the last one, whose gradient shows how far back "
        "the memory carries it (default: as in training)",
    )
    parser.add_argument(
        "--entries",
        type=whole(1),
        default=ENTRIES,
        metavar="N",
        help=f"entries of the input and of each parameter to compare with finite differences ({ENTRIES})",
    )
    parser.add_argument("--out", metavar="FILE.html", help=f"the page (default: {PAGE} in the run's folder)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
