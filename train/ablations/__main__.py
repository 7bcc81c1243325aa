"""What the parts of AE-ConvLSTM-flow do: the same small model trained with and without each of them.

    python -m train.ablations               train all variants, some minutes each, and write the table
    python -m train.ablations --resume RUN  continue where that was stopped

The run folder gets a run folder of `train.moving_mnist` for each variant, ablations.md and ablations.json.
"""

if __name__ == "__main__":  # before all other imports, which take their time
    from ..starting import start

    start(__spec__.name)

import functools

from nnlite.train.ablations.experiment import Ablations
from nnlite.train.runs import command

main = functools.partial(command.run, Ablations)
