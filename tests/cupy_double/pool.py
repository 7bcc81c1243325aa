"""How much memory CuPy's pool would take from the GPU: its allocator, on sizes alone.

As in `cupy.cuda.memory.SingleDeviceMemoryPool`: sizes are rounded up to 512 bytes; the smallest free chunk
that is large enough is taken, and split; without one the GPU gives as much as is needed; a chunk given back
is merged with free neighbours. Nothing goes back to the GPU.
"""

import bisect
import sys
import weakref
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNIT = 512


class _Chunk:
    """Some units in a row, in memory that the GPU gave in one piece."""

    def __init__(self, size, before=None, after=None):
        self.size, self.before, self.after, self.free = size, before, after, True


class PoolCount:
    """The sizes that a pool has given out, and who asked for them."""

    def __init__(self):
        self.total = 0  # bytes from the GPU
        self._free = []  # (size, number, chunk), sorted
        self._number = 0
        self.events = []  # (bytes, more or fewer, and for whom)

    def take(self, owner):
        """Count the memory of a NumPy array until it is gone."""
        size = max(-(-owner.nbytes // UNIT), 1) * UNIT
        chunk = self._chunk(size)
        self.events.append((size, _asking()))
        weakref.finalize(owner, self._give_back, chunk, self.events[-1])

    def at_peak(self):
        """Return the most bytes in use at a time, and {for whom: bytes} at that moment."""
        most = now = last = 0
        for k, (size, _) in enumerate(self.events):
            now += size
            if now > most:
                most, last = now, k
        found = {}
        for size, who in self.events[: last + 1]:
            found[who] = found.get(who, 0) + size
        return most, {who: size for who, size in found.items() if size}

    def _chunk(self, size):
        k = bisect.bisect_left(self._free, (size,))
        if k == len(self._free):
            self.total += size
            chunk = _Chunk(size)
        else:
            *_, chunk = self._free.pop(k)
            if chunk.size > size:
                rest = _Chunk(chunk.size - size, chunk, chunk.after)
                if rest.after is not None:
                    rest.after.before = rest
                chunk.size, chunk.after = size, rest
                self._enter(rest)
        chunk.free = False
        return chunk

    def _give_back(self, chunk, event):
        self.events.append((-event[0], event[1]))
        for side in (chunk.after, chunk.before):
            if side is not None and side.free:
                self._free.remove(next(entry for entry in self._free if entry[2] is side))
                first, second = (chunk, side) if side is chunk.after else (side, chunk)
                first.size, first.after = first.size + second.size, second.after
                if first.after is not None:
                    first.after.before = first
                chunk = first
        self._enter(chunk)

    def _enter(self, chunk):
        chunk.free = True
        self._number += 1
        bisect.insort(self._free, (chunk.size, self._number, chunk))


def _asking():
    """Return the innermost module that is at work, and the function of ours that asked for memory."""
    frame, function, module = sys._getframe(2), None, None
    while frame is not None and module is None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "tests"):
            function = function or f"{path.stem}.{frame.f_code.co_name}"
            asks = frame.f_locals.get("self")
            if hasattr(asks, "update_output"):
                module = f"{getattr(asks, 'counted_as', '')} {asks.name}".strip()
        frame = frame.f_back
    return module or "outside modules", function or "?"
