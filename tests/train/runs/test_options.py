"""Options are declared once: parser, help, presets and checkpoints follow from the fields of a dataclass."""

import argparse
import re
from collections import Counter
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

import pytest

from nnlite.train.ablations.experiment import Ablations
from nnlite.train.inspect import __main__ as inspect_command
from nnlite.train.runs.experiment import KINDS, experiment_type
from nnlite.train.runs.loop_options import LoopOptions
from nnlite.train.runs.options import (
    DATA,
    TRAINING,
    Options,
    Preset,
    flags_of,
    number,
    option,
    parse_options,
    whole,
)

ROOT = Path(__file__).parents[3]
EXPERIMENTS = [*map(experiment_type, KINDS), Ablations]


@dataclass(frozen=True)
class Toy(Options):
    """Some options of every sort."""

    count: int = option(MISSING, "how many", TRAINING, modes=("resume",))
    rate: float | None = option(0.5, "how fast, not 100%", TRAINING, formerly="speed", least=0.25)
    size: tuple = option((4, 6), "height and width", DATA, type=whole(1), nargs=2)
    out: str | None = option(None, "where to", path="FOLDER")
    resume: str | None = option(None, "continue", path="RUN", flags=("--resume", "-r"), mode=("out",))
    fast: bool = option(False, "hurry")
    extras: dict = option({}, "anything", DATA)
    secret: int | None = option(None, flags=(), kept=("experiment",))


PRESETS = {"default": Preset("{count:,} at {rate:g}", {"count": 1200}, {"b": {"rate": 2.0}})}


def parse(*argv):
    return parse_options(Toy, argv, program="toy", description="A toy.", presets=PRESETS)


# ---- one place ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.__name__)
def test_no_flag_is_declared_twice(experiment):
    flags = Counter(flag for one in fields(experiment.settings_type) for flag in flags_of(one))
    assert [flag for flag, count in flags.items() if count > 1] == []


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.__name__)
def test_no_option_of_the_loop_is_declared_again(experiment):
    own = set(vars(experiment.settings_type).get("__annotations__", {}))
    assert own & set(LoopOptions.__dataclass_fields__) == set()


def test_no_option_is_declared_by_hand():
    """Only options.py adds arguments to a parser, but for the list of runs, with one argument."""
    without = {"train/runs/options.py", "train/runs/__main__.py"}
    by_hand = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "train").rglob("*.py")
        if "add_argument(" in path.read_text(encoding="utf-8")
    ]
    assert set(by_hand) <= without


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.__name__)
def test_presets_say_only_what_differs(experiment):
    """From the defaults; for one model from what is set for all. Every name is an option's."""
    defaults = {one.name: one.default for one in fields(experiment.settings_type)}
    for name, preset in experiment.presets.items():
        assert set(preset.values) <= set(defaults), name
        repeated = [key for key, value in preset.values.items() if defaults[key] == value]
        for model, values in preset.by_model.items():
            common = defaults | preset.values
            repeated += [f"{model} {key}" for key, value in values.items() if common[key] == value]
        assert repeated == [], name


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.__name__)
def test_help_has_no_number_typed_by_hand(experiment):
    """A default in brackets comes from the field: none is in the words of the help itself."""
    for one in fields(experiment.settings_type):
        assert not re.search(r"\(\d", one.metadata["help"]), one.name


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.__name__)
def test_help_shows_every_option_and_preset(experiment, capsys):
    with pytest.raises(SystemExit) as stopped:
        experiment.parse(["--help"], "a program")
    text = capsys.readouterr().out
    assert stopped.value.code == 0 and all(f"\n  {name} " in text for name in experiment.presets)
    for one in fields(experiment.settings_type):
        if one.name not in experiment.not_offered:
            assert all(flag in text for flag in flags_of(one))
            assert one.metadata["help"] or not flags_of(one)


# ---- what follows from a declaration --------------------------------------------------------------------


def test_given_values_alone():
    assert parse() == ("train", {})
    assert parse("--count", "3", "--size", "1", "2", "--fast") == (
        "train",
        {"count": 3, "size": (1, 2), "fast": True},
    )
    assert parse("--extra", "a=1", "--extra", "b=x")[1] == {"extras": {"a": 1, "b": "x"}}


def test_a_mode_takes_what_goes_with_it(capsys):
    assert parse("-r", "run", "--count", "3", "--out", "x") == (
        "resume",
        {"resume": "run", "count": 3, "out": "x"},
    )
    with pytest.raises(SystemExit):
        parse("--rate", "0.125")
    assert "--rate: must be a finite number, at least 0.25, got 0.125" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        parse("--resume", "run", "--rate", "3", "--fast")
    assert "--resume takes its settings from the run; leave out --fast, --rate" in capsys.readouterr().err


def test_help_follows_from_the_declaration(capsys):
    with pytest.raises(SystemExit):
        parse("--help")
    text = " ".join(capsys.readouterr().out.split())
    for words in (
        "how many (1200)",  # of the preset
        "how fast, not 100% (0.5)",
        "height and width (4 6)",
        "continue; of the other options only --count, --out can be given with it",
        "default 1,200 at 0.5",
    ):
        assert words in text


def test_layers():
    preset = PRESETS["default"]
    assert Toy.layered(*preset.layers("a")) == Toy(1200)
    options = Toy.layered(*preset.layers("b"), {"extras": {"a": 1}, "count": 7}, {"extras": {"b": 2}})
    assert (options.count, options.rate, options.extras) == (7, 2.0, {"a": 1, "b": 2})


def test_checkpoints_keep_what_is_declared_so():
    options = Toy(3, extras={"a": 1}, secret=5)
    assert options.kept("loop") == {"count": 3, "rate": 0.5}
    assert options.kept("experiment") == {"size": [4, 6], "extras": {"a": 1}, "secret": 5}
    assert Toy.from_dict(options.kept("loop") | options.kept("experiment")) == options
    assert Toy.from_dict({"count": 3, "speed": 2.0}) == Toy(3, rate=2.0)  # the name of an older version
    assert Toy.path_flags() == {"--out", "--resume", "-r"}


@pytest.mark.parametrize(
    "values, message",
    [
        ({"count": 1, "pace": 2, "area": 3}, "unknown settings area, pace"),
        ({"rate": 1.0}, "count is missing"),
        ({"count": "1"}, "the setting count must be of type int, got '1'"),
        ({"count": True}, "the setting count must be of type int, got True"),
        ({"count": 1, "extras": 5}, "the setting extras must be of type dict, got 5"),
    ],
)
def test_values_that_are_no_options(values, message):
    with pytest.raises(ValueError, match=message):
        Toy.from_dict(values)


def test_options_are_frozen():
    with pytest.raises(AttributeError):
        Toy(1).count = 2


def test_commands_have_help(capsys):
    with pytest.raises(SystemExit):
        inspect_command.main(["--help"])
    assert "--entries" in capsys.readouterr().out


@pytest.mark.parametrize(
    "kind, wrong, message",
    [
        (whole(1), "0", "must be a whole number, at least 1, got 0"),
        (whole(1), "1e9", "must be a whole number, at least 1, got 1e9"),
        (whole(1, 5), "6", "must be a whole number, from 1 to 5, got 6"),
        (whole(0), "9" * 30, "must be a whole number, at least 0, got 9"),
        (number(0), "inf", "must be a finite number, at least 0, got inf"),
        (number(0), "nan", "must be a finite number, at least 0, got nan"),
        (number(0), "1e39", "must be a finite number, from 0 to 3.40282e\\+38, got 1e39"),
        (number(0, 1), "1.5", "must be a finite number, from 0 to 1, got 1.5"),
        (number(0), "much", "must be a finite number, at least 0, got much"),
    ],
)
def test_a_number_out_of_range_is_told_the_range(kind, wrong, message):
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        kind(wrong)
