"""The paper's Table 2 beside ours and, where the frames are video, what propagating labels gains."""

from pathlib import Path

from nnlite.files import write_text
from nnlite.train.camvid.scores import format_table2, per_cent
from nnlite.train.camvid.settings import SHAPES, TITLES, Settings
from nnlite.train.report.anonymise import anonymised_command, anonymised_path
from nnlite.train.report.files import write_json
from nnlite.train.report.provenance import format_commits, format_hardware
from nnlite.train.report.tables import format_markdown, format_time

#: What is scored of each model, and its name.
_ROWS = {
    "segnet": {"labels": "SegNet"},
    "segnet_flow": {
        "labels": "SegNet-flow",
        "basic": "SegNet within it, nothing propagated",
        "no_flow": "SegNet-flow, propagated without motion",
        "true_flow": "SegNet-flow, propagated along the true flow",
    },
}
_KINDS = {
    "labelled": "Test frames at the place where training sequences have their label",
    "unlabelled": "Test frames at the places where training sequences have no label",
}


def save(folder, results):
    """Write table2.md and table2.json of {name: result}."""
    results = {name: anonymised_result(result) for name, result in results.items()}
    write_json(Path(folder) / "table2.json", results)
    write_text(Path(folder) / "table2.md", format_page(results))


def format_page(results):
    """Return the page table2.md: the tables, and how each row was made."""
    experiment = next(iter(results.values()))["experiment"]
    title = "Table 2" if experiment["split"] != "val" else "The labelled video of CamVid"
    title = "Moving shapes" if experiment["data"] == SHAPES else title
    lines = [f"# {title}", "", format_results(results), ""]
    for name, result in results.items():
        experiment, options = result["experiment"], result["options"]
        height, width = experiment["size"]
        lines += [f"## {TITLES[name]}", ""]
        lines += [
            f"- {result['parameters']:,} parameters ({_options(experiment['model_options'])}), "
            f"{height}x{width} pixels.",
            f"- {result['description']}".replace("\n", "\n- "),
            f"- {options['optimiser']} at {options['learning_rate']:g}, batch {options['batch']}, seed "
            f"{experiment['seed']}: {result['sequences_seen']:,} sequences in "
            f"{format_time(result['training_seconds'])} of training on "
            f"{format_hardware(result['hardware'])}. Weights to start with: {experiment['weights']}.",
            f"- Commit {format_commits(result['commits'])}:",
            "",
        ]
        lines += [f"      {command}" for command in result["commands"]]
        lines.append("")
    return "\n".join(lines)


def format_results(results):
    """Return the tables of {name: result} in Markdown."""
    first = next(iter(results.values()))
    experiment, classes = first["experiment"], first["classes"]
    papers = experiment["data"] != SHAPES and experiment["split"] != "val"
    video = any(scores["unlabelled"] for _, scores in _scored(results))
    blocks = []
    for kind, description in _KINDS.items():
        rows = {title: scores[kind] for title, scores in _scored(results) if scores[kind]}
        if rows:
            heading = f"{description if video else 'Test frames'}, per cent:"
            blocks += [heading, format_table2(rows, classes, paper=papers)]
    if video:
        blocks += ["Class average, global average at each frame of the sequences, per cent:", _steps(results)]
    for result in results.values():
        blocks += _flow_sentences(result["scores"])
    return "\n\n".join(blocks)


def _scored(results):
    """Yield the title and the scores of everything that was scored."""
    for name, result in results.items():
        for source, title in _ROWS[name].items():
            if source in result["scores"]:
                yield title, result["scores"][source]


def _steps(results):
    rows = [
        (
            title,
            *(f"{per_cent(s['class_average'])}, {per_cent(s['global_average'])}" for s in scores["steps"]),
        )
        for title, scores in _scored(results)
    ]
    return format_markdown(("Network", *(f"frame {t + 1}" for t in range(len(rows[0]) - 1))), rows)


def _flow_sentences(scores):
    """Return sentences on the flow and the predicted frames, where there are any."""
    sentences = []
    if "flow" in scores:
        model, zero = scores["flow"]["model"], scores["flow"]["zero"]
        sentences.append(
            f"End-point error of the flow into the last frame {_pixels(model['last'])} pixels (no motion: "
            f"{_pixels(zero['last'])}), of all flows {_pixels(model['all'])} ({_pixels(zero['all'])})."
        )
    if "prediction" in scores:
        sentences.append(
            f"Mean squared error of the predicted frames {scores['prediction']['model']:.5f} (copy of the "
            f"frame before: {scores['prediction']['copy']:.5f})."
        )
    return [" ".join(sentences)] if sentences else []


def _pixels(value):
    """Return an end-point error as text, that of pixels all of which come from outside the frame too."""
    return "unknown" if value is None else f"{value:.2f}"


def anonymised_result(result):
    """Return a result without the folders of the machine that it was measured on."""
    experiment = result["experiment"]
    data = experiment["data"] if experiment["data"] == SHAPES else anonymised_path(experiment["data"])
    weights = ("weights", "video_weights")
    weights = {name: anonymised_path(experiment[name]) for name in weights if name in experiment}
    experiment = experiment | {"data": data} | weights
    commands = [anonymised_command(line, Settings.path_flags()) for line in result["commands"]]
    return result | {"experiment": experiment, "commands": commands}


def _options(options):
    """Return options of a model as text."""
    return ", ".join(f"{name} {value}" for name, value in options.items()) or "the paper's network"
