"""The log of a run: `log.jsonl` in its folder, a line of JSON for each event."""

import json
from pathlib import Path

from nnlite.entries import from_file, lacking
from nnlite.files import append_text, write_text

LOG = "log.jsonl"
#: What a line may have; each has the step.
_LINE = {"step": int, "sequences": int, "seconds": float, "evaluation": dict}
_LINE |= dict.fromkeys(("loss", "penalty", "learning_rate"), float)


def append(folder, line):
    """Add a line, a dict with the step among its entries."""
    append_text(Path(folder) / LOG, _text(line))


def cut(folder, step):
    """Leave out the lines after a step."""
    write_text(Path(folder) / LOG, "".join(_text(line) for line in read_log(folder) if line["step"] <= step))


def read_log(folder):
    """Return the lines of a run's log as dicts; a last line that was cut off is left out.

    ValueError, naming the file and the line, when another one is damaged.
    """
    path, found = Path(folder) / LOG, []
    for row, line in enumerate(path.read_bytes().split(b"\n")[:-1] if path.exists() else [], 1):
        try:
            content = json.loads(line)
            text = f"{content!r:.50} in place of an object"
            if isinstance(content, dict):
                text = lacking(content, {k: _LINE[k] for k in _LINE if k in content or k == "step"})
        except (ValueError, RecursionError) as error:
            text = f"no JSON ({error})"
        if text:
            raise ValueError(f"{path} is damaged (line {row} has {text}): remove that line")
        found.append(from_file(content, f"{path}, line {row}"))
    return found


def _text(line):
    return json.dumps(line) + "\n"
