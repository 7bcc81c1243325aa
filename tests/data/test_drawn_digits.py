"""Drawn digits: form, reproducibility, disjoint splits, and that each class looks like itself."""

import hashlib

import numpy as np
import pytest

from nnlite.data.drawn_digits import draw_digits


@pytest.fixture(scope="module")
def training():
    return draw_digits(3000)


def test_form(training):
    images, labels = training
    assert images.shape == (3000, 28, 28) and images.dtype == np.uint8
    np.testing.assert_array_equal(labels[:12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1])
    assert draw_digits(0)[0].shape == (0, 28, 28)


def test_looks_like_mnist(training):
    images, _ = training
    ink = images / 255.0
    assert 0.11 < ink.mean() < 0.15  # MNIST: 0.131
    assert 0.05 < ((images > 20) & (images < 235)).mean() < 0.15  # anti-aliased; MNIST: 0.093
    assert images.max() == 255
    # The ink's centre is the picture's, and the outer two pixels are all but empty.
    mass = ink.sum(axis=(1, 2))
    assert mass.min() > 20
    for axis in (1, 2):
        centre = (ink.sum(axis=3 - axis) * np.arange(28)).sum(axis=1) / mass
        assert abs(centre - 13.5).max() < 1.0
    outside = ink.copy()
    outside[:, 2:-2, 2:-2] = 0
    assert outside.sum() < 0.002 * ink.sum()


def test_classes_can_be_distinguished(training):
    """The class whose mean picture is nearest is the right one for most unseen digits."""
    images, labels = training
    means = np.stack([images[labels == label].mean(axis=0) for label in range(10)])
    unseen, truth = draw_digits(500, split="test")
    distance = ((unseen[:, None] - means) ** 2).sum(axis=(2, 3))
    assert (distance.argmin(axis=1) == truth).mean() > 0.7


def test_variants_differ(training):
    images, labels = training
    for label in range(10):
        members = images[labels == label]
        assert len(np.unique(members.reshape(len(members), -1), axis=0)) == len(members)


def test_a_digit_does_not_depend_on_how_many_are_drawn(training):
    np.testing.assert_array_equal(draw_digits(37)[0], training[0][:37])


def test_splits_and_seeds_are_disjoint(training):
    def prints(images):
        return {hashlib.sha1(image.tobytes()).digest() for image in images}

    seen = prints(training[0])
    assert not seen & prints(draw_digits(3000, split="test")[0])
    assert not seen & prints(draw_digits(3000, seed=1)[0])


def test_same_everywhere():
    """A change of the drawing fails here, because it makes earlier results incomparable."""
    images, _ = draw_digits(200)
    assert int(images.sum(dtype=np.int64)) == 5378050


def test_unknown_split():
    with pytest.raises(ValueError, match=r"\['test', 'train'\], got 'validation'"):
        draw_digits(1, split="validation")
