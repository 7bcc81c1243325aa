"""The paper's video models, one architecture a file.

There are two kinds. Every predictor takes frames (T, N, C, H, W) and returns the predicted next frames
(T, N, C, H, W): entry t is the prediction of frame t + 1 from frames up to t. `ae_conv` sees its T frames at
once and returns only the last of these predictions, (1, N, C, H, W). Every segmenter takes frames and returns
the scores of K classes, (T, N, K, H, W); `segnet_flow` returns the table of these and the predicted frames.
"""

import inspect
from numbers import Real
from pathlib import Path
from typing import Any

import nnlite as nn
from nnlite import checkpoint
from nnlite.spelling import did_you_mean
from nnlite.typing import File

from .ae_conv import AEConv
from .ae_convlstm import AEConvLSTM
from .ae_convlstm_flow import AEConvLSTMFlow
from .ae_fclstm import AEFcLSTM
from .segnet import SegNet
from .segnet_flow import SegNetFlow
from .unit_range import UnitRange

_PREDICTORS = {
    "ae_conv": AEConv,
    "ae_fclstm": AEFcLSTM,
    "ae_convlstm": AEConvLSTM,
    "ae_convlstm_flow": AEConvLSTMFlow,
}
_SEGMENTERS = {"segnet": SegNet, "segnet_flow": SegNetFlow}
_ARCHITECTURES = _PREDICTORS | _SEGMENTERS
#: The paper's names of the architectures, for people.
TITLES = {
    "ae_conv": "AE-Conv",
    "ae_fclstm": "AE-fcLSTM",
    "ae_convlstm": "AE-ConvLSTM",
    "ae_convlstm_flow": "AE-ConvLSTM-flow",
    "segnet": "SegNet",
    "segnet_flow": "SegNet-flow",
}
#: Parts that two architectures share, (one, another): {path in one: path in the other}.
_SHARED_PARTS = {
    ("ae_convlstm", "ae_convlstm_flow"): {
        "encoder.0": "encoder",
        "memory.0": "memory",
        "decoder.0": "decoder",
    },
}
#: {output: what was subtracted from all frames} of runs whose checkpoints do not say: those on real video.
_EARLIER_OFFSETS = {"linear": 0.5}
#: The folder of trained weights, NAME.h5 each; a name is that of an architecture, or ARCHITECTURE_VARIANT.
PRETRAINED = Path(__file__).parent / "pretrained"


def names() -> list[str]:
    """Return the names of the predictors, those of Table 1."""
    return list(_PREDICTORS)


def segmenter_names() -> list[str]:
    """Return the names of the models that segment, those of Table 2."""
    return list(_SEGMENTERS)


def option_names(name: str) -> list[str]:
    """Return the names of the options that `build` takes for the architecture `name`."""
    return list(inspect.signature(_ARCHITECTURES[name]).parameters)


def shared_parts(name: str, other_name: str) -> dict[str, str]:
    """Return {path in `name`: path in `other_name`} of the parts that two architectures share."""
    return _SHARED_PARTS.get((name, other_name), {})


def build(name: str, **options: Any) -> Any:
    """Return a new model with the paper's initialisation; its `config` holds name and options.

    Raises ValueError for an unknown name, TypeError for an option that the architecture does not have or that
    is to be a number and is none.

        >>> from nnlite import models
        >>> model = models.build("ae_convlstm_flow", height=16, width=24)
        >>> model.forward(np.zeros((10, 1, 1, 16, 24), np.float32)).shape, model.flow.shape
        ((10, 1, 1, 16, 24), (10, 1, 2, 16, 24))
        >>> models.count_parameters(model)
        1035067
        >>> models.names()
        ['ae_conv', 'ae_fclstm', 'ae_convlstm', 'ae_convlstm_flow']
    """
    if name not in _ARCHITECTURES:
        known = ", ".join(_ARCHITECTURES)
        raise ValueError(f"unknown model {name!r}; choose from {known}{did_you_mean(name, _ARCHITECTURES)}")
    allowed = inspect.signature(_ARCHITECTURES[name]).parameters
    for option, value in options.items():
        if option not in allowed:
            raise TypeError(
                f"{name} has no option {option!r}; it has {', '.join(allowed)}{did_you_mean(option, allowed)}"
            )
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if isinstance(allowed[option].default, float) and not is_number:
            raise TypeError(f"{name}: {option} must be a number, got {value!r}")
    model = _ARCHITECTURES[name](**options)
    model.config = {"name": name, "options": options}
    return model


def load_pretrained(name: str, **options: Any) -> Any:
    """Return a model with the trained weights that come with the package under this name.

    name: one of `pretrained_names`, such as "ae_convlstm" or, trained for something else,
    "ae_convlstm_steps". options: replace those that it was trained with; `height` and `width` may differ
    where all layers are convolutions. Raises ValueError when there are no such weights, with the names of
    those that exist, or when their file is damaged or lacks the options of the model.
    """
    return _rebuilt(checkpoint.load(pretrained_path(name)), options)


def load(where: File, **options: Any) -> Any:
    """Return a trained model ready to use: in evaluation mode, for frames with values from 0 to 1.

    where: a checkpoint, the folder of a run, or one of `pretrained_names`. It takes frames as large as those
    of its run, others with `height` and `width` among the `options`, see `load_pretrained`; what it subtracts
    from frames, if anything, it does itself (`UnitRange`). Raises FileNotFoundError or ValueError when there
    is no such model or its file is damaged.

        >>> from nnlite import models
        >>> model = models.load("ae_convlstm_flow", height=16, width=24)
        >>> following = model.forward(np.zeros((3, 1, 1, 16, 24), np.float32))[-1]
        >>> following.shape, bool(following.max() < 0.5)
        ((1, 1, 16, 24), True)
    """
    packed = where in pretrained_names() and not Path(where).exists()
    if not packed and not Path(where).exists():
        near = did_you_mean(str(where), pretrained_names())
        raise FileNotFoundError(f"there is no checkpoint {where}{near}")
    saved = checkpoint.load(pretrained_path(str(where)) if packed else where)
    size = saved.metadata.get("experiment", {}).get("size")  # those in training may be parts of frames
    if size:
        options = dict(zip(("height", "width"), size if isinstance(size, list) else (size, size))) | options
    model = _rebuilt(saved, options)
    earlier = _EARLIER_OFFSETS.get(saved.architecture["options"].get("output"), 0.0)
    offset = saved.metadata.get("offset", earlier)
    model = UnitRange(model, offset) if offset else model
    model.evaluate()
    return model


def _rebuilt(saved, options):
    """Return the model of a checkpoint, built with these options in place of its own."""
    if not isinstance(saved.architecture.get("options"), dict):
        raise ValueError(
            f"{saved.path} does not contain the options of its model; pack the weights again with "
            "python -m train.moving_mnist --export RUN"
        )
    model = build(saved.architecture["name"], **(saved.architecture["options"] | options))
    checkpoint.load_parameters(model, saved)
    return model


def pretrained_names() -> list[str]:
    """Return the names that `load_pretrained` accepts, in the order of their architectures."""
    found = sorted(path.stem for path in PRETRAINED.glob("*.h5"))
    return [name for known in _ARCHITECTURES for name in found if architecture_of(name) == known]


def architecture_of(pretrained_name: str) -> str | None:
    """Return the architecture that a file of this name would be of, or None."""
    candidates = [name for name in _ARCHITECTURES if f"{pretrained_name}_".startswith(f"{name}_")]
    return max(candidates, key=len, default=None)


def pretrained_path(name: str) -> Path:
    """Return the file of the pretrained model `name`; ValueError when there is none."""
    if name not in pretrained_names():
        raise ValueError(
            f"there is no pretrained model {name!r}; there are: {', '.join(pretrained_names()) or 'none'}"
            + did_you_mean(name, pretrained_names())
        )
    return PRETRAINED / f"{name}.h5"


def count_parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(weight.size for weight in model.parameters()[0])
