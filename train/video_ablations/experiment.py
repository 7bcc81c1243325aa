"""The variants of AE-ConvLSTM-flow on real video that are compared, each a run of train.real_video."""

from dataclasses import replace
from typing import ClassVar

from nnlite.train.real_video.experiment import MODEL_NAME, RealVideo
from nnlite.train.real_video.settings import PRESETS, Settings
from nnlite.train.runs.variants import Variants
from nnlite.train.video_ablations import table

#: Title and changed settings of each variant.
VARIANTS = {
    "base": ("as it is: square loss, penalty 0.01", {}),
    "no_gate": ("no gate on change", {"model_options": {"change": 0.0}}),
    "penalty_0": ("Huber penalty 0", {"model_options": {"penalty_weight": 0.0}}),
    "penalty_0.001": ("Huber penalty 0.001", {"model_options": {"penalty_weight": 0.001}}),
    "penalty_0.1": ("Huber penalty 0.1", {"model_options": {"penalty_weight": 0.1}}),
    "charbonnier": ("Charbonnier's loss", {"loss": "charbonnier"}),
    "scales": ("flow at two scales", {"model_options": {"scales": 2}}),
}
OFFERED = {"preset", "sequences", "seed", "videos", "test", "weights", "device", "out", "resume"}


class VideoAblations(Variants, RealVideo):
    """A group of runs, one for each variant of a preset of train.real_video."""

    command = group = "video_ablations"
    variants, table = VARIANTS, table
    not_offered = frozenset(Settings.__dataclass_fields__) - OFFERED
    preset = "ablation"
    description = (
        "Train AE-ConvLSTM-flow on real video with and without each of its options, and write a table of\n"
        "the error over that of the last frame copied and of the flow's error on drawn motion."
    )

    #: The experiment whose clips were read last: all variants learn from the same.
    _read: ClassVar = []

    def load(self, training=True):
        """Read the videos, or take what the variant before has read of them."""
        for other in self._read:
            if self._data() == other._data():
                self.clips, self.test, self.epoch = other.clips, other.test, other.epoch
                self.validation_subset = other.validation_subset
                self.keep_signature(other.settings.signature)
                return
        super().load(training)
        self._read[:] = [self]

    def _data(self):
        """Return the settings that say which clips are read."""
        own = replace(self.settings, model_options={}, loss="square", out=None, signature=None, weights=None)
        return own, self.settings.videos is None and self.folder

    @classmethod
    def plan(cls, given):
        layers = PRESETS[given.get("preset", cls.preset)].layers(MODEL_NAME)
        return {
            name: cls._layered(*layers, changes, given | {"render": "none"})
            for name, (_, changes) in VARIANTS.items()
        }
