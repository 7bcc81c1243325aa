"""The command `nnlite`: every experiment is a subcommand, and so are its tools."""

if __name__ == "__main__":  # before all other imports, which take their time
    from .starting import start

    start(__spec__.name)

import importlib
import pkgutil
import sys

import nnlite
from nnlite import train
from nnlite.spelling import did_you_mean


def main(argv=None):
    """Run the subcommand that the command line names; return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    known = commands()
    first, *rest = argv or ["--help"]
    if first == "--version":
        print(f"nnlite {nnlite.__version__}")
        return 0
    if first in ("-h", "--help"):
        print(describe(known))
        return 0
    if (name := first.replace("-", "_")) not in known:
        near = did_you_mean(first, (known_name.replace("_", "-") for known_name in known))
        print(f"error: there is no command {first!r}{near}\n\n{describe(known)}", file=sys.stderr)
        return 2
    return known[name].main(rest)


def commands():
    """Return {name: module} of the packages that are commands."""
    names = (info.name for info in pkgutil.iter_modules(train.__path__) if info.ispkg)
    return {name: importlib.import_module(f"nnlite.train.{name}.__main__") for name in names}


def describe(known):
    """Return the help: every command, and in a line what it does."""
    width = max(map(len, known))
    lines = [
        f"  {name.replace('_', '-'):{width}}  {module.__doc__.splitlines()[0]}"
        for name, module in known.items()
    ]
    usage = "usage: nnlite COMMAND [options]    nnlite COMMAND --help tells what there is to set"
    return "\n".join([usage, "", "commands:", *lines])
