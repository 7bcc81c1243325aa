"""When the frames of a video are shown: a clock that copes with bad times, the rate, and resampling."""

import numpy as np

#: Times that differ by less, in seconds, are considered equal.
_ROUNDING = 1e-6
#: A frame is not shown for longer than this, in seconds, nor for more than this many usual frames: the times
#: of the file jump.
_LONGEST, _LONGEST_IN_FRAMES = 600, 100
#: Times that go back by more, in seconds, begin anew, as where two recordings were joined.
_BEGINS_ANEW = 0.5
#: The rate that a container states is exact where it agrees with the times to this share.
_AGREES = 0.01


class Clock:
    """Returns when the frames of a file are shown, in seconds, always rising; to be called for all in order.

    step: the usual duration of a frame. say: called with a message when the times jump.
    """

    def __init__(self, step, say):
        self._usual = self._step = step
        self._say = say
        self._last, self._had_time, self._offset = None, False, 0.0

    def __call__(self, time):
        """Return when the next frame is shown; `time`: what the file says of it, or None."""
        if self._last is None:
            self._last = time or 0.0
        elif time is None:
            self._last += self._step
        else:
            self._last = self._checked(time + self._offset)
        self._had_time = time is not None
        return self._last

    def _checked(self, time):
        interval, expected = time - self._last, self._last + self._step
        jumps = interval > max(_LONGEST, _LONGEST_IN_FRAMES * self._usual)
        if jumps:
            self._say(f"the times jump by {interval:,.0f} s at {self._last:.2f} s; no frame is shown so long")
        if jumps or interval < -_BEGINS_ANEW:
            self._offset += expected - time
        if jumps or interval <= 0:
            return expected
        if self._had_time:
            self._step = interval
        return time


def rate_of(times, stated):
    """Return the frames a second of rising times (T,), in seconds; `stated` if there is only one.

    stated: what the container says; it is exact where it agrees with the times, which may be rounded.
    """
    if len(times) < 2:
        return stated
    rate = (len(times) - 1) / (times[-1] - times[0])
    return stated if abs(stated / rate - 1) <= _AGREES else float(rate)


def resample(timed, rate):
    """Yield from (time, item) pairs the items nearest to the times t₀ + k / rate; all if `rate` is None.

    t₀ is the time of the first item; the last item is valid until half of its distance to the one before has
    passed. Ties go to the earlier item.
    """
    if rate is None:
        yield from (item for _, item in timed)
        return
    k, start, end, last = 0, None, None, None
    for time, item in timed:
        if last is None:
            start = end = time
        else:
            change = (last[0] + time) / 2
            while start + k / rate <= change + _ROUNDING:
                yield last[1]
                k += 1
            end = time + (time - last[0]) / 2
        last = time, item
    while last is not None and (k == 0 or start + k / rate < end - _ROUNDING):
        yield last[1]
        k += 1


def presentation_order(times):
    """Return decoding times and presentation times [(d, p), ...] of packets as presentation times in order.

    Where decoding times fall, the file begins anew.
    """
    ordered, part, last = [], [], -np.inf
    for decoding, shown in times:
        if decoding < last - _BEGINS_ANEW:
            ordered += sorted(part)
            part = []
        part.append(shown)
        last = decoding
    return ordered + sorted(part)
