"""Options of the architecture where one command trains several."""

from nnlite import models
from nnlite.spelling import did_you_mean


def options_by_model(names, options):
    """Return {name: those of the options that the architecture has}.

    ValueError for an option that none of them has.
    """
    known = {name: models.option_names(name) for name in names}
    for name in options:
        if not any(name in theirs for theirs in known.values()):
            near = did_you_mean(name, {option for theirs in known.values() for option in theirs})
            raise ValueError(f"--model-option {name}: none of {', '.join(known)} has such an option{near}")
    return {
        model: {name: value for name, value in options.items() if name in theirs}
        for model, theirs in known.items()
    }
