"""Options, each declared once: a field of a frozen dataclass holds default, type, help and group.

Everything else follows from the fields: the parser and the defaults in its help, the checks of presets, what
a checkpoint keeps, what a resumed run may change, and which options name paths.
"""

import argparse
import json
import math
import textwrap
from dataclasses import MISSING, dataclass, field, fields

import numpy as np

from nnlite.spelling import did_you_mean

RUN, DATA, MODEL, TRAINING = GROUPS = ("the run", "the data", "the model", "training")
#: The largest whole number of an option: beyond it floats have gaps; the largest of float32, for the others.
LARGEST, LARGEST_FLOAT = 2**53, float(np.finfo(np.float32).max)
#: Values of NAME=VALUE as Python spells them.
CONSTANTS = {"true": True, "false": False, "none": None}


def option(
    default,
    help="",
    group=RUN,
    *,
    least=None,
    most=None,
    type=None,
    flags=None,
    path=None,
    kept=None,
    modes=(),
    mode=None,
    formerly=None,
    memory=False,
    **argument,
):
    """Return the dataclass field of an option.

    default: MISSING where presets must set it; the help shows it. least: of a number, by default 1 of whole
    numbers and 0 of others. most: of a number, by default every finite one. type: from text to value, where
    the annotation (a number, text, `bool` for a switch, `dict` for NAME=VALUE pairs) does not say it. flags:
    by default --its-name, of a dict in the singular; () for a setting that the command line cannot give.
    path: what the help calls the file or folder that it names. kept: the parts of a checkpoint that keep it,
    by default "experiment" for data and model, "loop" for training. modes: those that it may accompany. mode:
    the options that may accompany it, if it names a run and so selects what the command does. formerly: its
    name in older checkpoints. memory: whether a run needs more memory the larger it is. argument: anything
    else that argparse wants (nargs, metavar, choices).
    """
    if kept is None:
        kept = {DATA: ("experiment",), MODEL: ("experiment",), TRAINING: ("loop",)}.get(group, ())
    metadata = {name: value for name, value in locals().items() if name != "default"}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def size_option(default, help, least, **more):
    """Return the field of an option that is a size in pixels: height before width, as everywhere."""
    pair = {"type": whole(least), "metavar": ("HEIGHT", "WIDTH"), "nargs": 2}
    return option(default, help, DATA, memory=True, **pair, **more)


@dataclass(frozen=True)
class Options:
    """Values for a set of options; a subclass declares these, one field each."""

    @classmethod
    def from_dict(cls, values):
        """Return the options with these values, which may be JSON of an older version.

        ValueError, naming it, for a value that is none of these options or missing.
        """
        names = {one.metadata["formerly"] or one.name: one.name for one in fields(cls)}
        names |= {one.name: one.name for one in fields(cls)}
        if unknown := sorted(set(values) - set(names)):
            raise ValueError(f"unknown settings {', '.join(unknown)}")
        found = {names[name]: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        for one in fields(cls):
            if one.name in found:
                _check_kind(one, found[one.name])
        for one in fields(cls):
            if one.name not in found and one.default is one.default_factory is MISSING:
                raise ValueError(f"the setting {one.name} is missing")
        return cls(**found)

    @classmethod
    def layered(cls, *layers):
        """Return the options with the values of each layer over those before, dicts name by name."""
        values = {}
        for layer in layers:
            for name, value in layer.items():
                values[name] = values.get(name, {}) | value if isinstance(value, dict) else value
        return cls(**values)  # not from a file, so not checked; None may stand for what is decided later

    @classmethod
    def path_flags(cls):
        """Return the flags of all options that name files or folders."""
        return {flag for one in fields(cls) if one.metadata["path"] for flag in flags_of(one)}

    @classmethod
    def memory_flags(cls):
        """Return the flags, as text, of the options with which a run needs less memory."""
        return ", ".join(flags_of(one)[0] for one in fields(cls) if one.metadata["memory"])

    def kept(self, part):
        """Return {name: value}, fit for JSON, of what this part of a checkpoint keeps."""
        values = {one.name: getattr(self, one.name) for one in fields(self) if part in one.metadata["kept"]}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


@dataclass(frozen=True)
class Preset:
    """Named values: `values` for every model, `by_model` {model: values} on top of these.

    about: what it is, for the help; "{sequences:,}" and the like stand for its values.
    """

    about: str
    values: dict
    by_model: dict = field(default_factory=dict)

    def layers(self, model):
        """Return the values for a model, as layers of `Options.layered`."""
        return self.values, self.by_model.get(model, {})


def flags_of(one):
    """Return the flags of a field that is an option."""
    name = one.name.removesuffix("s") if _kind(one) is dict else one.name
    return (f"--{name.replace('_', '-')}",) if one.metadata["flags"] is None else one.metadata["flags"]


def companions_of(mode, declared):
    """Return those of the declared options that may accompany a mode."""
    extra = mode.metadata["mode"]
    return [one for one in declared if mode.name in one.metadata["modes"] or one.name in extra]


def parse_options(
    options, argv, *, program, description, presets=None, epilog="", not_offered=(), preset="default"
):
    """Return (mode, given): what the command line asks for, and {name: value} of what it gives.

    mode: the option that names a run, or "train". presets: {name: `Preset`}, described in the help, where
    `preset` is the one whose values it shows. not_offered: names of options to leave out.
    With an option that does not go with the mode the parser ends the program and names it.
    """
    declared = [one for one in fields(options) if flags_of(one) and one.name not in not_offered]
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # a beginning of --videos would not be known as a folder's, to be made anonymous
    )
    defaults = {one.name: one.default for one in fields(options) if one.default is not MISSING}
    parser.epilog = _describe_presets(presets or {}, defaults) + epilog
    defaults |= presets[preset].values | {"preset": preset} if presets else {}
    for group in dict.fromkeys([*GROUPS, *(one.metadata["group"] for one in declared)]):
        if members := [one for one in declared if one.metadata["group"] == group]:
            section = parser.add_argument_group(group)
            for one in members:
                _add_argument(section, one, defaults.get(one.name), presets, declared)
    values, unknown = parser.parse_known_args(argv)
    if unknown:
        flags = [flag for one in declared for flag in flags_of(one)]
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{did_you_mean(unknown[0], flags)}")
    given = {name: value for name, value in vars(values).items() if value is not None}
    by_name = {one.name: one for one in declared}
    for name, value in given.items():
        if isinstance(value, list):
            given[name] = dict(value) if _kind(by_name[name]) is dict else tuple(value)
    mode = next((name for name in given if by_name[name].metadata["mode"] is not None), "train")
    if mode != "train":
        allowed = {mode, *(one.name for one in companions_of(by_name[mode], declared))}
        if extra := set(given) - allowed:
            names = ", ".join(sorted(flags_of(by_name[name])[0] for name in extra))
            parser.error(f"--{mode} takes its settings from the run; leave out {names}")
    return mode, given


def _add_argument(section, one, default, presets, declared):
    """Add an option to a group of the parser."""
    about, kind = one.metadata, _kind(one)
    choices = presets if one.name == "preset" else about["argument"].get("choices")
    argument = {}
    if choices:
        argument |= {"type": one_of(choices), "metavar": f"{{{','.join(map(str, choices))}}}"}
    elif kind is bool:
        argument |= {"action": "store_const", "const": True}
    elif kind is dict:
        argument |= {"type": assignment, "action": "append", "metavar": "NAME=VALUE"}
    elif about["type"]:
        argument["type"] = about["type"]
    elif kind is int:
        least = 1 if about["least"] is None else about["least"]
        argument |= {"type": whole(least, about["most"]), "metavar": "N"}
    elif kind is float:
        argument |= {"type": number(about["least"] or 0, about["most"]), "metavar": "X"}
    if about["path"]:
        argument["metavar"] = about["path"]
    words = about["help"] + (f", at most {about['most']:g}" if about["most"] else "")
    if (value := _as_text(default)) and not (
        about["type"] and kind is tuple and "nargs" not in about["argument"]
    ):
        words += f" ({value})"
    if about["mode"] is not None:
        flags = [flags_of(companion)[0] for companion in companions_of(one, declared)]
        words += f"; of the other options only {', '.join(flags)} can be given with it"
    if flags_of(one)[0].startswith("-"):
        argument["dest"] = one.name
    argument |= {name: value for name, value in about["argument"].items() if name != "choices"}
    section.add_argument(*flags_of(one), help=words.replace("%", "%%"), **argument)


def _kind(one):
    """Return the type of an option's values, but for None."""
    return next(kind for kind in getattr(one.type, "__args__", (one.type,)) if kind is not type(None))


def _check_kind(one, value):
    """Raise ValueError unless a value, which may be from a file, is one of the option's type and range."""
    kinds = getattr(one.type, "__args__", (one.type,))
    wanted = (*kinds, int) if float in kinds else kinds
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in kinds):
        expected = " or ".join("none" if kind is type(None) else kind.__name__ for kind in kinds)
        raise ValueError(f"the setting {one.name} must be of type {expected}, got {value!r:.50}")


def _as_text(value):
    """Return a default value for the help, "" for what is no value."""
    if value is None or isinstance(value, bool | dict):
        return ""
    if isinstance(value, tuple):
        return " ".join(map(_as_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _describe_presets(presets, defaults):
    width = max(map(len, presets), default=0)
    lines = []
    for name, preset in presets.items():
        text = preset.about.format_map(defaults | preset.values | {"by_model": preset.by_model})
        indent = " " * (width + 4)
        lines.append(textwrap.fill(text, 104, initial_indent=f"  {name:{width}}  ", subsequent_indent=indent))
    return "\n".join(["presets:", *lines, "", ""]) if presets else ""


def whole(least, most=None):
    """Return the type of a whole number from `least` to `most`."""
    return _in_range(int, "whole number", least, LARGEST if most is None else most)


def number(least, most=None):
    """Return the type of a finite number from `least` to `most`."""
    return _in_range(float, "finite number", least, LARGEST_FLOAT if most is None else most)


def _in_range(kind, name, least, most):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            told = most < LARGEST or (kind is float and most < value < math.inf)
            bounds = f"from {least} to {most:g}" if told else f"at least {least}"
            raise argparse.ArgumentTypeError(f"must be a {name}, {bounds}, got {text}")
        return value

    return parse


def one_of(choices):
    """Return the type of a word that is one of some values; another is answered with the nearest one."""
    values = {str(value): value for value in choices}

    def parse(text):
        if text not in values:
            known = ", ".join(values)
            raise argparse.ArgumentTypeError(
                f"invalid choice: {text!r} (choose from {known}){did_you_mean(text, values)}"
            )
        return values[text]

    return parse


def assignment(text):
    """Return the pair of NAME=VALUE.

    A value that is JSON, or one of Python's True, False and None in any case, is what it means; any other
    text is itself.
    """
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, got {text}")
    if value.lower() in CONSTANTS:
        return name, CONSTANTS[value.lower()]
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value
