"""Installed, the names `data`, `models` and `train` are left to users; wheel, sdist and clone are whole."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest

import nnlite
from nnlite import models

ROOT = Path(__file__).parents[1]
TINY = ["--preset", "tiny", "--data", "drawn", "--sequences", "8", "--test-sequences", "4", "--device", "cpu"]
#: A user's own modules, whose names are those of folders of this project.
OWN = {
    "train.py": "mine = 1",
    "models.py": "mine = 2",
    "data/__init__.py": "mine = 3",
    "benchmarks.py": "mine = 4",
}


def run(*command, cwd):
    """Run a command; return what it prints. Nothing of this process' environment leads to the source tree."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NNLITE"))
    }
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A copy of the source tree without what git ignores."""
    folder = tmp_path_factory.mktemp("source") / "nnlite"
    folder.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", ".*_cache")
    for entry in ROOT.iterdir():
        if entry.is_file():
            shutil.copy(entry, folder)
        elif entry.name not in (".git", ".venv", "runs", "build", "dist") and not ignored("", [entry.name]):
            shutil.copytree(entry, folder / entry.name, ignore=ignored)
    return folder


@pytest.fixture(scope="module")
def distributions(source, tmp_path_factory):
    """The folder of the wheel and the sdist."""
    pytest.importorskip("build", reason="the extra `test` is not installed")
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", str(folder), str(source), cwd=folder)
    return folder


def environment(folder, *installed):
    """Make a virtual environment that has the dependencies of this one and what pip is told to install."""
    venv.create(folder, with_pip=find_spec("pip") is None)  # else this one's is among them
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    here = sysconfig.get_path(
        "purelib"
    )  # as a plain path: links to an editable install in it are not followed
    there = run(
        str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder
    ).strip()
    Path(there, "dependencies.pth").write_text(here + "\n")
    run(str(python), "-m", "pip", "install", "-q", "--no-deps", *installed, cwd=folder)
    return python


@pytest.fixture(scope="module")
def wheel(distributions, tmp_path_factory):
    """The interpreter of a fresh environment in which the wheel is installed."""
    return environment(tmp_path_factory.mktemp("wheel"), str(next(distributions.glob("*.whl"))))


@pytest.fixture(scope="module")
def editable(source, tmp_path_factory):
    """The interpreter of a fresh environment that knows where the source is."""
    return environment(tmp_path_factory.mktemp("editable"), "-e", str(source))


@pytest.fixture(params=["wheel", "editable"])
def python(request):
    """The interpreter of either environment."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def elsewhere(tmp_path):
    """A user's folder with modules of the same names."""
    for name, text in OWN.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_beside_a_users_own_modules(python, elsewhere):
    code = (
        "import train, models, data, benchmarks, nnlite.train.runs.loop, nnlite.models, nnlite.data.clips\n"
    )
    code += "print(train.mine, models.mine, data.mine, benchmarks.mine, nnlite.__version__)"
    assert run(str(python), "-c", code, cwd=elsewhere).split() == ["1", "2", "3", "4", nnlite.__version__]


def test_commands_from_anywhere(wheel, elsewhere):
    module = [str(wheel), "-m", "nnlite.train.moving_mnist"]
    printed = run(*module, *TINY, "--out", "one", cwd=elsewhere)
    assert "python -m" not in printed and (elsewhere / "one" / "inspect.html").stat().st_size > 1e5
    command = str(wheel.parent / "nnlite")
    run(command, "moving-mnist", "--resume", "one", "--sequences", "16", cwd=elsewhere)
    listed = run(command, "--help", cwd=elsewhere)
    for name in (
        "ablations",
        "camvid",
        "inspect",
        "moving-mnist",
        "real-video",
        "video-ablations",
        "warping",
    ):
        assert f"\n  {name} " in listed
    assert run(command, "runs", ".", cwd=elsewhere).count("finished") == 1
    assert run(command, "--version", cwd=elsewhere) == f"nnlite {nnlite.__version__}\n"
    result = (elsewhere / "one" / "result.json").read_text()
    assert f'"nnlite": "{nnlite.__version__}"' in result and "nnlite moving-mnist --resume one" in result


def test_pretrained_weights_come_along(python, elsewhere):
    code = (
        "from nnlite import models; print(*models.pretrained_names()); models.load_pretrained('ae_convlstm')"
    )
    found = run(str(python), "-c", code, cwd=elsewhere).split()
    assert found == models.pretrained_names() and set(models.names()) < set(found)


def test_no_class_exists_twice(python, source):
    """In a clone the folders can be imported by their own names too; what runs is what is in nnlite."""
    code = "import sys, train.moving_mnist.__main__\n"
    code += (
        "print([name for name in sys.modules if name.split('.')[0] in ('data', 'models', 'benchmarks')])\n"
    )
    code += "print([name for name in sys.modules if name.startswith('train.') and name.count('.') > 1])"
    first, second = run(str(python), "-c", code, cwd=source).splitlines()
    assert first == "[]" and second == "['train.moving_mnist.__main__']"
    assert "usage: python -m train.moving_mnist" in run(
        str(python), "-m", "train.moving_mnist", "--help", cwd=source
    )


def test_the_sdist_can_run_its_tests(distributions, source, wheel, tmp_path):
    """All are in it and can be imported; some are run, among them those that read what is beside tests/."""
    with tarfile.open(next(distributions.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = (entry for entry in tmp_path.iterdir() if entry.is_dir())
    there, here = (
        {path.relative_to(root) for path in (root / "tests").rglob("*") if path.is_file()}
        for root in (folder, source)
    )
    assert there == here
    files = ["test_linear.py", "test_readme.py", "test_fidelity.py", "test_torch7.py"]
    chosen = " or ".join([*files, "test_links_lead_somewhere"])
    printed = run(str(wheel), "-m", "pytest", "-k", chosen, cwd=folder)
    assert int(re.search(r"(\d+) passed", printed)[1]) > 100 and "failed" not in printed
