"""What the commands that train do alike: choose what was asked for, say what is wrong, and how to go on."""

import shlex
import sys
import time


def run(program, settle, modes, argv=None):
    """Do what the command line asks for; return the exit status, 2 after an error, which is printed.

    program: what the user types, such as "python -m train.camvid". settle(argv): returns which of `modes`
    and its settings. modes: {name: function(settings, command)}, each of which returns an exit status.
    """
    argv = sys.argv[1:] if argv is None else argv
    try:
        mode, settings = settle(argv)
        return modes[mode](settings, shlex.join([*program.split(), *argv]))
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def train(program, begin, settings, command):
    """Train one model to the end; return the exit status. begin: `new` or `resumed` of a class of runs."""
    began = time.monotonic()
    run = begin(settings, command)
    return run.to_the_end(began, go_on(program, run.folder))


def go_on(program, folder):
    """Return the command that resumes what is in a folder."""
    return f"{program} --resume {shlex.quote(str(folder))}"
