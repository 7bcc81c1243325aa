"""Train SegNet and SegNet-flow on video of which few frames are labelled, and compare them (Table 2).

    python -m train.camvid                              both on moving shapes, some minutes
    python -m train.camvid --camvid DIR                 both on CamVid, at a size for processors
    python -m train.camvid --camvid DIR --split val     the same on CamVid's only labelled video
    python -m train.camvid --camvid DIR --preset camvid-full    the paper's size, for hours on processors
    python -m train.camvid --camvid DIR --preset paper  section 5.2 of the paper, for a GPU
    python -m train.camvid --model segnet ...           one of the two
    python -m train.camvid --resume RUN                 continue a run that was stopped
    python -m train.camvid --evaluate CHECKPOINT        score a trained model
    python -m train.camvid --predict CHECKPOINT VIDEO   label a video of one's own
    python -m train.camvid --table RUN RUN --out DIR    one table of several runs
    python -m train.camvid --export RUN                 pack trained weights

A run folder gets checkpoint.h5, log.jsonl, result.json and pictures; with both networks it has one such
folder for each, and table2.md, table2.json and the pictures of both.
"""

if __name__ == "__main__":  # before all other imports, which take their time
    from ..starting import start

    start(__spec__.name)

import functools

from nnlite.train.camvid.experiment import LabelledVideo
from nnlite.train.runs import command

main = functools.partial(command.run, LabelledVideo)
