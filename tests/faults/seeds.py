"""Good files of every format that is read, and what is done to them."""

import gzip
import io
import json
import struct
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

import nnlite as nn
from nnlite import checkpoint, torch7
from nnlite.data.flow import write_flo
from nnlite.data.video_writer import write_video
from nnlite.train.moving_mnist.experiment import MovingDigits
from tests.video_files import make_video

OLD_RUN = Path(__file__).parents[1] / "old_runs" / "table1"
#: Numbers that claim too much, as they may stand in a file.
CLAIMS = [
    struct.pack(code, value)
    for code in ("<i", ">i", "<q", ">q", "<H", ">H")
    for value in ((2**15, 65535) if code[1] == "H" else (2**31 - 1, -1, 2**24))
] + [struct.pack("<q", 2**62)]
#: The entry of a JSON object that replaces another one.
WRONG = [5, -1, 1e400, None, True, "x", [], {}, [[]], {"a": 1}]


@dataclass(frozen=True)
class Seed:
    """A good file: kind of its reader, name, bytes, and {name: bytes} of the files that go with it."""

    kind: str
    name: str
    content: bytes
    beside: dict


def make_seeds(folder):
    """Return the seeds; files are written below the folder on the way."""
    random, found = np.random.default_rng(0), []

    def add(kind, name, content=None, beside=None):
        found.append(
            Seed(kind, name, (folder / name).read_bytes() if content is None else content, beside or {})
        )

    net = nn.Sequential().add(nn.SpatialConvolution(1, 2, 3, 3)).add(nn.Tanh()).add(nn.ReLU())
    for name, value, mode in (
        ("module.t7", torch7.from_module(net), "binary"),
        ("module_ascii.t7", torch7.from_module(net), "ascii"),
        ("table.t7", {"a": random.random((3, 4)), 1: "text", "b": {1: True, 2: 0.5}}, "binary"),
    ):
        torch7.save(folder / name, value, mode)
        add("t7", name)
    frames = random.integers(256, size=(3, 4, 1, 8, 8), dtype=np.uint8)
    torch7.save(folder / "frames.t7", frames)
    add("t7 sequences", "frames.t7")
    np.save(folder / "frames.npy", frames[:, :, 0].swapaxes(0, 1))
    add("npy", "frames.npy")
    write_flo(folder / "a.flo", random.random((5, 6, 2)))
    add("flo", "a.flo")
    idx = bytes([0, 0, 8, 3]) + struct.pack(">3i", 4, 5, 6) + bytes(120)
    add("idx", "images-idx3-ubyte", idx)
    add("idx", "images-idx3-ubyte.gz", gzip.compress(idx, mtime=0))
    for name, array in (
        ("grey.png", frames[0, 0, 0]),
        ("deep.png", random.integers(65536, size=(9, 7)).astype(np.uint16)),
        ("colour.png", random.integers(256, size=(9, 7, 3), dtype=np.uint8)),
        ("colour.jpg", random.integers(256, size=(9, 7, 3), dtype=np.uint8)),
    ):
        image = io.BytesIO()
        Image.fromarray(array).save(image, "JPEG" if name.endswith("jpg") else "PNG")
        add("picture", name, image.getvalue())
        add("picture folder", name, image.getvalue())
    pictures = [random.integers(256, size=(16, 24, 3), dtype=np.uint8) for _ in range(6)]
    for name in ("a.mp4", "a.gif"):
        write_video(folder / name, pictures, 25)
        add("video", name)
    for name in ("a.avi", "a.mkv"):
        make_video(folder / name, pictures)
        add("video", name)
    _add_runs(folder, add)
    two = {f"{part}/{name}.png": b"" for part in ("train", "trainannot") for name in ("a", "é")}
    add("list", "train.txt", "/x/train/a.png /x/trainannot/a.png\n/x/é.png\n".encode(), two)
    videos = {f"videos/run/{name}.avi": b"" for name in ("a", "b c", "d")}
    add("split", "run_test_split1.txt", b"a.avi 1\nb c.avi 2\nd.avi 0\n", videos)
    return found


def _add_runs(folder, add):
    """Add the files of a run and of a group of runs."""
    settings = MovingDigits.plan({"preset": "tiny", "data": "drawn"})
    metadata = {"kind": "moving_mnist", "commands": ["train"], "experiment": settings.kept("experiment")}
    checkpoint.save(
        folder / "checkpoint.h5",
        nn.Linear(3, 4),
        architecture={"name": "x", "options": {}},
        optimiser={"m": np.zeros(16)},
        position={"step": 3, "seconds": 1.0, "sums": {"loss": 0.0, "penalty": 0.0, "steps": 0}},
        metadata=metadata | {"loop": settings.kept("loop")},
    )
    add("checkpoint", "checkpoint.h5")
    add("result", "result.json", (OLD_RUN / "ae_conv" / "result.json").read_bytes())
    add("log", "log.jsonl", (OLD_RUN / "ae_conv" / "log.jsonl").read_bytes())
    result = (OLD_RUN / "ae_conv" / "result.json").read_bytes()
    add("group", "suite.json", (OLD_RUN / "suite.json").read_bytes(), {"ae_conv/result.json": result})


def damaged(seed, random):
    """Return (what was done, bytes) of a damaged copy of a seed."""
    ways = [truncated, spliced, flipped, claiming]
    if seed.kind in ("result", "log", "group", "checkpoint"):
        ways += [wrong_json] * 2
    if seed.kind == "checkpoint":
        ways.append(claiming_dataset)
    if seed.name.endswith(".gz"):
        ways.append(bomb)
    way = ways[random.integers(len(ways))]
    return way.__name__.replace("_", " "), way(seed, random)


def truncated(seed, random):
    """Cut the file somewhere."""
    return seed.content[: random.integers(len(seed.content))]


def spliced(seed, random):
    """Put a piece of the file somewhere else."""
    content, size = bytearray(seed.content), len(seed.content)
    start, length, to = random.integers(size), random.integers(1, 1 + size // 2), random.integers(size)
    piece = content[start : start + length]
    content[to : to + (len(piece) if random.random() < 0.5 else 0)] = piece
    return bytes(content)


def flipped(seed, random):
    """Change single bits."""
    content = bytearray(seed.content)
    for place in random.integers(len(content), size=random.integers(1, 9)):
        content[place] ^= 1 << random.integers(8)
    return bytes(content)


def claiming(seed, random):
    """Put a large number somewhere, mostly near the beginning, where headers are."""
    content, claim = bytearray(seed.content), CLAIMS[random.integers(len(CLAIMS))]
    most = len(content) if random.random() < 0.3 else min(len(content), 100)
    place = int(random.integers(most))
    content[place : place + len(claim)] = claim
    return bytes(content)


def bomb(seed, random):
    """Compress an array that is far larger than it says, or says that it is large."""
    sizes = (1, 1, 1) if random.random() < 0.5 else (2**15, 2**15, 4)
    return gzip.compress(bytes([0, 0, 8, 3]) + struct.pack(">3i", *sizes) + bytes(2**25), mtime=0)


def claiming_dataset(seed, random):
    """Add a data set of any size without a number in it."""

    def change(file):
        shape = tuple(int(n) for n in random.integers(1, 2**14, size=random.integers(1, 4)))
        file.create_dataset("parameters/x", shape, np.float32, chunks=tuple(min(n, 64) for n in shape))

    return _changed(seed, change)


def wrong_json(seed, random):
    """Replace or remove an entry of the JSON in the file, or nest it without end."""
    if seed.kind != "checkpoint":
        lines = seed.content.decode().splitlines() if seed.kind == "log" else [seed.content.decode()]
        row = random.integers(len(lines))
        lines[row] = _wrong(lines[row], random, removing=seed.kind == "result")
        return "".join(line + "\n" for line in lines).encode()

    def change(file):
        text = file["state"].asstr()[()]
        del file["state"]
        file["state"] = _wrong(text, random)

    return _changed(seed, change)


def _changed(seed, change):
    """Return a checkpoint with a change and without a digest, as older files have none."""
    image = io.BytesIO(seed.content[checkpoint.BLOCK :])
    with h5py.File(image, "r+") as file:
        change(file)
    return image.getvalue()


def _wrong(text, random, removing=False):
    """Return a JSON text with one entry that is another, or missing."""
    if random.random() < 0.1:
        return "[" * 50_000
    whole = inside = json.loads(text)
    while True:
        key = list(inside)[random.integers(len(inside))] if isinstance(inside, dict) else 0
        below = inside[key]
        if not isinstance(below, dict) or not below or random.random() < 0.2:
            break
        inside = below
    if removing or (isinstance(inside, dict) and random.random() < 0.3):
        del inside[key]
    else:
        inside[key] = WRONG[random.integers(len(WRONG))]
    return json.dumps(whole)
