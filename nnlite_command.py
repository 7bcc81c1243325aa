"""The command `nnlite`: beside the package, so that Ctrl-C in the second of its import is one line too."""

import signal
import sys


def main():
    """Run the command line."""
    try:
        from nnlite.train.starting import start
    except KeyboardInterrupt:
        print("\nStopped by Ctrl-C; nothing was begun.", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    start("train.__main__")
