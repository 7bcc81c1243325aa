"""CamVid folders with missing or invalid files: each error names the file."""

import numpy as np
import pytest
from PIL import Image

from nnlite.data.camvid import CamVid
from tests.camvid_folders import SIZE, ids, make_original, make_tutorial, picture, save


def remove_label(folder):
    (folder / "valannot" / "0016E5_07961.png").unlink()


def remove_picture(folder):
    (folder / "val" / "0016E5_07961.png").unlink()


def remove_labels(folder):
    (folder / "val.txt").unlink()
    for path in (folder / "valannot").iterdir():
        path.unlink()


def empty_folder(folder):
    (folder / "val.txt").unlink()
    for path in (folder / "val").iterdir():
        path.unlink()


def no_folder(folder):
    empty_folder(folder)
    (folder / "val").rmdir()


def empty_list(folder):
    (folder / "val.txt").write_text("\n")


def strange_list(folder):
    (folder / "val.txt").write_text("a.png b.png\nval/0016E5_07959.png 4 5 6\n")


def list_of_another(folder):
    (folder / "val.txt").write_text("val/0016E5_07959.png\nval/0016E5_09999.png\n")


@pytest.mark.parametrize(
    "spoil, error, message",
    [
        (remove_label, FileNotFoundError, r"no label map .*valannot/0016E5_07961\.png, .*val\.txt, line 2"),
        (
            remove_picture,
            FileNotFoundError,
            r"there is no picture .*val/0016E5_07961\.png, .*val\.txt, line 2",
        ),
        (remove_labels, FileNotFoundError, r"there is no label map .*valannot/0016E5_07959\.png$"),
        (empty_folder, FileNotFoundError, r"/val has no pictures"),
        (no_folder, FileNotFoundError, r"there is no folder .*/val$"),
        (empty_list, ValueError, r"val\.txt names no pictures"),
        (strange_list, ValueError, r"val\.txt, line 2: expected a picture and its label map, got 'val/0016"),
        (list_of_another, FileNotFoundError, r"no picture .*0016E5_09999\.png, which .*val\.txt, line 2"),
    ],
)
def test_files_that_are_missing(spoil, error, message, tmp_path):
    make_tutorial(tmp_path, ["0016E5_07959", "0016E5_07961"])
    spoil(tmp_path)
    with pytest.raises(error, match=message):
        CamVid(tmp_path)


def test_missing_folders_and_labels_of_the_original_layout(tmp_path):
    make_original(tmp_path, ["0016E5_07959", "0016E5_07961"])
    (tmp_path / "LabeledApproved_full" / "0016E5_07961_L.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"no label map .*LabeledApproved_full/0016E5_07961_L\.png"):
        CamVid(tmp_path)
    save(tmp_path / "701_StillsRaw_full" / "holiday.png", picture())
    save(tmp_path / "LabeledApproved_full" / "0016E5_07961_L.png", picture())
    save(tmp_path / "LabeledApproved_full" / "holiday_L.png", picture())
    with pytest.raises(ValueError, match=r"holiday\.png: the name begins with none of 0001TP"):
        CamVid(tmp_path)
    (tmp_path / "only" / "LabeledApproved_full").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*701_StillsRaw_full"):
        CamVid(tmp_path / "only")
    with pytest.raises(
        FileNotFoundError, match="nothing is not CamVid, which must contain train/ and trainannot/"
    ):
        CamVid(tmp_path / "nothing")


def id_out_of_range(folder):
    labels = ids()
    labels[3, 4] = 12
    save(folder / "valannot" / "0016E5_07961.png", labels)


def label_in_colours(folder):
    save(folder / "valannot" / "0016E5_07961.png", picture())


def label_of_another_size(folder):
    save(folder / "valannot" / "0016E5_07961.png", ids((6, 8)))


def picture_of_another_size(folder):
    save(folder / "val" / "0016E5_07959.png", picture((6, 8)))
    save(folder / "valannot" / "0016E5_07959.png", ids((6, 8)))


def truncated(where):
    def spoil(folder):
        path = folder / where / "0016E5_07961.png"
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return spoil


def broken_checksum(folder):
    path = folder / "val" / "0016E5_07961.png"
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 20] ^= 255
    path.write_bytes(content)


def no_picture(folder):
    (folder / "val" / "0016E5_07961.png").write_text("moved permanently")


def gone_meanwhile(folder):
    (folder / "val" / "0016E5_07961.png").unlink()


@pytest.mark.parametrize(
    "spoil, error, message",
    [
        (id_out_of_range, ValueError, r"valannot/0016E5_07961\.png: label ids must be 0 to 11, got 12"),
        (
            label_in_colours,
            ValueError,
            r"valannot/0016E5_07961\.png: expected a label map of one .* mode RGB",
        ),
        (
            label_of_another_size,
            ValueError,
            r"annot/0016E5_07961\.png: 6 x 8 .*val/0016E5_07961\.png has 12 x 16",
        ),
        (
            picture_of_another_size,
            ValueError,
            r"val/0016E5_07961\.png: 12 x 16 pixels, but .*07959\.png has 6 x 8",
        ),
        (truncated("val"), ValueError, r"val/0016E5_07961\.png: not a picture, or a damaged one"),
        (truncated("valannot"), ValueError, r"valannot/0016E5_07961\.png: not a picture, or a damaged one"),
        (broken_checksum, ValueError, r"val/0016E5_07961\.png: not a picture, or a damaged one"),
        (no_picture, ValueError, r"val/0016E5_07961\.png: not a picture"),
        (gone_meanwhile, FileNotFoundError, r"there is no picture .*val/0016E5_07961\.png"),
    ],
)
def test_files_that_are_wrong(spoil, error, message, tmp_path):
    make_tutorial(tmp_path, ["0016E5_07959", "0016E5_07961"])
    sequences = CamVid(tmp_path, SIZE).sequences("val", n_frames=2)
    sequences.batch([1])
    spoil(tmp_path)
    with pytest.raises(error, match=message):
        sequences.batch([1])


def test_a_colour_that_belongs_to_no_class(tmp_path):
    make_original(tmp_path, ["0016E5_07959"])
    path = tmp_path / "LabeledApproved_full" / "0016E5_07959_L.png"
    pixels = np.array(Image.open(path))
    pixels[5, 7:9] = 128, 128, 129
    save(path, pixels)
    message = r"0016E5_07959_L\.png: 2 pixels have a colour .* \(128, 128, 129\) at x 7, y 5"
    with pytest.raises(ValueError, match=message):
        CamVid(tmp_path, SIZE).sequences("val").batch([0])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda data: data.sequences("valid"), "split must be one of train, val, test, got 'valid'"),
        (
            lambda data: data.sequences("val", n_frames=0),
            "a sequence needs at least 1 frame, got 0",
        ),
        (lambda data: data.split_by_time(n_frames=0), "a sequence needs at least 1 frame, got 0"),
    ],
)
def test_bad_arguments(call, message, tmp_path):
    make_tutorial(tmp_path, ["0016E5_07959"])
    with pytest.raises(ValueError, match=message):
        call(CamVid(tmp_path))
    with pytest.raises(FileNotFoundError, match="has no frames of the split 'train'"):
        CamVid(tmp_path).sequences("train")
