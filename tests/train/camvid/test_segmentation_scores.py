"""Accuracies, averages, IoU and class weights against definitions written out, and Table 2."""

import json

import numpy as np
import pytest

from nnlite.train.camvid import table2
from nnlite.train.camvid.scores import (
    PAPER,
    ConfusionMatrix,
    draw_confusion,
    format_table2,
    median_frequency_weights,
)

RNG = np.random.default_rng(0)


def random_labels(classes, shape=(3, 2, 10, 12)):
    """Return predicted and target labels that agree on about half of the pixels; some are not counted."""
    target = RNG.integers(-1, classes, shape)
    prediction = np.where(RNG.random(shape) < 0.5, np.maximum(target, 0), RNG.integers(0, classes, shape))
    return prediction, target


def test_scores_are_their_definitions():
    prediction, target = random_labels(4)
    matrix = ConfusionMatrix("abcd")
    matrix.add(prediction, target)
    accuracy = [np.mean(prediction[target == k] == k) for k in range(4)]
    counted = target >= 0
    iou = [
        np.sum((prediction == k) & (target == k)) / np.sum(((prediction == k) | (target == k)) & counted)
        for k in range(4)
    ]
    np.testing.assert_allclose(matrix.accuracies(), accuracy, rtol=1e-14)
    np.testing.assert_allclose(matrix.intersections_over_unions(), iou, rtol=1e-14)
    np.testing.assert_allclose(matrix.class_average(), np.mean(accuracy), rtol=1e-14)
    np.testing.assert_allclose(matrix.mean_iou(), np.mean(iou), rtol=1e-14)
    np.testing.assert_allclose(matrix.global_average(), np.mean((prediction == target)[counted]), rtol=1e-14)
    assert matrix.counts.sum() == counted.sum()
    assert matrix.counts[2, 3] == np.sum((target == 2) & (prediction == 3))


def test_a_case_by_hand():
    matrix = ConfusionMatrix("ab")
    matrix.add([0, 0, 0, 1, 1, 0], [0, 0, 1, 1, -1, 1])
    np.testing.assert_array_equal(matrix.counts, [[2, 0], [2, 1]])
    assert matrix.class_average() == (1 + 1 / 3) / 2
    assert matrix.global_average() == 3 / 5
    assert matrix.mean_iou() == (2 / 4 + 1 / 3) / 2


def test_batches_add_up():
    prediction, target = random_labels(5)
    whole, parts = ConfusionMatrix("abcde"), ConfusionMatrix("abcde")
    whole.add(prediction, target)
    for t in range(3):
        parts.add(prediction[t].astype(np.int32), target[t])
    np.testing.assert_array_equal(whole.counts, parts.counts)


def test_classes_that_the_target_lacks_are_in_no_average():
    matrix = ConfusionMatrix("abc")
    matrix.add([0, 1, 2, 2], [0, 1, 1, 0])  # c is predicted twice and never the target
    assert matrix.class_average() == 0.5 and matrix.mean_iou() == 0.5
    assert np.isnan(matrix.accuracies()[2]) and np.isnan(matrix.intersections_over_unions()[2])
    scores = matrix.scores()
    assert scores["accuracy"] == {"a": 0.5, "b": 0.5, "c": None} and scores["iou"]["c"] is None
    assert json.loads(json.dumps(scores, allow_nan=False)) == scores


def test_nothing_counted():
    matrix = ConfusionMatrix("ab")
    matrix.add(np.zeros((2, 2), int), np.full((2, 2), -1))
    assert np.isnan([matrix.class_average(), matrix.global_average(), matrix.mean_iou()]).all()
    assert matrix.scores()["class_average"] is None


@pytest.mark.parametrize(
    "prediction, target, message",
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), r"same shape, got \(2, 3\) and \(3, 2\)"),
        ([0, 2], [0, 1], "prediction must have labels 0 to 1, got 0 to 2"),
        ([0, -1], [0, 1], "prediction must have labels 0 to 1, got -1 to 0"),
        ([0, 1], [0, 2], "target must have labels 0 to 1, got 0 to 2"),
        ([0, 1], [0, -2], "target must have labels 0 to 1, got -2 to 0"),
    ],
)
def test_bad_labels(prediction, target, message):
    with pytest.raises(ValueError, match=message):
        ConfusionMatrix("ab").add(prediction, target)


def test_table_2_has_the_papers_rows_and_columns():
    prediction, target = random_labels(11)
    matrix = ConfusionMatrix()
    matrix.add(prediction, np.where(target == 7, -1, target))  # no fence
    head, _, *rows = format_table2({"SegNet, ours": matrix.scores()}).splitlines()
    columns = [cell.strip() for cell in head.split("|")[1:-1]]
    stuff = ["Sky", "Building", "Pole", "Road", "Sidewalk", "Vegetation", "Traffic sign", "Fence"]
    classes = [*stuff, "Car", "Pedestrian", "Cyclist"]
    assert columns == ["Network", *classes, "Class Avg.", "Global Avg.", "Mean IoU"]
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert [row[0] for row in cells] == ["SegNet, paper", "SegNet-flow, paper", "SegNet, ours"]
    assert cells[0][1:] == [*map(str, PAPER["SegNet"]), ""]
    ours = dict(zip(columns, cells[2]))
    assert ours["Fence"] == "" and ours["Sky"] == f"{100 * matrix.accuracies()[0]:.1f}"
    assert ours["Class Avg."] == f"{100 * matrix.class_average():.1f}"
    assert ours["Global Avg."] == f"{100 * matrix.global_average():.1f}"
    assert ours["Mean IoU"] == f"{100 * matrix.mean_iou():.1f}"


def test_the_papers_averages_are_those_of_its_classes():
    for values in PAPER.values():
        assert len(values) == 13
        assert abs(np.mean(values[:11]) - values[11]) < 0.1


def test_table_of_other_classes():
    matrix = ConfusionMatrix("ab")
    matrix.add([0, 1, 1], [0, 1, 0])
    lines = format_table2({"net": matrix.scores()}, "ab", paper=False).splitlines()
    cells = [cell.strip() for cell in lines[2].split("|")[1:-1]]
    assert len(lines) == 3 and cells == ["net", "50.0", "100.0", "75.0", "66.7", "50.0"]


def test_confusion_picture(tmp_path):
    prediction, target = random_labels(11)
    matrix = ConfusionMatrix()
    matrix.add(prediction, np.where(target == 7, -1, target))
    draw_confusion(tmp_path / "confusion.png", matrix.scores(), "SegNet")
    assert (tmp_path / "confusion.png").read_bytes()[:4] == b"\x89PNG"


def test_median_frequency_weights():
    """Class 0: 3 of 8 pixels in two maps; class 1: 1 of 4 in one; class 2: 3 of 4 in the other; 3 nowhere."""
    maps = [np.array([[0, 0], [-1, 1]]), np.array([[0, 2], [2, 2]])]
    frequency = np.array([3 / 8, 1 / 4, 3 / 4])
    expected = [*(np.median(frequency) / frequency), 0]
    np.testing.assert_allclose(median_frequency_weights(iter(maps), 4), expected, rtol=1e-14)


@pytest.mark.parametrize(
    "maps, message",
    [
        ([], "no label"),
        ([np.full((2, 2), -1)], "no label"),
        ([np.full((2, 2), 5)], "labels -1 to 2, got 5"),
    ],
)
def test_weights_of_bad_maps(maps, message):
    with pytest.raises(ValueError, match=message):
        median_frequency_weights(maps, 3)


def test_a_flow_that_is_known_nowhere_is_no_error_of_the_table():
    """Of shapes so fast that whatever is seen was outside of the frame before."""
    known, unknown = {"last": 1.0, "all": 2.0}, {"last": None, "all": None}
    (text,) = table2._flow_sentences("SegNet-flow", {"flow": {"model": known, "zero": unknown}})
    assert text.startswith("SegNet-flow: ")
    assert "last frame 1.00 pixels (no motion: unknown), of all flows 2.00 (unknown)" in text
