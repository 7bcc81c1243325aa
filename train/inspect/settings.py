"""The options of the microscope."""

import shlex
from dataclasses import dataclass, fields

from nnlite import models
from nnlite.train.inspect import traced_model
from nnlite.train.report.anonymise import anonymised_path
from nnlite.train.runs import command
from nnlite.train.runs.options import DATA, Options, flags_of, option
from nnlite.train.runs.run import PAGE

#: Entries of each array to compare with finite differences.
ENTRIES = 3
PAGE_GROUP = "the page"
DESCRIPTION = (
    "Run one sequence through a model, forward and backward, and write one HTML page that\n"
    "shows every gradient along the way: by module and time step, as pictures, histograms and norms."
)
EPILOG = "The page opens from disk in any browser and needs no network. Press ? in it for its keys."


@dataclass(frozen=True)
class Settings(Options):
    """All that can be set, declared once."""

    run: str | None = option(
        None,
        "the folder of a run, or a checkpoint.h5 (default: the pretrained weights of the model, or a "
        "new model where there are none)",
        flags=("run",),
        path="RUN",
        nargs="?",
    )
    model: str | None = option(
        None,
        f"architecture: {', '.join(models.TITLES)} (default: {traced_model.DEFAULT}); for a folder of "
        "several runs, which of them",
        metavar="NAME",
    )
    sequence: int = option(0, "number of the test sequence, or of the segment of the video", DATA, least=0)
    video: str | None = option(
        None,
        "a video or a folder of pictures, in place of the run's test sequences",
        DATA,
        path="FILE",
    )
    frames: int | None = option(
        None, "frames that the model sees (default: as in training, fewer of large ones)", DATA, least=2
    )
    loss_at: str | None = option(
        None,
        "take the loss of the predictions of all steps, or of the last one, whose gradient shows how "
        "far back the memory carries it (default: as in training)",
        PAGE_GROUP,
        choices=("all", "last"),
    )
    entries: int = option(
        ENTRIES, "entries of the input and of each parameter to compare with finite differences", PAGE_GROUP
    )
    out: str | None = option(
        None, f"where to write the page (default: {PAGE} in the run's folder)", PAGE_GROUP, path="FILE.html"
    )


def anonymised_command(given):
    """Return the command line of the given options, paths without the folders that they are in."""
    words = command.invocation("inspect").split()
    for declared in fields(Settings):
        if declared.name in given:
            flag = flags_of(declared)[0]
            words += [flag] if flag.startswith("-") else []
            value = given[declared.name]
            words.append(anonymised_path(value) if declared.metadata["path"] else str(value))
    return shlex.join(words)
