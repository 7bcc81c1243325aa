"""Lists in UTF-8, and what is said of others."""

import pytest

from nnlite.data.text_list import read_lines


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_lines_of_a_list(tmp_path, start):
    (tmp_path / "list.txt").write_bytes(start + "a.png\r\n\u00e9.png\n".encode())
    assert read_lines(tmp_path / "list.txt") == [(1, "a.png"), (2, "\u00e9.png")]


@pytest.mark.parametrize(
    "content, message",
    [
        (
            "a.png\n\u00e9.png\n".encode("latin-1"),
            "line 2: the byte 0xe9 is not UTF-8.*save",
        ),
        ("a.png".encode("utf-16"), "line 1: the file is in UTF-16; save it as UTF-8"),
        ("a\nb".encode("utf-16-le"), "line 1: there is a zero byte; save the file as UTF-8"),
    ],
)
def test_other_encodings_are_named(tmp_path, content, message):
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(ValueError, match=f"list.txt, {message}"):
        read_lines(tmp_path / "list.txt")
