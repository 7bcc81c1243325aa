"""Stopping when the user or the system asks for it: a long run between two steps, a command with one line."""

import functools
import signal
import sys
import threading
import warnings


class Interruption:
    """Within this context the first SIGINT or SIGTERM only sets `signal`; a second one acts as usual.

    Only the main thread of a process can handle signals: in another one a RuntimeWarning says that none will.
    """

    def __enter__(self):
        self.signal, self._usual = None, {}
        if threading.current_thread() is not threading.main_thread():
            warnings.warn(
                "training outside of the main thread: Ctrl-C and SIGTERM act as usual, without saving the "
                "run; it can be continued from its last checkpoint",
                RuntimeWarning,
                stacklevel=3,
            )
            return self
        for number in (signal.SIGINT, signal.SIGTERM):
            self._usual[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_):
        for number, handler in self._usual.items():
            signal.signal(number, handler)

    def _note(self, number, _):
        self.signal = number
        self.__exit__()


def interruptible(main):
    """Return the main function of a command, which Ctrl-C ends with one line and the status 130."""

    @functools.wraps(main)
    def until_interrupted(*args, **keywords):
        try:
            return main(*args, **keywords)
        except KeyboardInterrupt:
            print("\nStopped by Ctrl-C; what was saved before stands.", file=sys.stderr)
            return 128 + signal.SIGINT

    return until_interrupted


def end(status):
    """End the process with the status of its main function; once it was stopped, Ctrl-C is ignored."""
    if status == 128 + signal.SIGINT:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(status)
