"""MPI-Sintel: frames of an animated film with their true flow.

    training/{clean,final}/SCENE/frame_NNNN.png        two renderings of the same frames
    training/flow/SCENE/frame_NNNN.flo                 from frame N to N + 1, hence none for the last frame
    training/{occlusions,invalid}/SCENE/frame_NNNN.png white: pixels of frame N that frame N + 1 does not show

D. J. Butler, J. Wulff, G. B. Stanley, M. J. Black, A naturalistic open source movie for optical flow
evaluation, ECCV 2012; http://sintel.is.tue.mpg.de.
"""

import re

from nnlite.files import as_text

from .frame_pairs import PairFiles, find_pairs_folder

PASSES = ("clean", "final")
_MASKS = ("occlusions", "invalid")


def find_sintel(path=None):
    """Return the folder training/ of MPI-Sintel, or None; `path` is the value of --sintel."""
    return find_pairs_folder("MPI-Sintel", path, "--sintel", "sintel", ("flow",))


def sintel_pairs(folder):
    """Return the pairs in the folder training/, by pass, scene and frame, and a list of missing files.

    Passes, scenes and frames may be missing. A frame with a successor but without flow, or with flow but
    without a successor, is not a pair: the second list names the file that each of these lacks. A pair whose
    mask of occlusions is missing has no masks. FileNotFoundError if there is no complete pair.
    """
    pairs, missing = [], []
    for rendering in PASSES:
        for scene in sorted(path for path in (folder / rendering).glob("*") if path.is_dir()):
            flows, frames = _numbered(folder / "flow" / scene.name, ".flo"), _numbered(scene, ".png")
            for number, first in frames.items():
                following = scene / f"frame_{number + 1:04d}.png"
                flow = folder / "flow" / scene.name / f"frame_{number:04d}.flo"
                if number in flows and number + 1 in frames:
                    name = as_text(f"{scene.name} {number}->{number + 1}")
                    masks = [folder / mask / scene.name / first.name for mask in _MASKS]
                    # Without the occlusions, the invalid pixels alone do not tell what is visible.
                    masks = tuple(path for path in masks if path.exists()) if masks[0].exists() else ()
                    files = (first, frames[number + 1], flows[number], masks)
                    pairs.append(PairFiles(f"Sintel {rendering}", as_text(scene.name), name, *files))
                elif number in flows or number + 1 in frames:
                    missing.append(following if number in flows else flow)
    if not pairs:
        raise FileNotFoundError(
            f"{folder}: no two consecutive frames with flow in {' or '.join(PASSES)}"
            + (f" ({missing[0]} is missing)" if missing else "")
        )
    return pairs, missing


def _numbered(folder, ending):
    """Return {N: path} of the files frame_N in a folder, in order."""
    matches = ((re.fullmatch(r"frame_(\d+)", path.stem), path) for path in sorted(folder.glob(f"*{ending}")))
    return {int(match[1]): path for match, path in matches if match}
