"""Stopping a long run between two steps, when the user or the system asks for it."""

import signal


class Interruption:
    """Within this context the first SIGINT or SIGTERM only sets `signal`; a second one acts as usual."""

    def __enter__(self):
        self.signal = None
        self._usual = {
            number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *_):
        for number, handler in self._usual.items():
            signal.signal(number, handler)

    def _note(self, number, _):
        self.signal = number
        self.__exit__()
