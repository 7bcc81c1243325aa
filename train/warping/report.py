"""Tables and figures of the warping experiment."""

import numpy as np
from matplotlib.figure import Figure

from nnlite.data.flow_colour import colour_wheel, flow_colours
from nnlite.train.report.figures import save_figure
from nnlite.train.report.tables import cell, format_markdown, psnr

#: "The average per-pixel error induced by the sampler on this dataset [Sintel]", section 5 of the paper.
PAPER = 0.004
SINTEL = ("Sintel clean", "Sintel final")
USES = {
    "current": "Frame t from frame t + 1, read at x + flow(x)",
    "next": "Frame t + 1 from frame t, read at x - flow(x) because the backward flow is not available",
}
SELECTIONS = ("all", "inside", "visible")
#: The error that is white in the figures.
WHITE = 0.2


def pool(pairs, use, selection):
    """Return the errors of the pixels of all pairs together, in the form of one pair's, or None."""
    found = [pair[use][selection] for pair in pairs if pair[use][selection]]
    if not found:
        return None
    pixels = [errors["pixels"] for errors in found]
    return {"pixels": sum(pixels)} | {
        frame: {
            kind: float(np.average([errors[frame][kind] for errors in found], weights=pixels))
            for kind in ("absolute", "squared")
        }
        for frame in ("sampled", "copied")
    }


def groups(pairs):
    """Return [(title, pairs)]: each sequence, each data set, and all of Sintel when both passes are there."""
    found = []
    datasets = list(dict.fromkeys(pair["dataset"] for pair in pairs))
    for dataset in datasets:
        here = [pair for pair in pairs if pair["dataset"] == dataset]
        sequences = list(dict.fromkeys(pair["sequence"] for pair in here))
        for sequence in sequences:
            found.append((f"{dataset}, {sequence}", [p for p in here if p["sequence"] == sequence]))
        if len(sequences) > 1:
            found.append((f"{dataset}, all", here))
        if dataset == SINTEL[-1] and SINTEL[0] in datasets:
            found.append(("Sintel, all", _sintel(pairs)))
    return found


def format_table(pairs, use):
    """Return the table of one use in Markdown: sampled and copied frame of each group of pairs."""
    shown = [name for name in SELECTIONS if any(pair[use][name] for pair in pairs)]
    head = ["", "pairs"]
    head += [f"{kind}, {name}" for kind in ("error", "squared", "PSNR") for name in shown]
    rows = []
    for title, members in groups(pairs):
        pooled = [pool(members, use, name) for name in shown]
        for frame in ("sampled", "copied"):
            errors = [entry and entry[frame] for entry in pooled]
            rows.append(
                [title if frame == "sampled" else "— copied instead"]
                + [str(len(members)) if frame == "sampled" else ""]
                + [f"{e['absolute']:.4f}" if e else "" for e in errors]
                + [f"{e['squared']:.5f}" if e else "" for e in errors]
                + [f"{psnr(e['squared']):.1f}" if e else "" for e in errors]
            )
    return format_markdown(head, rows)


def format_page(result):
    """Return the page warping.md of what warping.json holds."""
    pairs = result["pairs"]
    lines = ["# Warping by the true flow", ""]
    lines += [f"`{result['command']}`, {result['date']}, commit {result['commit']}.", ""]
    lines += [
        "The grid generator and the sampler alone. Errors are means over pixels and colours of [0, 1],",
        "absolute (error) and squared; PSNR in dB. Pixels: all whose flow is known; those read inside the",
        "other frame; of these the visible ones, neither occluded nor invalid, of the pairs that have them",
        "marked. Pairs are pooled by pixel. Why there are two directions: `train/warping/experiment.py`.",
    ]
    for use, title in USES.items():
        lines += ["", f"## {title}", "", format_table(pairs, use)]
    if sintel := _sintel(pairs):
        lines += ["", "## Beside the paper", ""]
        lines += [f"The paper's average per-pixel error on all of Sintel is {PAPER}. On the pairs here:", ""]
        head = ("", "error, all pixels", "squared, all pixels")
        rows = [
            (title, f"{errors['absolute']:.4f}", f"{errors['squared']:.4f}")
            for title, use in (("frame t + 1 from frame t", "next"), ("frame t from frame t + 1", "current"))
            if (errors := (pool(sintel, use, "all") or {}).get("sampled"))
        ]
        lines += [format_markdown(head, rows)]
    if result["left_out"]:
        lines += ["", f"Left out, because a file is missing: {', '.join(map(cell, result['left_out']))}."]
    return "\n".join(lines) + "\n"


def draw(path, title, pair, warped):
    """Draw a pair as the paper's Figure 2, both ways: frames, flow, copied and sampled frames, errors.

    warped: of `warp_both_ways`. On the errors, marked pixels are blue, those read outside the source or of
    unknown flow orange.
    """
    height, width, _ = pair.flow.shape
    longest = np.hypot(*pair.flow[pair.known].T).max(initial=0.0) or 1.0
    (_, _, current, _), (_, _, following, _) = warped["current"], warped["next"]
    cells = [
        ("frame t", pair.first),
        ("frame t + 1", pair.second),
        (f"flow from t to t + 1 (rim of the wheel: {longest:.1f} px)", flow_colours(pair.flow, longest)),
        (f"|frame t + 1 − frame t| (white: {WHITE} and more)", _error(pair.second, pair.first)),
        ("frame t, sampled from t + 1", current),
        ("its error (blue: occluded, orange: not inside)", _marked_error(pair, *warped["current"], True)),
        ("frame t + 1, sampled from t by the flow negated", following),
        ("its error (orange: not inside)", _marked_error(pair, *warped["next"], False)),
    ]
    side = 4.2
    figure = Figure(figsize=(2 * side, 4 * (side * height / width + 0.28) + 0.3), layout="constrained")
    axes = figure.subplots(4, 2)
    for (name, picture), axis in zip(cells, axes.flat):
        axis.imshow(np.clip(picture, 0, 1) if picture.dtype != np.uint8 else picture)
        axis.set_title(name, fontsize=8)
        axis.set(xticks=[], yticks=[])
    share = 0.35 * min(1, width / height)
    wheel = axes[1, 0].inset_axes([1 - share * height / width, 1 - share, share * height / width, share])
    wheel.imshow(colour_wheel(151))
    wheel.set(xticks=[], yticks=[])
    figure.suptitle(title, fontsize=9, parse_math=False)
    save_figure(path, figure, dpi=140)


def _error(frame, truth):
    """Return the picture (H, W, 3) of the mean absolute error of the colours, `WHITE` being white."""
    error = np.abs(frame.astype(np.float64) - truth).mean(axis=-1) / WHITE
    return np.repeat(np.minimum(error, 1)[..., None], 3, axis=-1)


def _marked_error(pair, truth, source, sampled, inside, hidden):
    """Return the picture of the error of a sampled frame, with what does not count in colour."""
    picture = _error(sampled, truth)
    if hidden and pair.hidden is not None:
        picture[pair.hidden] = 0.4 * picture[pair.hidden] + 0.6 * np.array([0.1, 0.35, 0.9])
    outside = ~(pair.known & inside)
    picture[outside] = 0.4 * picture[outside] + 0.6 * np.array([1.0, 0.55, 0.0])
    return picture


def _sintel(pairs):
    return [pair for pair in pairs if pair["dataset"] in SINTEL]
