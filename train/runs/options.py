"""Options, each declared once: a field of a frozen dataclass holds default, type, help and group.

Everything else follows from the fields: the parser and the defaults in its help, the checks of presets, what
a checkpoint keeps, what a resumed run may change, and which options name paths.
"""

import argparse
import json
import math
import textwrap
from dataclasses import MISSING, dataclass, field, fields

RUN, DATA, MODEL, TRAINING = GROUPS = ("the run", "the data", "the model", "training")
#: Values of NAME=VALUE as Python spells them.
CONSTANTS = {"true": True, "false": False, "none": None}


def option(
    default,
    help="",
    group=RUN,
    *,
    type=str,
    flags=None,
    kept=(),
    modes=(),
    mode=False,
    path=False,
    formerly=None,
    **argument,
):
    """Return the dataclass field of an option.

    default: MISSING where presets must set it. help: its default is added. type: from text to value; `bool`
    for a switch, `assignment` for NAME=VALUE pairs, which become a dict. flags: on the command line, by
    default --its-name; a name without dashes for a positional argument, () for a setting that cannot be
    given there. kept: the parts of a checkpoint, "experiment" or "loop", that keep it. modes: those that it
    may accompany. mode: whether it names a run and so selects what the command does. path: whether it names a
    file or folder. formerly: its name in older checkpoints. argument: anything else that argparse wants
    (nargs, metavar, choices).
    """
    metadata = dict(help=help, group=group, type=type, flags=flags, kept=kept, modes=modes, mode=mode)
    metadata |= dict(path=path, formerly=formerly, argument=argument)
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


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
        return cls.from_dict(values)

    @classmethod
    def path_flags(cls):
        """Return the flags of all options that name files or folders."""
        return {flag for one in fields(cls) if one.metadata["path"] for flag in flags_of(one)}

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
    flags = one.metadata["flags"]
    return (f"--{one.name.replace('_', '-')}",) if flags is None else flags


def parse_options(
    options,
    argv,
    *,
    program,
    description,
    presets=None,
    epilog="",
    offered=None,
    preset="default",
):
    """Return (mode, given): what the command line asks for, and {name: value} of what it gives.

    mode: the option that names a run, or "train". presets: {name: `Preset`}, described in the help, where
    `preset` is the one whose values it shows. offered: the names of the options to offer, all by default.
    With an option that does not go with the mode the parser ends the program and names it.
    """
    declared = [one for one in fields(options) if flags_of(one) and (offered is None or one.name in offered)]
    parser = argparse.ArgumentParser(
        prog=program, description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    defaults = {one.name: one.default for one in fields(options) if one.default is not MISSING}
    parser.epilog = _describe_presets(presets or {}, defaults) + epilog
    defaults |= presets[preset].values | {"preset": preset} if presets else {}
    for group in dict.fromkeys([*GROUPS, *(one.metadata["group"] for one in declared)]):
        if members := [one for one in declared if one.metadata["group"] == group]:
            section = parser.add_argument_group(group)
            for one in members:
                _add_argument(section, one, defaults.get(one.name), presets, declared)
    given = {name: value for name, value in vars(parser.parse_args(argv)).items() if value is not None}
    by_name = {one.name: one for one in declared}
    for name, value in given.items():
        if isinstance(value, list):
            given[name] = dict(value) if by_name[name].metadata["type"] is assignment else tuple(value)
    mode = next((name for name in by_name if name in given and by_name[name].metadata["mode"]), "train")
    if mode != "train":
        extra = [name for name in given if name != mode and mode not in by_name[name].metadata["modes"]]
        if extra:
            names = ", ".join(sorted(flags_of(by_name[name])[0] for name in extra))
            parser.error(f"--{mode} takes its settings from the run; leave out {names}")
    return mode, given


def _add_argument(section, one, default, presets, declared):
    about = dict(one.metadata)
    argument = dict(about["argument"])
    if one.name == "preset":
        argument["choices"] = presets
    if about["type"] is bool:
        argument |= {"action": "store_const", "const": True}
    elif about["type"] is not str:
        argument["type"] = about["type"]
    if about["type"] is assignment:
        argument |= {"action": "append", "metavar": "NAME=VALUE"}
    value = _as_text(default)
    words = about["help"] + (f" ({value})" if value else "")
    if about["mode"]:
        companions = [flags_of(other)[0] for other in declared if one.name in other.metadata["modes"]]
        words += f"; of the other options only {', '.join(companions)} can be given with it"
    flags = flags_of(one)
    if flags[0].startswith("-"):
        argument["dest"] = one.name
    section.add_argument(*flags, help=words.replace("%", "%%"), **argument)


def _as_text(value):
    """Return a default value for the help, "" for what is no value."""
    if value is None or isinstance(value, bool | dict):
        return ""
    return (
        " ".join(map(_as_text, value))
        if isinstance(value, tuple)
        else (f"{value:g}" if isinstance(value, float) else str(value))
    )


def _describe_presets(presets, defaults):
    width = max(map(len, presets), default=0)
    lines = []
    for name, preset in presets.items():
        text = preset.about.format_map(defaults | preset.values | {"by_model": preset.by_model})
        indent = " " * (width + 4)
        lines.append(textwrap.fill(text, 104, initial_indent=f"  {name:{width}}  ", subsequent_indent=indent))
    return "\n".join(["presets:", *lines, "", ""]) if presets else ""


def whole(least):
    """Return the type of a whole number from `least` on."""

    def parse(text):
        number = int(text)
        if number < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {text}")
        return number

    parse.__name__ = "whole number"
    return parse


def number(least):
    """Return the type of a finite number from `least` on."""

    def parse(text):
        number = float(text)
        if not (number >= least and math.isfinite(number)):
            raise argparse.ArgumentTypeError(f"must be a number from {least} on, got {text}")
        return number

    parse.__name__ = "number"
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
