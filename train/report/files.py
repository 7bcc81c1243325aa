"""JSON files: written as a whole, and read with a message that names what is wrong."""

import json
from pathlib import Path

from nnlite.files import write_text


def write_json(path, content):
    """Write `content` as indented JSON, replacing the file as a whole."""
    write_text(path, json.dumps(content, indent=2) + "\n")


def read_json(path, wanted, fix):
    """Return the JSON object in a file that a run has written, a dict.

    wanted: {name: type} of what it has to hold. fix: what to do when it is damaged, for the message of the
    ValueError that names the file.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict):
            raise ValueError(f"it holds a {type(content).__name__}, not an object")
        for name, kind in wanted.items():
            if not isinstance(content.get(name), kind):
                raise ValueError(f"it has no {name!r} of type {kind.__name__}")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error}): {fix}") from error
    return content
