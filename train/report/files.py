"""JSON files: written as a whole, and read with a message that names what is wrong."""

import json
from pathlib import Path

from nnlite.entries import from_file, lacking
from nnlite.files import write_text


def write_json(path, content):
    """Write `content` as indented JSON, replacing the file as a whole."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_json(path, wanted, fix):
    """Return the JSON object in a file that a run has written, as `Entries`.

    wanted: {name: type or {name: ...}} of what it has to hold, see `lacking`. fix: what to do when it is
    damaged, for the message of the ValueError that names the file.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}, not an object")
        if text := lacking(content, wanted):
            raise ValueError(f"it has {text}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error}): {fix}") from error
    return from_file(content, str(path))
