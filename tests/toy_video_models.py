"""Small video models with a memory, for tests of what runs them in other ways."""

import nnlite as nn
from nnlite import models

SMALL = {"height": 8, "width": 8, "n_features": 3, "n_memory": 4, "kernel": 3}
MODELS = {"ae_convlstm": {}, "ae_fclstm": {}, "ae_convlstm_flow": {"flow_kernel": 3}}


def lively(name, **options):
    """Return a small model that does not predict the same grey everywhere."""
    nn.manual_seed(1)
    model = models.build(name, **SMALL, **(MODELS[name] | options))
    for _, weight, _ in model.named_parameters():
        weight *= 3
    if name == "ae_convlstm_flow":
        model.regressor[2].weight[...] = 0.3
        model.regressor[2].bias[...] = (0.2, -0.1)
    return model
