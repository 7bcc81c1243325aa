"""Models on digits of several speeds, fixed and drawn."""

import functools

from nnlite.train.moving_mnist import conditions

SPEEDS = ((1.8,), (3.6,), (0.0, 3.6), (2.0, 5.0))
NOTES = """\
Speeds in pixels a frame; of two numbers each digit draws its speed in between. The paper's "uniform random
sampling to obtain direction and velocity" can be read in two ways: 3.6 is that of Srivastava et al.'s code, a
random direction at a fixed speed, and that of Table 1 here; 0 to 3.6 is the other, a speed drawn for each
digit too."""
show = functools.partial(
    conditions.show,
    conditions.Page(
        "speeds", "Several speeds", {conditions.pace(speed): {"speed": speed} for speed in SPEEDS}, NOTES
    ),
)
