"""Stopping a long run between two steps, when the user or the system asks for it."""

import signal
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
