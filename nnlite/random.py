"""Torch7's random generator: the same `manual_seed` gives the same initial weights as Torch7.

MT19937 with the legacy seeding. Every uniform number costs one 32-bit word (NumPy's own `random_sample`
costs two), and normals come in Box-Muller pairs. Arrays are drawn in row-major order, always in host
memory and float64; the caller converts. Recorded vectors: `tests/golden/a_nn_layers.h5`, group `RNG`.
"""

from typing import Any

import numpy as np

from .typing import Array


class Generator:
    """Torch7's MT19937 stream with its uniform, normal, Bernoulli and permutation draws.

    >>> nn.manual_seed(1)
    >>> first = nn.Linear(3, 2)
    >>> nn.manual_seed(1)
    >>> bool((first.weight == nn.Linear(3, 2).weight).all())
    True
    """

    def __init__(self, seed: int = 5489) -> None:
        self.manual_seed(seed)

    def manual_seed(self, seed: int) -> None:
        """Restart the stream at `seed` (an integer, taken modulo 2³²)."""
        self._bits = np.random.MT19937()
        self._bits._legacy_seeding(int(seed) & 0xFFFFFFFF)
        self._spare_normal: float | None = None

    def random(self, size: Any) -> Array:
        """Return `size` raw 32-bit words as uint64."""
        return self._bits.random_raw(int(np.prod(size, dtype=np.int64))).reshape(size)

    def integers(self, low: int, high: int, size: Any) -> Array:
        """Return integers in low..high inclusive, as `torch.random(low, high)` does."""
        return (self.random(size) % np.uint64(high - low + 1)).astype(np.int64) + low

    def uniform(self, low: float = 0.0, high: float = 1.0, size: Any = ()) -> Array:
        """Return uniform numbers u32 / 2³² · (high - low) + low."""
        return self.random(size) * 2.0**-32 * (high - low) + low

    def normal(self, mean: float = 0.0, std: float = 1.0, size: Any = ()) -> Array:
        """Return normal numbers: ρ = √(-2 log(1 - u₂)), ρ cos 2πu₁ first, then ρ sin 2πu₁."""
        count = int(np.prod(size, dtype=np.int64))
        spare: list[float] = [] if self._spare_normal is None or count == 0 else [self._spare_normal]
        pairs = self.uniform(size=((count - len(spare) + 1) // 2, 2))
        rho = np.sqrt(-2.0 * np.log(1.0 - pairs[:, 1]))
        angle = 2.0 * np.pi * pairs[:, 0]
        fresh = np.stack([rho * np.cos(angle), rho * np.sin(angle)], axis=1).ravel()
        values = np.concatenate([spare, fresh])
        if count:
            self._spare_normal = values[count] if values.size > count else None
        return values[:count].reshape(size) * std + mean

    def bernoulli(self, p: float = 0.5, size: Any = ()) -> Array:
        """Return ones with probability p and zeros otherwise (u <= p)."""
        return (self.uniform(size=size) <= p).astype(np.float64)

    def randperm(self, n: int) -> Array:
        """Return a permutation of 0..n-1: for each i, swap entry i with entry i + u32 mod (n - i)."""
        order = np.arange(n)
        for i, word in enumerate(self.random((max(n - 1, 0),)).tolist()):
            j = i + word % (n - i)
            order[i], order[j] = order[j], order[i]
        return order

    def get_state(self) -> dict[str, Any]:
        """Return the state as a flat dict of arrays and numbers, as a checkpoint can hold it."""
        state = self._bits.state["state"]
        spare = np.nan if self._spare_normal is None else self._spare_normal
        return {"key": state["key"].copy(), "pos": int(state["pos"]), "spare_normal": float(spare)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore a state from `get_state`."""
        self._bits.state = {
            "bit_generator": "MT19937",
            "state": {"key": np.asarray(state["key"], np.uint32), "pos": int(state["pos"])},
        }
        spare = float(state["spare_normal"])
        self._spare_normal = None if np.isnan(spare) else spare


#: The generator that modules draw from when they are built, reset or drop out.
default_generator = Generator()

manual_seed = default_generator.manual_seed
