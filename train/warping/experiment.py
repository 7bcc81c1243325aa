"""The paper's Figure 2: does warping by a true flow give the other frame? No encoder, no training.

The grid generator GG and the sampler S alone (`warp`): output pixel x reads the source at x + flow(x). So the
flow has to be given at the positions of the *output*, and point to where its content is in the source. The
true flow f of a benchmark is given at the positions of frame t and points into frame t + 1. Hence two uses:

- current: frame t is sampled from frame t + 1 with f. Where the content of a pixel is visible in both
  frames and keeps its colour, only the interpolation is left as error. A pixel that something moves over
  shows what moved there: a second copy of the object's edge.
- next: frame t + 1 is sampled from frame t, as in Figure 2 and in the model. That needs the flow b from t + 1
  back to t, at the positions of frame t + 1, which neither benchmark publishes. Taken here is -f, read at the
  same pixel. The exact value is b(x) = -f(x + b(x)), so this is right where f does not change along its own
  displacement, and wrong along the edges of what moves: pixels that an object enters still have the
  background's flow and show background, so that its front is cut off; those that it leaves still have the
  object's flow and show what was that far behind it. What it uncovers is not in frame t, no flow brings it.

Errors are means over pixels and colours of [0, 1], absolute and squared, of three selections of pixels: all
whose flow is known; those of them that are read inside the source (outside it is zero); and of these the
visible ones, without those that the data set marks as occluded or invalid. Marked are pixels of frame t, so
the third selection is there for the first use only. The paper's 0.004 is "the average per-pixel error": taken
at its word that is the absolute one of all pixels, and it is set beside that; the squared error, which is
what a Torch7 user's MSECriterion would give, stands beside both.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

import nnlite as nn
from nnlite.data.middlebury import find_middlebury, middlebury_pairs
from nnlite.data.moving_disc import MovingDisc
from nnlite.data.sintel import find_sintel, sintel_pairs
from nnlite.files import as_text, make_folder, write_text
from nnlite.train.report.anonymise import anonymised_command
from nnlite.train.report.files import write_json
from nnlite.train.report.provenance import commit
from nnlite.train.runs.lock import new_folder
from nnlite.train.runs.options import DATA, Options, option
from nnlite.train.warping import report as warping_report


@dataclass(frozen=True)
class WarpingOptions(Options):
    """Which pairs to warp, and what to leave."""

    sintel: str | None = option(
        None,
        "folder of MPI-Sintel: with training/ in it, or that itself (default: sintel/ in the folder of "
        "the environment variable NNLITE_DATA)",
        DATA,
        path="DIR",
        kept=(),
    )
    middlebury: str | None = option(
        None,
        "folder with Middlebury's other-data/ and other-gt-flow/ (default: middlebury/ there)",
        DATA,
        path="DIR",
        kept=(),
    )
    figures: str = option(
        "sequence",
        "pairs to draw a figure of: one of each sequence, all, none",
        choices=("sequence", "all", "none"),
    )
    out: str | None = option(None, "folder for the results (default: a new one below runs/)", path="RUN")


def warp(frame, flow):
    """Return `frame` (H, W, C) read at x + flow(x), (H, W, C), and the mask (H, W) of what is read inside it.

    flow: (H, W, 2) of (u, v) in pixels, all known. In float64, so that the rounding of positions, some
    10⁻⁵ pixels in float32, plays no part.
    """
    height, width, _ = flow.shape
    # -1 and +1 are the centres of the first and last pixel, size - 1 pixels apart (the published model
    # divides by the size, see docs/fidelity.md); the modules want y first.
    to_grid = 2 / np.maximum([height - 1, width - 1], 1)
    translation = np.ascontiguousarray((flow[..., ::-1] * to_grid).transpose(2, 0, 1))
    grid = nn.AffineGridGeneratorOpticalFlow2D(height, width).double().forward(translation)
    positions = np.ascontiguousarray(grid.transpose(1, 2, 0))
    sampled = nn.BilinearSamplerBHWD().double().forward([frame.astype(np.float64), positions])
    return sampled, (np.abs(positions) <= 1 + 1e-9).all(axis=-1)


def warp_both_ways(pair):
    """Return {use: (truth, source, sampled, inside)} of a pair for the uses "current" and "next"."""
    flow = np.where(pair.known[..., None], pair.flow, 0).astype(np.float64)
    uses = {"current": (pair.first, pair.second, flow), "next": (pair.second, pair.first, -flow)}
    return {use: (truth, source, *warp(source, f)) for use, (truth, source, f) in uses.items()}


def measure(pair, warped):
    """Return {use: {selection: errors}} of what `warp_both_ways` returned.

    errors: the number of pixels and the absolute and squared error of "sampled" and, as the baseline, of
    "copied", the source as it is. None for a selection that is empty or cannot be made.
    """
    found = {}
    for use, (truth, source, sampled, inside) in warped.items():
        selections = {"all": pair.known, "inside": pair.known & inside, "visible": None}
        if use == "current" and pair.hidden is not None:
            selections["visible"] = selections["inside"] & ~pair.hidden
        found[use] = {
            name: None
            if mask is None or not mask.any()
            else {
                "pixels": int(mask.sum()),
                "sampled": _errors(sampled, truth, mask),
                "copied": _errors(source, truth, mask),
            }
            for name, mask in selections.items()
        }
    return found


def _errors(frame, truth, mask):
    difference = frame[mask].astype(np.float64) - truth[mask]
    return {"absolute": float(np.abs(difference).mean()), "squared": float((difference**2).mean())}


def collect(sintel=None, middlebury=None):
    """Return the pairs to warp and the files whose absence leaves pairs out.

    sintel, middlebury: folders. With none given, both below NNLITE_DATA; if there are none, a drawn pair.
    """
    neither = not (sintel or middlebury)
    pairs, missing = [], []
    for asked, find, list_pairs in (
        (sintel, find_sintel, sintel_pairs),
        (middlebury, find_middlebury, middlebury_pairs),
    ):
        folder = find(asked) if asked or neither else None
        if folder:
            found, absent = list_pairs(folder)
            pairs += found
            missing += absent
    return pairs or [MovingDisc()], missing


def chosen(pairs, which):
    """Return the pairs to draw: all, none, or one of each sequence, with marked pixels if there is one."""
    if which != "sequence":
        return pairs if which == "all" else []
    first = {}
    for pair in sorted(pairs, key=lambda pair: not getattr(pair, "masks", ())):
        first.setdefault((pair.dataset, pair.sequence), pair)
    return list(first.values())


def run(options, command):
    """Warp all pairs, print the tables, write them and the figures."""
    pairs, missing = collect(options.sintel, options.middlebury)
    if isinstance(pairs[0], MovingDisc):
        print(
            "No real data here: name its folder with --sintel or --middlebury, or the folder above both in\n"
            "the environment variable NNLITE_DATA. In its place a pair drawn by this command, a disc moving\n"
            "before a background.\n"
        )
    for path in missing:
        print(f"left out, because {path} is missing")
    folder = make_folder(options.out or new_folder("warping"))
    drawn, measured = chosen(pairs, options.figures), []
    for entry in tqdm(pairs, desc="pairs", disable=None):
        pair = entry.read()
        warped = warp_both_ways(pair)
        about = {"dataset": entry.dataset, "sequence": entry.sequence, "name": entry.name}
        measured.append(about | {"size": list(pair.known.shape[::-1])} | measure(pair, warped))
        if entry in drawn:
            name = re.sub(r"\W+", "_", f"{entry.dataset} {entry.name}").lower()
            title = f"{entry.dataset}, {entry.name.replace('->', ' → ')}"
            warping_report.draw(folder / f"{name}.png", title, pair, warped)
    result = {
        "command": anonymised_command(command, WarpingOptions.path_flags()),
        "date": f"{datetime.now():%Y-%m-%d}",
        "commit": commit(),
        "left_out": [as_text(Path(*path.parts[-3:])) for path in missing],
        "pairs": measured,
    }
    write_json(folder / "warping.json", result)
    page = warping_report.format_page(result)
    write_text(folder / "warping.md", page)
    print("\n" + page)
    print(f"warping.md, warping.json and {len(drawn)} figures are in {folder}")
