"""Train AE-ConvLSTM-flow on real video, and see what it predicts of any video (section 5.1, Figure 6).

python -m train.real_video                              the videos below NNLITE_DATA, else drawn ones
python -m train.real_video --videos DIR [--test DIR]    any folders of video files or of pictures
python -m train.real_video --preset paper --videos HMDB51 --splits SPLITS
python -m train.real_video --resume RUN                 continue a run that was stopped
python -m train.real_video --evaluate CHECKPOINT        score a trained model
python -m train.real_video --predict CHECKPOINT VIDEO   render predictions, flow and errors of a video
python -m train.real_video --weights CHECKPOINT         start with trained weights instead of drawn ones
python -m train.real_video --export RUN                 pack trained weights for models/pretrained

CHECKPOINT is a file, the folder of a run, or 'pretrained' for the weights that come with the package.

The model and its loss, eq. 4, are the paper's: the squared error summed over the pixels, plus the Huber
penalty of the flow with the weight 0.01. Its output is linear, and 0 stands for middle grey.
"""

import functools
import sys

from nnlite.train.real_video.experiment import RealVideo
from nnlite.train.runs import command

main = functools.partial(command.run, RealVideo)

if __name__ == "__main__":
    sys.exit(main())
