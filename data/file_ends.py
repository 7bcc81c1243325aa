"""Whether a file is cut short, by the sizes that its outermost parts state."""

import os
import re

#: The parts of an MP4 that pictures cannot be read without.
_NEEDED = {b"moov", b"mdat", b"moof"}
_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067
#: Packets of a transport stream: their lengths, and where in them the byte is with which they synchronise.
_TRANSPORT_UNITS, _SYNC = ((188, 0), (192, 4), (204, 0)), b"G"
_LONGEST_UNIT = 256
#: The beginning of a program stream, and of the packets in it, which are followed by their length.
_PACK, _PACKET = b"\0\0\1\xba", re.compile(b"\0\0\1[\xbb-\xef](..)", re.DOTALL)
_LONGEST_PACKET = 6 + 0xFFFF


def is_cut_short(path):
    """Return whether an AVI, WebP, MP4, MOV, Matroska, WebM, GIF or MPEG file ends before its parts do.

    False for other formats, and for recordings whose length was unknown when their beginning was written.
    MPEG: transport streams (TS, M2TS) and program streams (MPG, VOB).
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        head = file.read(_LONGEST_UNIT)
        file.seek(0)
        if head.startswith(b"RIFF"):
            length = int.from_bytes(head[4:8], "little")
            return 0 < length < 0xFFFFFFF0 and 8 + length > size + 1  # the padding of an odd part may lack
        if head.startswith(_EBML.to_bytes(4, "big")):
            return _ebml_is_cut(file, size)
        if head.startswith(b"GIF8"):
            return _gif_is_cut(file)
        if head[4:8] in _NEEDED | {b"ftyp", b"wide", b"free", b"skip"}:
            return _boxes_are_cut(file, size)
        if head.startswith(_PACK):
            return _program_is_cut(file, size)
    for unit, first in _TRANSPORT_UNITS:
        if head[first : first + 1] == head[first + unit : first + unit + 1] == _SYNC:
            return size % unit > 0
    return False


def _boxes_are_cut(file, size):
    """Return whether a needed box at the outermost level of an MP4 reaches beyond the end."""
    start = 0
    while start + 8 <= size:
        file.seek(start)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0: it ends with the file
            return False
        start += length
        if start > size and kind in _NEEDED:
            return True
    return False


def _ebml_is_cut(file, size):
    """Return whether the segment of a Matroska file reaches beyond the end."""
    while (name := _ebml_number(file, keep_marker=True)) is not None:
        length = _ebml_number(file)
        if name == _SEGMENT or length is None:
            return length is not None and file.tell() + length > size
        file.seek(length, os.SEEK_CUR)
    return False


def _ebml_number(file, keep_marker=False):
    """Return the number at the file's position, or None if it is unknown or there is none."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    number = int.from_bytes(first + file.read(length - 1), "big")
    if keep_marker:
        return number
    number -= 1 << 7 * length
    return None if number == (1 << 7 * length) - 1 else number


def _program_is_cut(file, size):
    """Return whether the last packet of a program stream reaches beyond the end."""
    start = max(0, size - _LONGEST_PACKET)
    file.seek(start)
    content = file.read()
    *_, last = [None, *_PACKET.finditer(content)]
    if last is None:
        return False
    end = last.end() + int.from_bytes(last[1], "big")
    # What follows the last packet may be the end's mark, but not the beginning of another pack.
    return start + end > size or content[end : end + len(_PACK)] == _PACK


def _gif_is_cut(file):
    """Return whether a GIF ends inside a block."""
    head = file.read(13)
    if head[10:] and head[10] & 0x80:
        file.seek(3 << (head[10] & 7) + 1, os.SEEK_CUR)
    while kind := file.read(1):
        if kind == b"!":
            file.read(1)
        elif kind == b",":
            flags = file.read(9)[8:]
            if flags and flags[0] & 0x80:
                file.seek(3 << (flags[0] & 7) + 1, os.SEEK_CUR)
            file.read(1)
        else:  # the end, or what no reader looks at
            return False
        while (length := file.read(1)) != b"\0":
            if not length or len(file.read(length[0])) < length[0]:
                return True
    return False
