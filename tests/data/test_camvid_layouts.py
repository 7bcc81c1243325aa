"""CamVid as Kaggle and fast.ai distribute it."""

import numpy as np
import pytest

from nnlite.data.camvid import CamVid, find_camvid
from nnlite.data.label_colours import labels_of_names
from tests.camvid_folders import SIZE, make_fast_ai, make_original

NAMES = ["0001TP_006690", "0001TP_008550", "0006R0_f00930", "0016E5_07959", "Seq05VD_f00000"]


def test_kaggle(tmp_path):
    maps = {}
    for split, names in {"train": NAMES[:2], "val": NAMES[3:4], "test": NAMES[4:]}.items():
        maps[split] = make_original(tmp_path, names, split, f"{split}_labels")
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nAnimal,64,128,64\n")
    camvid = CamVid(find_camvid(tmp_path), SIZE)
    assert camvid.layout == "Kaggle" and len(camvid.frames) == 4
    for split, want in maps.items():
        found = [camvid.read_label(frame)[0] for frame in camvid.labelled(split)]
        np.testing.assert_array_equal(found, want)
    (tmp_path / "val_labels" / f"{NAMES[3]}_L.png").unlink()
    with pytest.raises(FileNotFoundError, match=rf"no label map .*{NAMES[3]}_L\.png"):
        CamVid(tmp_path)


def test_fast_ai(tmp_path):
    maps = make_fast_ai(tmp_path, NAMES)
    camvid = CamVid(find_camvid(tmp_path), SIZE)
    assert camvid.layout == "fast.ai" and len(camvid.frames) == 5
    splits = {split: [frame.image.stem for frame in camvid.splits[split]] for split in camvid.splits}
    assert splits == {"train": [NAMES[0], NAMES[2]], "val": [NAMES[3]], "test": [NAMES[1], NAMES[4]]}
    for split, numbers in {"train": (0, 2), "val": (3,), "test": (1, 4)}.items():
        found = [camvid.read_label(frame)[0] for frame in camvid.labelled(split)]
        np.testing.assert_array_equal(found, [maps[k] for k in numbers])
    (tmp_path / "codes.txt").write_text("Animal\nAirship\n")
    with pytest.raises(ValueError, match=r"codes\.txt: 'Airship' is none of CamVid's 32 classes"):
        CamVid(tmp_path)
    (tmp_path / "codes.txt").write_text("Animal\nArchway\n")
    with pytest.raises(ValueError, match=r"_P\.png: label ids must be 0 to 1, got \d+"):
        camvid = CamVid(tmp_path)
        camvid.read_label(camvid.labelled("val")[0])
    (tmp_path / "codes.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"codes\.txt: the list of classes is missing"):
        CamVid(tmp_path)


def test_names_of_classes():
    assert labels_of_names(["Void", "Sky", "bridge", "Animal", "MotorcycleScooter"], "x").tolist() == [
        -1,
        0,
        1,
        9,
        10,
    ]


def test_what_was_found_is_said(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "readme.txt").touch()
    for call in (CamVid, find_camvid):
        with pytest.raises(FileNotFoundError, match=r"Kaggle.*found there: pictures/, readme\.txt$"):
            call(tmp_path)
