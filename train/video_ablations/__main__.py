"""What the options of AE-ConvLSTM-flow give on real video: the same training with and without each of them.

    python -m train.video_ablations               train all variants, a minute or two each, write the table
    python -m train.video_ablations --resume RUN  continue where that was stopped

All start with the same weights, by default those that come with the package, and see the same sequences. The
run folder gets a run folder of `train.real_video` for each variant, ablations.md and ablations.json.
"""

if __name__ == "__main__":  # before all other imports, which take their time
    from ..starting import start

    start(__spec__.name)

import functools

from nnlite.train.runs import command
from nnlite.train.video_ablations.experiment import VideoAblations

main = functools.partial(command.run, VideoAblations)
