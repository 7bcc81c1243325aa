"""Starts a command so that Ctrl-C ends it with one line at any time: its imports alone take a second.

Every `__main__` calls `start` before it imports anything else, which then imports it again, to be run.
"""

import _thread
import importlib
import signal
import sys
import threading


def start(name):
    """Run main() of a module, named as Python runs it, and end the process with the status it returns."""
    sys.unraisablehook = _once_more
    try:
        status = importlib.import_module(f"nnlite.{name.removeprefix('nnlite.')}").main()
    except KeyboardInterrupt:
        print("\nStopped by Ctrl-C; what was saved before stands.", file=sys.stderr)
        status = 128 + signal.SIGINT
    if status == 128 + signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is ending
    sys.exit(status)


def main():
    """Run the command `nnlite`."""
    start("train.__main__")


def _once_more(unraisable):
    """Repeat a Ctrl-C that struck in a destructor, where Python prints it and goes on as if nothing was."""
    if unraisable.exc_type is KeyboardInterrupt:
        later = threading.Timer(0.05, _interrupt)
        later.daemon = True
        later.start()
    else:
        sys.__unraisablehook__(unraisable)


def _interrupt():
    """Do what Ctrl-C does: a signal ends a sleep or a read of the main thread too."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    else:
        _thread.interrupt_main()
