"""What was measured so far: parts of pieces, in a file that is written piece by piece and taken up again."""

import json
import time
from pathlib import Path

from nnlite.files import make_folder, write_text
from nnlite.train.report.files import write_json

NAME = "gpu"
TIME_UP = "the time of this part was up"


class Record:
    """The pieces of all parts, in FOLDER/gpu.json.

    about: what the numbers belong to (commit, machine, dry run or not). An earlier record of the same is
    continued, and only pieces that were left out or failed are done again; another one is replaced.
    format_page(content): returns the page that is written beside it.
    """

    def __init__(self, folder, about, command, format_page):
        self.folder, self._format_page = make_folder(folder), format_page
        path = Path(folder) / f"{NAME}.json"
        earlier = json.loads(path.read_text()) if path.exists() else {}
        kept = earlier if earlier.get("about") == about else {"parts": {}, "commands": []}
        self.content = {"about": about, "commands": [*kept["commands"], command], "parts": kept["parts"]}

    def run(self, name, pieces, deadline):
        """Do the pieces of a part, (name, function(seconds left) -> row), until the deadline.

        What fails is recorded with its reason, and the next piece gets its turn. Pieces are left out, with
        the reason, once `time.monotonic()` is past the deadline.
        """
        part = self.content["parts"].setdefault(name, {"seconds": 0.0, "rows": {}})
        rows, start = part["rows"], time.monotonic()
        before = part["seconds"]
        for piece, function in pieces:
            if rows.get(piece, {}).keys() & {"skipped", "failed"} or piece not in rows:
                rows[piece] = self._row(name, piece, function, deadline - time.monotonic())
                part["seconds"] = round(before + time.monotonic() - start, 1)
                self.save()
        self.save()

    def _row(self, name, piece, function, left):
        if left <= 0:
            return {"skipped": TIME_UP}
        try:
            row = function(left)
        except Exception as error:  # whatever it is, the other pieces are worth their time
            row = {"failed": f"{type(error).__name__}: {error}"[:500]}
        for trouble in ("failed", "wrong"):
            if trouble in row:
                print(f"{name}, {piece}: {row}", flush=True)
        return row

    def save(self):
        """Write both files."""
        write_json(self.folder / f"{NAME}.json", self.content)
        write_text(self.folder / f"{NAME}.md", self._format_page(self.content))

    @property
    def troubles(self):
        """The names of the pieces that failed or came out wrong."""
        rows = [
            (name, *item) for name, part in self.content["parts"].items() for item in part["rows"].items()
        ]
        return [f"{name}: {piece}" for name, piece, row in rows if row.keys() & {"failed", "wrong"}]
