"""Tells what a file is that no Torch7 has written, and how it is opened instead."""

import re
import zipfile

from .types import Torch7Error

_SIGNS = {
    b"version https://git-lfs": (
        "a Git LFS pointer, a note of where the file is kept",
        "run `git lfs pull` in its repository, or download the file itself",
    ),
    b"\x89HDF\r\n\x1a\n": ("an HDF5 file", "open it with h5py, or with nnlite.checkpoint if it wrote it"),
    b"\x93NUMPY": ("a NumPy array", "open it with numpy.load"),
    b"\x1f\x8b": ("compressed by gzip", "unpack it with `gunzip`, or `tar xzf` if it is an archive"),
    b"BZh": ("compressed by bzip2", "unpack it with `bunzip2`"),
    b"\xfd7zXZ\x00": ("compressed by xz", "unpack it with `unxz`"),
    b"\x28\xb5\x2f\xfd": ("compressed by zstd", "unpack it with `unzstd`"),
    b"\x89PNG\r\n": ("a PNG image", "open it with an image library"),
    b"\xff\xd8\xff": ("a JPEG image", "open it with an image library"),
    b"MATLAB 5.0": ("a MATLAB file", "open it with scipy.io.loadmat"),
    b"%PDF-": ("a PDF document", "download the file that it describes"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "unpack it with `7z x`"),
    b"Rar!\x1a\x07": ("a rar archive", "unpack it with `unrar x`"),
}
_PYTORCH = "open it in PyTorch with torch.load and save its arrays with numpy.savez"
_PICKLE = (
    "a Python pickle, as PyTorch wrote them before 1.6",
    _PYTORCH + ". Unpickle only files that you trust: a pickle can run any program",
)
_OLD_PICKLE = (
    "a Python pickle of protocol 0 or 1",
    "open it with pickle.load. Unpickle only files that you trust: a pickle can run any program",
)
_LINK = "download the file itself, a raw or direct link"
#: Texts by how they begin, after a byte order mark and white space. (Torch7's begin with a digit up to 8.)
_TEXTS = (
    (rb"<(!doctype|html|head|body|\?xml|!--)", ("a web page, not the file behind it", _LINK)),
    (
        rb"[45]\d\d:? [a-z]|(\w+ )?not found|access denied",
        ("an error message of a web server, not the file behind it", _LINK),
    ),
    (rb"\{\s*[\"}]|\[\s*[\[\]{\"\d-]", ("JSON", "open it with json.load")),
)
#: A list, dict or tuple, or a class by its module and name.
_OLD_PICKLE_BEGINS = re.compile(rb"\([dlt]p\d+\n|[\]})]q|c[a-zA-Z_][\w.]*\n[a-zA-Z_]\w*\n")


def refuse_foreign(path, data):
    """Raise Torch7Error when the bytes `data` of the file are known to be of another format."""
    head = data[:512]
    found = next((what for sign, what in _SIGNS.items() if head.startswith(sign)), None)
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        found = _zip(path)
    elif head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        found = _PICKLE
    elif _OLD_PICKLE_BEGINS.match(head):
        found = _OLD_PICKLE
    elif head[8:10] == b'{"' and int.from_bytes(head[:8], "little") in range(9, 1 << 32):
        found = ("a safetensors file", "open it with safetensors and save its arrays with numpy.savez")
    elif head[257:262] == b"ustar":
        found = ("a tar archive", "unpack it with `tar xf`")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    found = found or next((what for begins, what in _TEXTS if re.match(begins, text, re.IGNORECASE)), None)
    if found:
        raise Torch7Error(f"{path}: no Torch7 file but {found[0]}: {found[1]}")


def _zip(path):
    """Return what a zip archive is, by the names in it, and how it is opened."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        return "a damaged zip archive", "download it again"
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return "a PyTorch file (a zip archive with a pickle)", _PYTORCH
    if names and all(name.endswith(".npy") for name in names):
        return "NumPy arrays (.npz)", "open it with numpy.load"
    return "a zip archive", "unpack it with `unzip`"
