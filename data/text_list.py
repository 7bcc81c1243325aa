"""Lists that data sets come with: text, one entry a line."""

import codecs

_UTF16 = codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE


def read_lines(path):
    """Return [(number of the line from 1 on, its text)] of a text file in UTF-8.

    ValueError, naming file, line and what to do, where it is in another encoding.
    """
    content = path.read_bytes()
    if content.startswith(_UTF16):
        raise ValueError(f"{path}, line 1: the file is in UTF-16; save it as UTF-8")
    lines = []
    for row, line in enumerate(content.removeprefix(codecs.BOM_UTF8).splitlines(), 1):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path}, line {row}: the byte {line[error.start]:#x} is not UTF-8 ({line!r:.200});"
                " save the file as UTF-8"
            ) from error
        if "\0" in text:
            raise ValueError(f"{path}, line {row}: there is a zero byte; save the file as UTF-8")
        lines.append((row, text))
    return lines
