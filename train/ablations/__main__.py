"""What the parts of AE-ConvLSTM-flow do: the same small model trained with and without each of them.

    python -m train.ablations               train all variants, some minutes each, and write the table
    python -m train.ablations --resume RUN  continue where that was stopped

The run folder gets a run folder of `train.moving_mnist` for each variant, ablations.md and ablations.json.
"""

import functools

from nnlite.train.ablations.experiment import Ablations
from nnlite.train.runs import command
from nnlite.train.runs.interruption import end

main = functools.partial(command.run, Ablations)

if __name__ == "__main__":
    end(main())
