"""The public pairs of the Middlebury flow benchmark: frames and true flow, unknown where it is above 1e9.

    other-data/SEQUENCE/frame10.png, frame11.png       these and further frames
    other-gt-flow/SEQUENCE/flow10.flo                  from frame 10 to frame 11

S. Baker, D. Scharstein, J. P. Lewis, S. Roth, M. J. Black, R. Szeliski, A database and evaluation methodology
for optical flow, IJCV 92, 2011; https://vision.middlebury.edu/flow.
"""

from nnlite.files import as_text

from .frame_pairs import PairFiles, find_pairs_folder

_FRAMES, _FLOW = "other-data", "other-gt-flow"


def find_middlebury(path=None):
    """Return the folder of the benchmark, or None; `path` is the value of --middlebury."""
    return find_pairs_folder("Middlebury", path, "--middlebury", "middlebury", (_FRAMES, _FLOW))


def middlebury_pairs(folder):
    """Return the pairs in the folder, sorted by sequence, and a list of the files that others lack.

    FileNotFoundError if there is no complete pair.
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
            pairs.append(
                PairFiles("Middlebury", as_text(sequence), as_text(f"{sequence} 10->11"), *frames, flow)
            )
        missing += absent
    if not pairs:
        raise FileNotFoundError(
            f"{folder}: no sequence has both frames and flow"
            + (f" ({missing[0]} is missing)" if missing else "")
        )
    return pairs, missing
