"""The loss of SegNet-flow: its formula, and what it leaves out."""

import numpy as np
import pytest

from nnlite.models.segmentation_loss import SegmentationLoss
from tests.recurrent_golden import noise
from tests.toy_segnet_flow import HEIGHT, WIDTH, frames, labels_at


@pytest.mark.parametrize("labelled", [[0], [3], [1, 2], [0, 1, 2, 3], []])
def test_the_loss_is_its_formula(labelled):
    scores, predicted = noise(4, 2, 3, HEIGHT, WIDTH), noise(4, 2, 3, HEIGHT, WIDTH, seed=2)
    x, labels, weights = frames(4, 2, 3, HEIGHT, WIDTH), labels_at(4, labelled), np.array([0.5, 2.0, 1.0])
    criterion = SegmentationLoss(weights, segmentation_weight=0.3)
    log_p = scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))
    picked = np.take_along_axis(log_p, np.maximum(labels, 0)[:, :, None], axis=2)[:, :, 0]
    error = -(weights[labels] * (labels >= 0) * picked).sum()
    reconstruction = ((predicted[:-1] - x[1:]) ** 2).sum()
    assert criterion.forward([scores, predicted], [labels, x]) == pytest.approx(0.3 * error + reconstruction)
    assert criterion.cross_entropy.output == pytest.approx(error)
    assert criterion.reconstruction == pytest.approx(reconstruction)
    grad_scores, grad_predicted = criterion.backward([scores, predicted], [labels, x])
    assert [t for t in range(4) if grad_scores[t].any()] == labelled
    assert not grad_predicted[-1].any() and grad_predicted[:-1].all()


def test_one_frame_has_nothing_to_reconstruct():
    scores, x = noise(1, 1, 3, HEIGHT, WIDTH), frames(1, 1, 3, HEIGHT, WIDTH)
    criterion, labels = SegmentationLoss(), labels_at(1, [0], n=1)
    assert criterion.forward([scores, x], [labels, x]) == criterion.cross_entropy.output > 0
    assert not criterion.backward([scores, x], [labels, x])[1].any()


def test_bad_input():
    scores, x, labels = noise(2, 2, 3, HEIGHT, WIDTH), frames(2, 2, 3, HEIGHT, WIDTH), labels_at(2, [1])
    with pytest.raises(ValueError, match="SegmentationLoss: target must be a table of two arrays"):
        SegmentationLoss().forward([scores, x], labels)
    with pytest.raises(
        ValueError, match=r"SegmentationLoss: predicted frames .*, but frames .*; give the frames"
    ):
        SegmentationLoss().forward([scores, x[:1]], [labels, x])
