"""The paper's Table 2 beside ours, and where the frames are video what carrying labels along gains."""

from pathlib import Path

from nnlite.train.camvid.experiment import SHAPES, TITLES
from nnlite.train.camvid.scores import format_table2, per_cent
from nnlite.train.moving_mnist.table1 import format_markdown, format_time
from nnlite.train.report.anonymise import portable_command
from nnlite.train.report.report import format_commits, format_hardware, write_json

#: What is scored of each model, and its name.
_ROWS = {
    "segnet": {"labels": "SegNet"},
    "segnet_flow": {
        "labels": "SegNet-flow",
        "basic": "SegNet within it, nothing carried along",
        "no_flow": "SegNet-flow, carried along no flow",
        "true_flow": "SegNet-flow, carried along the true flow",
    },
}
_KINDS = {
    "labelled": "Test frames at the place where training sequences have their label",
    "unlabelled": "Test frames at the places where training sequences have no label",
}


def write(folder, results):
    """Write table2.md and table2.json of {name: result}."""
    results = {name: _portable(result) for name, result in results.items()}
    write_json(Path(folder) / "table2.json", results)
    (Path(folder) / "table2.md").write_text(format_page(results))


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
            f"{width}x{height} pixels.",
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
    video = any(found["unlabelled"] for _, found in _scored(results))
    blocks = []
    for kind, words in _KINDS.items():
        rows = {title: found[kind] for title, found in _scored(results) if found[kind]}
        if rows:
            blocks += [
                f"{words if video else 'Test frames'}, per cent:",
                format_table2(rows, classes, paper=papers),
            ]
    if video:
        blocks += ["Class average, global average at each frame of the sequences, per cent:", _steps(results)]
    for result in results.values():
        blocks += _of_the_flow(result["scores"])
    return "\n\n".join(blocks)


def _scored(results):
    """Yield the title and the scores of everything that was scored."""
    for name, result in results.items():
        for how, title in _ROWS[name].items():
            if how in result["scores"]:
                yield title, result["scores"][how]


def _steps(results):
    rows = [
        (title, *(f"{per_cent(s['class_average'])}, {per_cent(s['global_average'])}" for s in found["steps"]))
        for title, found in _scored(results)
    ]
    return format_markdown(("Network", *(f"frame {t + 1}" for t in range(len(rows[0]) - 1))), rows)


def _of_the_flow(scores):
    """Return sentences on the flow and the predicted frames, where there are any."""
    sentences = []
    if "flow" in scores:
        model, zero = scores["flow"]["model"], scores["flow"]["zero"]
        sentences.append(
            f"End-point error of the flow into the last frame {model['last']:.2f} pixels (no motion: "
            f"{zero['last']:.2f}), of all flows {model['all']:.2f} ({zero['all']:.2f})."
        )
    if "prediction" in scores:
        sentences.append(
            f"Mean squared error of the predicted frames {scores['prediction']['model']:.5f} (copy of the "
            f"frame before: {scores['prediction']['copy']:.5f})."
        )
    return [" ".join(sentences)] if sentences else []


def _portable(result):
    """Return a result without the folders of the machine that it was measured on."""
    data = result["experiment"]["data"]
    experiment = result["experiment"] | {"data": data if data == SHAPES else Path(data).name}
    experiment["weights"] = "/".join(Path(experiment["weights"]).parts[-2:])
    commands = [portable_command(command) for command in result["commands"]]
    return result | {"experiment": experiment, "commands": commands}


def _options(options):
    """Return options of a model as text."""
    return ", ".join(f"{name} {value}" for name, value in options.items()) or "the paper's network"
