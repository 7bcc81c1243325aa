"""The trials: one damaged file, one kill, one full disk, one fork at a time."""

import itertools
import json
import shutil

import numpy as np

from nnlite import checkpoint
from tests.faults.seeds import damaged, make_seeds
from tests.faults.server import COUNT, FULL, KILL
from tests.toy_real_video import scene
from tests.video_files import make_video

SECONDS, MEMORY = 10, 2**31
TINY = ["--preset", "tiny", "--device", "cpu"]
OFTEN = ["--save-every", "0", "--log-every", "1"]
DIGITS = ["--data", "drawn", "--test-sequences", "4"]
CLIPS = ["--test-clips", "2", "--render", "none"]
#: {title: (command, arguments)} of a tiny run, or group of runs, of each experiment, as short as it gets.
RUNS = {
    "moving_mnist": ("moving_mnist", [*OFTEN, *DIGITS, "--sequences", "12"]),
    "table 1": ("moving_mnist", [*OFTEN, *DIGITS, "--model", "all", "--sequences", "4"]),
    "ablations": ("ablations", [*DIGITS, "--sequences", "4"]),
    "real_video": ("real_video", [*OFTEN, *CLIPS, "--sequences", "12", "--videos", "VIDEOS"]),
    "video ablations": ("video_ablations", ["--sequences", "4", "--videos", "VIDEOS"]),
    "drawn videos": ("real_video", [*OFTEN, *CLIPS, "--sequences", "4"]),
    "segnet": ("camvid", [*OFTEN, "--model", "segnet", "--sequences", "4", "--test-sequences", "2"]),
    "table 2": ("camvid", [*OFTEN, "--model", "both", "--sequences", "2", "--test-sequences", "2"]),
}


def files(server, folder, seed):
    """Yield the outcome, and what to say of it, of one damaged file after the other."""
    place = folder / "files"
    (folder / "seeds").mkdir()
    seeds = make_seeds(folder / "seeds")
    for whole in seeds:
        yield _read(server, place, whole, "whole", whole.content, {"right"})
    for number in itertools.count():
        random = np.random.default_rng([seed, number])
        chosen = seeds[random.integers(len(seeds))]
        yield _read(server, place, chosen, *damaged(chosen, random), {"right", "clear error"})


def _read(server, place, seed, damage, content, allowed):
    """Let a child read a file; return (outcome, message where that may not be)."""
    shutil.rmtree(place, ignore_errors=True)
    for name, beside in (seed.beside | {seed.name: content}).items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(beside)
    ended = server.run("read", kind=seed.kind, path=str(place / seed.name), seconds=SECONDS, memory=MEMORY)
    outcome = _outcome(ended, seed.name, place)
    said = ended.err[-6000:] if ended.hung else ended.last_line
    message = "" if outcome in allowed else f"{seed.kind} {seed.name}, {damage}: {outcome}: {said}"
    return outcome, message


def _outcome(ended, name, place):
    """Return what became of reading a file."""
    if ended.hung:
        return "hang"
    if ended.signal:
        return "crash"
    if ended.status == 12:
        return "memory"
    if ended.status == 0:
        return "right"
    if ended.status == 11 or ended.status not in (10, 11):
        return "unclear error"
    named = name in ended.err or f"{place.name}:" in ended.err or f"{place} " in ended.err
    return "clear error" if named else "unnamed"


def whole_runs(server, folder):
    """Train each experiment without a fault; return {title: (command, arguments, folder, its end)}."""
    found = {}
    (folder / "videos").mkdir()
    for k in range(4):
        make_video(folder / "videos" / f"{k}.mp4", scene(k))
    for title, (name, arguments) in RUNS.items():
        given = [*TINY, *(argument.replace("VIDEOS", str(folder / "videos")) for argument in arguments)]
        out = folder / f"{title} whole"
        command = {"name": name, "arguments": [*given, "--out", str(out)], "pictures": False}
        ended = server.run("command", **command, touch=(out, COUNT, 0))
        if ended.status != 0:
            raise RuntimeError(f"the tiny run of {title} failed: {ended.err}")
        found[title] = name, given, out, ended
    return found


def kills(server, folder, seed, runs):
    """Yield the outcome of one run after the other that is killed, resumed, and compared with a whole one.

    At a touch of its files, each in turn; every fourth one at a random time.
    """
    out = folder / "killed"
    for number in itertools.count():
        turn, k = divmod(number, len(runs))
        title = list(runs)[k]
        name, arguments, whole, undisturbed = runs[title]
        shutil.rmtree(out, ignore_errors=True)
        given = {"name": name, "arguments": [*arguments, "--out", str(out)], "pictures": False}
        if turn % 4 == 3:
            after = float(np.random.default_rng([seed, number]).uniform(0.0, undisturbed.seconds))
            server.run("command", **given, kill_after=after)
            point = f"{title} after {after:.2f} s of the processor"
        else:
            touches = undisturbed.touches
            order = 1 + np.random.default_rng([seed, k]).permutation(touches)
            at = int(order[(turn - turn // 4) % touches])
            server.run("command", **given, touch=(out, KILL, at))
            point = f"{title} at touch {at} of {touches}"
        if (out / "checkpoint.h5").exists() or (out / "suite.json").exists():
            given["arguments"] = ["--resume", str(out)]
        ended = server.run("command", **given)
        if ended.status != 0:
            what = "hangs" if ended.hung else "cannot be continued"
            yield "lost", f"{point}: the run {what}: {ended.err[-6000:]}"
        else:
            wrong = _differences(out, whole)
            yield (
                ("different" if wrong else "equal"),
                (f"{point}: {', '.join(wrong)} differ" if wrong else ""),
            )


def _differences(out, whole):
    """Return what of a run is not as in another one, times aside."""
    names = [{str(path.relative_to(folder)) for path in folder.rglob("*")} for folder in (out, whole)]
    if names[0] != names[1]:
        return [f"the files {sorted(names[0] ^ names[1])}"]
    found = []
    for name in sorted(names[0]):
        got, expected = out / name, whole / name
        if got.suffix == ".h5":
            got, expected = checkpoint.load(got), checkpoint.load(expected)
            for part in ("parameters", "buffers"):
                values, wanted = getattr(got, part), getattr(expected, part)
                if values.keys() != wanted.keys() or any(
                    values[n].tobytes() != wanted[n].tobytes() for n in values
                ):
                    found.append(f"{part} of {name}")
        elif got.is_dir() or got.name == "suite.json":  # this has --out, and what was changed on resuming
            continue
        elif got.suffix in (".json", ".jsonl"):
            if _without_times(_lines(got)) != _without_times(_lines(expected)):
                found.append(name)
        elif got.suffix not in (".md", "") and got.read_bytes() != expected.read_bytes():  # tables have times
            found.append(name)
    return found


def _lines(path):
    """Return what a JSON file holds, or each of the lines of a log."""
    text = path.read_text()
    return [json.loads(line) for line in (text.splitlines() if path.suffix == ".jsonl" else [text])]


def _without_times(value):
    """Return JSON without what depends on the clock or on the command line."""
    if isinstance(value, list):
        return [_without_times(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    times = ("seconds", "started", "finished", "commands", "sequences_per_second", "commits")
    return {k: _without_times(v) for k, v in value.items() if k not in times and "seconds" not in k}


def disks(server, folder, seed, runs):
    """Yield the outcome of one command after the other whose disk is full from one of its writes on."""
    commands, out = _commands(folder, runs), folder / "room"
    touches = {k: runs[title][3].touches for k, title in enumerate(runs)}  # those commands come first
    for number in itertools.count():
        turn, k = divmod(number, len(commands))
        name, arguments = commands[k]
        _empty(out, made=name == "sequences")  # the others make the folder that they write to
        command = {"name": name, "arguments": [argument.replace("OUT", str(out)) for argument in arguments]}
        command["pictures"] = k >= len(runs)
        if k not in touches:
            ended = server.run("command", **command, touch=(out, COUNT, 0))
            if ended.status != 0:
                raise RuntimeError(f"{name} {arguments} failed with room on the disk: {ended.err}")
            touches[k] = ended.touches
            _empty(out, made=name == "sequences")
        at = 1 + int(np.random.default_rng([seed, k]).permutation(touches[k])[turn % touches[k]])
        ended = server.run("command", **command, touch=(out, FULL, at))
        yield _full_disk(ended, out, f"{name} {arguments[0]}, full at touch {at} of {touches[k]}")


def _empty(folder, made):
    """Remove a folder, and make it again if it is to be `made`."""
    shutil.rmtree(folder, ignore_errors=True)
    if made:
        folder.mkdir()


def _full_disk(ended, out, point):
    """Return (outcome, message) of a command on a full disk."""
    if ended.signal or ended.hung:
        return "signal", f"{point}: signal {ended.signal}, hung: {ended.hung}"
    if "Traceback" in ended.err or "Exception ignored" in ended.err:
        return "traceback", f"{point}: {ended.err[-600:]}"
    if ended.status == 0:  # what failed was not needed, such as removing a piece
        return "done", ""
    if (
        ended.status != 1
        or "could not be written (No space left" not in ended.err
        or str(out) not in ended.err
    ):
        return "unnamed", f"{point}: status {ended.status}: {ended.last_line}"
    if left := [path.name for path in out.rglob("*.part")]:
        return "pieces", f"{point}: pieces {left}"
    return "named, status 1", ""


def _commands(folder, runs):
    """Return [(name, arguments)] of commands that write; OUT in them is a new folder.

    First those of the runs, which draw no pictures, then some of these again, which do, and all others.
    """
    video, trained, digits = folder / "videos" / "0.mp4", runs["real_video"][2], runs["moving_mnist"][2]
    predict = ["--predict", str(trained / "checkpoint.h5"), str(video), "--out"]
    label = ["--predict", str(runs["segnet"][2]), str(video), "--out"]
    training = {title: (runs[title][0], ["--out", "OUT", *runs[title][1]]) for title in runs}
    return [
        *training.values(),
        *(training[title] for title in ("moving_mnist", "real_video", "table 2")),
        ("real_video", [*predict, "OUT/b.mp4", "--save-flow", "OUT/b.h5"]),
        ("real_video", [*predict, "OUT/b.gif", "--save-flow", "OUT/flow"]),
        ("moving_mnist", ["--evaluate", str(digits / "checkpoint.h5"), "--out", "OUT"]),
        ("moving_mnist", ["--export", str(digits), "--out", "OUT"]),
        ("moving_mnist", ["--figures", str(digits), "--test-sequences", "4", "--out", "OUT"]),
        ("moving_mnist", ["--rollout", str(digits), "--test-sequences", "4", "--out", "OUT"]),
        ("moving_mnist", ["--speeds", str(digits), "--test-sequences", "4", "--out", "OUT"]),
        ("real_video", ["--evaluate", str(trained), "--videos", str(video.parent), "--out", "OUT"]),
        ("camvid", ["--evaluate", str(runs["segnet"][2]), "--out", "OUT"]),
        ("camvid", [*label, "OUT/labels.gif", "--save-labels", "OUT/labels"]),
        ("sequences", ["OUT/a.npy", "--data", "drawn", "--count", "4", "--frames", "3"]),
        ("sequences", ["OUT/a.t7", "--data", "drawn", "--count", "4", "--frames", "3"]),
        ("inspect", [str(digits), "--entries", "1", "--out", "OUT/page.html"]),
        ("warping", ["--out", "OUT"]),
    ]


def forks(server, folder, seed):
    """Yield the outcome of one process after the other that forks and uses threads."""
    number = 0
    while True:
        ended = server.run("forks", seed=seed + number, seconds=60)
        number += 1
        outcome = "hang" if ended.hung else "equal" if ended.status == 0 else "different"
        yield outcome, "" if outcome == "equal" else f"seed {seed + number - 1}: {outcome}: {ended.last_line}"
