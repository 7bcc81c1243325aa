"""Train video models on moving digits and compare them with each other and with what needs no model.

python -m train.moving_mnist                        the main model on moving digits, a few minutes
python -m train.moving_mnist --model all            the four of Table 1; presets quick, cpu, best, paper
python -m train.moving_mnist --preset paper         sections 4 and 5.1 of the paper, for a GPU
python -m train.moving_mnist --resume RUN           continue a run that was stopped
python -m train.moving_mnist --weights pretrained   start with trained weights instead of drawn ones
python -m train.moving_mnist --evaluate CHECKPOINT  score a trained model, or all that are `pretrained`
python -m train.moving_mnist --figures RUN          Figures 3 and 5, errors by frames seen, rollouts
python -m train.moving_mnist --frames 20 --steps-ahead 10  train to predict ten frames from ten
python -m train.moving_mnist --rollout CHECKPOINT   score ten frames from ten, beside published figures
python -m train.moving_mnist --speeds CHECKPOINT    score digits of several speeds
python -m train.moving_mnist --transfer CHECKPOINT  three digits, larger frames, other shapes
python -m train.moving_mnist --export RUN           pack trained weights for models/pretrained
"""

if __name__ == "__main__":  # before all other imports, which take their time
    from ..starting import start

    start(__spec__.name)

import functools

from nnlite.train.moving_mnist.experiment import MovingDigits
from nnlite.train.runs import command

main = functools.partial(command.run, MovingDigits)
