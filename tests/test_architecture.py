"""The floor plan: imports between packages, and between the rooms of train/, only fall."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Of each package, and each room of train, what it may import besides itself.
BELOW = {
    "nnlite": set(),
    "models": {"nnlite"},
    "data": {"nnlite"},
    "train.starting": set(),
    "train.report": {"nnlite", "data", "train.starting"},
    "train.runs": {"nnlite", "models", "data", "train.starting", "train.report"},
    "train.inspect": {"nnlite", "models", "data", "train.starting", "train.report", "train.runs"},
}
BELOW["train.warping"] = BELOW["train.inspect"]
BELOW["train.moving_mnist"] = BELOW["train.inspect"] | {"train.inspect"}
BELOW["train.real_video"] = BELOW["train.camvid"] = BELOW["train.moving_mnist"]
BELOW["train.ablations"] = BELOW["train.moving_mnist"] | {"train.moving_mnist"}
BELOW["train.video_ablations"] = BELOW["train.real_video"] | {"train.real_video"}
BELOW["train"] = set(BELOW)
BELOW["benchmarks"] = set(BELOW)
BELOW["examples"] = {"nnlite", "models", "data"}


def modules():
    """Yield (module, its path) of all packages, by the names that they are imported by."""
    for package in ("nnlite", "models", "data", "train", "benchmarks", "examples"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            yield ".".join(parts if package in ("nnlite", "examples") else ("nnlite", *parts)), path


MODULES = dict(modules())


def room(module):
    """Return the key in `BELOW` that a module belongs to."""
    names = module.removeprefix("nnlite.").split(".")
    if names[0] == "train":
        return ".".join(names[:2]) if ".".join(names[:2]) in BELOW else "train"
    return names[0] if names[0] in BELOW else "nnlite"


def imported(module, source, is_package):
    """Return the modules of ours that the source of a module imports."""
    package = module if is_package else module.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = (
                ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            )
            base = ".".join(filter(None, (base, node.module)))
            names = [f"{base}.{alias.name}" for alias in node.names]
        for name in names:
            while name and name not in MODULES:
                name = name.rpartition(".")[0]
            if name and name != module:
                found.add(name)
    return found


IMPORTS = {
    module: imported(module, path.read_text(encoding="utf-8"), path.name == "__init__.py")
    for module, path in MODULES.items()
}


def climbing(imports):
    """Return the imports, "one imports other", that lead to a room that may not be known."""
    return [
        f"{module} imports {other}"
        for module, others in imports.items()
        for other in sorted(others)
        if room(other) not in BELOW[room(module)] | {room(module)}
    ]


def test_imports_between_rooms_only_fall():
    assert climbing(IMPORTS) == []


def test_rooms_are_stacked_without_a_circle():
    TopologicalSorter({name: below - {name} for name, below in BELOW.items()}).prepare()


def test_no_module_is_imported_in_a_circle():
    """A package's `__init__` gathers what is in it, and does not count."""
    inits = {module for module, path in MODULES.items() if path.name == "__init__.py"}
    TopologicalSorter({module: others - inits for module, others in IMPORTS.items()}).prepare()


@pytest.mark.parametrize(
    "module, source, wrong",
    [
        ("nnlite.ops.gemm", "from nnlite.models import build", "nnlite.models"),
        ("nnlite.data.clips", "import nnlite.models.parts", "nnlite.models.parts"),
        (
            "nnlite.train.runs.loop",
            "from ..moving_mnist import experiment",
            "nnlite.train.moving_mnist.experiment",
        ),
        (
            "nnlite.train.report.tables",
            "def f():\n    from nnlite.train.runs import loop",
            "nnlite.train.runs.loop",
        ),
        (
            "nnlite.train.camvid.data",
            "from nnlite.train.real_video.crops import x",
            "nnlite.train.real_video.crops",
        ),
    ],
)
def test_an_import_that_climbs_is_found(module, source, wrong):
    assert climbing({module: imported(module, source, False)}) == [f"{module} imports {wrong}"]


def test_a_circle_is_found():
    with pytest.raises(CycleError):
        TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()


def test_every_room_of_train_is_a_command():
    rooms = {path.parent.name for path in (ROOT / "train").glob("*/__init__.py")}
    assert rooms == {path.parent.name for path in (ROOT / "train").glob("*/__main__.py")}
    assert {f"train.{name}" for name in rooms} <= set(BELOW)
