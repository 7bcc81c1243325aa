"""Errors of frames, against their definitions written out with loops."""

import numpy as np
import pytest

from nnlite.train.report import image_metrics


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    truth = rng.random((3, 1, 10, 12)).astype(np.float32)
    return np.clip(truth + 0.3 * rng.standard_normal(truth.shape), 0, 1).astype(np.float32), truth


def test_sums_over_a_frame(frames):
    prediction, truth = frames
    for n in range(3):
        d = (prediction[n] - truth[n]).astype(np.float64)
        assert image_metrics.squared_error(*frames)[n] == pytest.approx(np.sum(d**2), rel=1e-5)
        assert image_metrics.absolute_error(*frames)[n] == pytest.approx(np.sum(abs(d)), rel=1e-5)
        assert image_metrics.signal_to_noise(*frames)[n] == pytest.approx(
            -10 * np.log10(np.mean(d**2)), rel=1e-5
        )
    assert np.isinf(image_metrics.signal_to_noise(truth, truth)).all()


def test_structural_similarity_window_by_window(frames):
    prediction, truth = (array[:, 0].astype(np.float64) for array in frames)
    for n in range(3):
        values = []
        for y in range(10 - 6):
            for x in range(12 - 6):
                a, b = (array[n, y : y + 7, x : x + 7] for array in (prediction, truth))
                cov = np.cov(a.ravel(), b.ravel())  # divided by 48
                c1, c2 = 0.02**2, 0.06**2
                top = (2 * a.mean() * b.mean() + c1) * (2 * cov[0, 1] + c2)
                values.append(top / ((a.mean() ** 2 + b.mean() ** 2 + c1) * (cov[0, 0] + cov[1, 1] + c2)))
        assert image_metrics.structural_similarity(*frames)[n] == pytest.approx(np.mean(values), rel=1e-6)
    np.testing.assert_allclose(image_metrics.structural_similarity(frames[1], frames[1]), 1)


def test_bytes_are_not_subtracted_as_bytes():
    prediction, truth = np.full((1, 1, 8, 8), 100, np.uint8), np.full((1, 1, 8, 8), 116, np.uint8)
    assert image_metrics.squared_error(prediction, truth) == 64 * 16**2
    assert image_metrics.absolute_error(prediction, truth) == 64 * 16


def test_frames_smaller_than_a_window_have_no_structural_similarity():
    frames = np.zeros((1, 1, 9, 6))
    with pytest.raises(ValueError, match="of at least 7 x 7 pixels, got 9 x 6"):
        image_metrics.structural_similarity(frames, frames)
