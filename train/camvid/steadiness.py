"""How steady labels are over time: the share of pixels whose label changes along the motion."""

import numpy as np

from nnlite.data.pictures import LUMINANCE
from nnlite.train.report.lucas_kanade import optical_flow, warp

#: Pixels whose grey value differs by more from that where they come from are not counted: there the motion
#: that was found is wrong, or they were hidden before.
SAME = 0.1


class Steadiness:
    """Counts, over any number of pairs of frames, pixels that have another label than where they come from.

    Attributes: `changed` and `counted`, numbers of pixels.
    """

    def __init__(self):
        self.changed = self.counted = 0

    def __add__(self, other):
        both = Steadiness()
        both.changed, both.counted = self.changed + other.changed, self.counted + other.counted
        return both

    def add(self, before, after, motion, visible=None):
        """Count the pixels of two label maps (H, W), one frame apart.

        motion: (H, W, 2), (u, v) in pixels from the first frame to the second at the pixels of the second;
        NaN where unknown. A pixel comes from the one nearest to x - motion(x). Those that come from outside
        the picture are not counted, nor those that are not `visible` (H, W) in both frames.
        """
        height, width = after.shape
        known = np.isfinite(motion).all(axis=-1)
        motion = np.where(known[..., None], motion, 0)
        y, x = np.mgrid[:height, :width]
        rows = np.rint(y - motion[..., 1]).astype(np.int64)
        columns = np.rint(x - motion[..., 0]).astype(np.int64)
        counted = known & (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        if visible is not None:
            counted &= visible
        source = before[rows.clip(0, height - 1), columns.clip(0, width - 1)]
        self.changed += int(np.count_nonzero((source != after) & counted))
        self.counted += int(np.count_nonzero(counted))

    @property
    def share(self):
        """The share of changed pixels; None when none was counted."""
        return self.changed / self.counted if self.counted else None


def motion_between(before, after):
    """Return the motion between frames (3, H, W) that Lucas-Kanade finds, as `Steadiness.add` takes it."""
    before, after = (np.einsum("chw,c->hw", frame, LUMINANCE) for frame in (before, after))
    back = optical_flow(after, before)
    wrong = np.abs(warp(before, back) - after) > SAME
    return np.where(wrong[..., None], np.nan, -back)
