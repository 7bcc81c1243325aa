"""Every option of every experiment at both ends of what its help allows, and at every choice: tiny runs."""

import argparse
import inspect
import itertools
import shutil
from dataclasses import fields
from unittest import mock

import numpy as np

from nnlite.train.ablations.experiment import Ablations
from nnlite.train.camvid.experiment import LabelledVideo
from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.real_video.experiment import RealVideo
from nnlite.train.runs.options import DATA, MODEL, companions_of
from nnlite.train.video_ablations.experiment import VideoAblations

#: {run of `trials.RUNS`: its experiment, the modes that it is tried in}.
TRIED = {
    "moving_mnist": (MovingDigits, ("train", "resume", "evaluate", "figures", "rollout", "speeds")),
    "ablations": (Ablations, ("train", "resume")),
    "real_video": (RealVideo, ("train", "resume", "evaluate", "predict")),
    "video ablations": (VideoAblations, ("train", "resume")),
    "segnet": (LabelledVideo, ("train", "resume", "evaluate", "predict")),
    "table 2": (LabelledVideo, ("train",)),
}
MEMORY = 2**32
_ENDLESS = ("sequences", "test_sequences")


def options(server, folder, seed, runs):
    """Yield the outcome, and what to say of it, of a command with an option at one of its ends after another.

    All of them in an order that follows from the seed, and again.
    """
    points = [
        (title, mode, flags, drawn)
        for title, (experiment, modes) in TRIED.items()
        for mode in modes
        for flags, drawn in _ends(experiment, mode)
    ]
    order = np.random.default_rng(seed).permutation(len(points))
    for number in itertools.count():
        title, mode, flags, drawn = points[order[number % len(points)]]
        name, arguments, whole, _ = runs[title]
        out = folder / "ends"
        shutil.rmtree(out, ignore_errors=True)
        if mode == "train":
            arguments = [*arguments, "--out", str(out)]
        elif mode == "resume":
            shutil.copytree(whole, out)
            arguments = ["--resume", str(out)]
        else:
            arguments = [f"--{mode}", str(whole), "--out", str(out)]
            if mode == "predict":
                arguments[2:] = [str(folder / "videos" / "0.mp4"), "--out", str(out / "a.gif")]
        if title == "real_video" and mode == "evaluate":
            arguments += ["--videos", str(folder / "videos")]
        arguments = [*arguments, *flags]
        command = {"name": name, "arguments": arguments, "pictures": drawn}
        ended = server.run("command", **command, seconds=60, memory=MEMORY)
        outcome = _outcome(ended, out, mode, flags[0])
        yield (
            outcome,
            "" if outcome in ("done", "named") else f"{title} {mode} {flags}: {outcome}: {ended.err[-2000:]}",
        )


def _ends(experiment, mode):
    """Yield the arguments of each end or choice of each option that may accompany a mode.

    And whether pictures are to be drawn: how a model is trained changes nothing in them.
    """
    own = {one.name: one for one in fields(experiment.settings_type)}
    with mock.patch.object(argparse.ArgumentParser, "parse_known_args", lambda parser, _: _stop(parser)):
        try:
            experiment.parse([], "")
        except _Parser as found:
            actions = found.parser._actions
    offered = {action.dest for action in actions}
    allowed = set(own) if mode == "train" else {one.name for one in companions_of(own[mode], own.values())}
    for action in actions:
        if action.dest in allowed - {"preset"}:
            for value in _values(action):
                if action.dest in _ENDLESS and value != ["1"]:  # would take for ever
                    if action.dest != "sequences" or "minutes" not in offered:
                        continue
                    value = [*value, "--minutes", "0.001"]
                drawn = own[action.dest].metadata["group"] in (DATA, MODEL)
                yield (action.option_strings[0], *value), drawn


class _Parser(Exception):
    def __init__(self, parser):
        self.parser = parser


def _stop(parser):
    raise _Parser(parser)


def _values(action):
    """Return the ends or choices of an argument, each a list of texts; none of what is no number."""
    if action.nargs == 0:
        return [[]]
    known = inspect.getclosurevars(action.type).nonlocals if inspect.isfunction(action.type) else {}
    if "values" in known:
        return [[text] for text in known["values"]]
    if "least" in known:
        count = action.nargs if isinstance(action.nargs, int) else 1
        return [[f"{known[end]!r}"] * count for end in ("least", "most")]
    return []


def _outcome(ended, out, mode, flag):
    """Return what became of a command."""
    if ended.hung:
        return "hang"
    if ended.signal:
        return "signal"
    if "Traceback" in ended.err:
        return "traceback"
    if "Warning" in ended.err and "error: training diverged" not in ended.err:
        return "warning"
    if ended.status == 0:
        return "done" if mode not in ("train", "resume") or list(out.rglob("result.json")) else "no result"
    error = ended.last_line
    named = _letters(flag) in _letters(error) or "learning rate" in error
    return "named" if error.startswith("error: ") and named else "unnamed"


def _letters(text):
    """Return the letters of a text alone, for an error may say "learning rate" for --learning-rate."""
    return "".join(c for c in text.lower() if c.isalnum())
