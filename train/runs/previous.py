"""The checkpoint before the last one, kept until training has gone on from the last one without diverging."""

import os
import shutil

from nnlite.files import replacing, writing
from nnlite.train.report.anonymise import CHECKPOINT


class PreviousCheckpoint:
    """A second name for a run's last checkpoint, which the one after it will not take.

    As a context: if training diverges inside it (FloatingPointError) the checkpoint is afterwards one from
    which it did not.
    """

    def __init__(self, folder):
        self._last, self._previous = folder / CHECKPOINT, folder / f".{CHECKPOINT}.previous"
        self._saved_at = None  # the step of the checkpoint that is not proven, if there is one

    def keep(self, step):
        """Keep the checkpoint that the one of this step is about to replace."""
        if self._saved_at is None and self._last.exists():
            self._previous.unlink(missing_ok=True)
            try:
                os.link(self._last, self._previous)
            except OSError:  # not every file system has links
                with replacing(self._previous) as part:
                    shutil.copyfile(self._last, part)
            self._saved_at = step

    def went_well(self, steps):
        """Note that so many steps were taken without divergence: the parameters before the last are good."""
        if self._saved_at is not None and self._saved_at < steps:
            self._drop()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None and issubclass(kind, FloatingPointError) and self._saved_at is not None:
            with writing(self._last, self._previous):
                os.replace(self._previous, self._last)
        self._drop()

    def _drop(self):
        self._previous.unlink(missing_ok=True)
        self._saved_at = None
