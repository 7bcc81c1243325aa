"""What modules that run over whole sequences share if they can go on where the one before has ended."""

from typing import Any

MODES = ("neither", "train", "eval", "both")


class Remembering:
    """A module that goes on from a remembered state; a subclass has `forget()` and is a `Module` besides.

    Changing between training and evaluation mode forgets.
    """

    name: Any
    train: bool
    _remember = "neither"

    def forget(self) -> Any:
        """Start the next sequence from the beginning; return self."""
        raise NotImplementedError

    def remember(self, mode: str = "both") -> Any:
        """Continue from the last state in 'train' or 'eval' mode, in 'both' or in 'neither'; return self."""
        if mode not in MODES:
            raise ValueError(f"{self.name}.remember: mode must be one of {', '.join(MODES)}, got {mode!r}")
        self._remember = mode
        return self

    @property
    def remembers(self) -> bool:
        """Whether the next sequence, in this mode, continues from where the previous one ended."""
        return self._remember in ("both", "train" if self.train else "eval")

    def training(self):
        if not self.train:
            self.forget()
        super().training()

    def evaluate(self):
        if self.train:
            self.forget()
        super().evaluate()
