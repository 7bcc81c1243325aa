"""Scores of labels that are carried from one test sequence to the next."""

import numpy as np
import pytest

from nnlite import models
from nnlite.data.camvid import CamVid
from nnlite.data.camvid_sequences import CamVidSequences
from nnlite.data.label_colours import CLASSES
from nnlite.train.camvid.evaluation import evaluate, segment
from nnlite.train.camvid.scores import ConfusionMatrix
from tests.camvid_folders import make_tutorial

VIDEO = {"n_features": 2, "n_memory": 3, "kernel": 3, "flow_kernel": 3}


@pytest.fixture(scope="module")
def test_part(tmp_path_factory):
    """Two test sequences of four frames, one after the other in the same video."""
    folder = tmp_path_factory.mktemp("camvid")
    make_tutorial(folder, [f"0016E5_{number:05d}" for number in range(7959, 7959 + 2 * 20, 2)])
    return CamVid(folder, (16, 16)).split_by_time(n_frames=4)[1]


@pytest.fixture
def model():
    built = models.build("segnet_flow", height=16, width=16, n_features=4, kernel=3, video=VIDEO)
    built.propagation.merge.bias.fill(-2)
    return built


def test_the_stream_is_the_whole_video(test_part, model):
    (first, visible), (second, _) = test_part.sequences
    whole = CamVidSequences(test_part.camvid, "val", [(first + second, visible + visible)]).batch([0])
    labels = segment(model, whole.frames)["labels"]
    expected = ConfusionMatrix(CLASSES)
    expected.add(labels, whole.withheld_labels)

    scores = evaluate(model, test_part, 2, 2, CLASSES)
    assert scores["stream"]["unlabelled"] == expected.scores()
    assert scores["stream"]["unlabelled"]["counts"] != scores["labels"]["unlabelled"]["counts"]
    assert np.sum(scores["stream"]["labelled"]["counts"]) == np.sum(scores["labels"]["labelled"]["counts"])
    assert "stream" not in evaluate(model, test_part, 2, 2, CLASSES, brief=True)


def test_nothing_is_carried_into_another_video(test_part, model):
    swapped = CamVidSequences(test_part.camvid, "val", test_part.sequences[::-1])
    assert "stream" not in evaluate(model, swapped, 2, 1, CLASSES)
    again = CamVidSequences(test_part.camvid, "val", [*test_part.sequences, test_part.sequences[0]])
    once, twice = (evaluate(model, part, len(part), 1, CLASSES) for part in (test_part, again))
    alone = evaluate(model, test_part, 1, 1, CLASSES)["labels"]["unlabelled"]["counts"]
    added = np.subtract(
        twice["stream"]["unlabelled"]["counts"], once["stream"]["unlabelled"]["counts"]
    ).tolist()
    assert added == alone


def test_a_segnet_has_no_stream(test_part):
    segnet = models.build("segnet", height=16, width=16, n_features=4, kernel=3)
    assert "stream" not in evaluate(segnet, test_part, 2, 1, CLASSES)
