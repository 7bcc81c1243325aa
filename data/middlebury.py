"""The Middlebury flow benchmark's public pairs: frames and true flow, unknown where it is above 1e9.

    other-data/SEQUENCE/frame10.png, frame11.png       of those and other frames
    other-gt-flow/SEQUENCE/flow10.flo                  from frame 10 to frame 11

S. Baker, D. Scharstein, J. P. Lewis, S. Roth, M. J. Black, R. Szeliski, A database and evaluation methodology
for optical flow, IJCV 92, 2011; https://vision.middlebury.edu/flow.
"""

from .frame_pairs import PairFiles, find_folder

_FRAMES, _FLOW = "other-data", "other-gt-flow"


def find_middlebury(asked=None):
    """Return the folder of the benchmark, or None; `asked` is the option --middlebury (see `find_folder`)."""
    return find_folder("--middlebury", asked, "middlebury", (_FRAMES, _FLOW))


def middlebury_pairs(folder):
    """Return the pairs in the folder, by sequence, and a list of the missing files of incomplete ones.

    FileNotFoundError when there is no pair at all.
    """
    pairs, missing = [], []
    sequences = {
        path.name for part in (_FRAMES, _FLOW) for path in (folder / part).glob("*") if path.is_dir()
    }
    for sequence in sorted(sequences):
        frames = [folder / _FRAMES / sequence / name for name in ("frame10.png", "frame11.png")]
        flow = folder / _FLOW / sequence / "flow10.flo"
        absent = [path for path in (*frames, flow) if not path.exists()]
        if not absent:
            pairs.append(PairFiles("Middlebury", sequence, f"{sequence} 10->11", *frames, flow))
        missing += absent
    if not pairs:
        raise FileNotFoundError(
            f"{folder}: no sequence has both frames and flow"
            + (f" ({missing[0]} is missing)" if missing else "")
        )
    return pairs, missing
