"""The variants of AE-ConvLSTM-flow that are compared, each a run on moving digits."""

from nnlite.train.ablations import table
from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.moving_mnist.presets import settings_for
from nnlite.train.moving_mnist.settings import MODEL_NAME, Settings
from nnlite.train.runs.variants import Variants

#: Title and changed settings of each variant.
VARIANTS = {
    "base": ("unchanged", {}),
    "no_penalty": ("no Huber penalty", {"model_options": {"penalty_weight": 0}}),
    "untied": ("untied memory", {"model_options": {"untied": True}}),
    "forget_0": ("forget bias 0", {"model_options": {"forget_bias": 0.0}}),
    "last": ("loss at the last step only", {"loss_at": "last"}),
}
OFFERED = {"preset", "sequences", "test_sequences", "seed", "data", "device", "out", "resume"}


class Ablations(Variants, MovingDigits):
    """A group of runs, one for each variant of a preset of train.moving_mnist."""

    command = group = "ablations"
    variants, table = VARIANTS, table
    not_offered = frozenset(Settings.__dataclass_fields__) - OFFERED
    preset = "ablation"
    description = (
        "Train a small AE-ConvLSTM-flow with and without each of its parts, and write a table of the error, "
        "the\n"
        "error of the flow, and its roughness."
    )

    @classmethod
    def plan(cls, given):
        preset = given.get("preset", cls.preset)
        return {
            name: settings_for(MODEL_NAME, preset, given, changes) for name, (_, changes) in VARIANTS.items()
        }
