"""The paper's Table 2 beside ours and, where the frames are video, what propagating labels gains."""

from pathlib import Path

from nnlite import models
from nnlite.files import make_folder, write_text
from nnlite.train.camvid.scores import format_confusion, format_table2, per_cent
from nnlite.train.camvid.settings import NONE, SHAPES, Settings
from nnlite.train.report.anonymise import anonymised_command, anonymised_path
from nnlite.train.report.files import write_json
from nnlite.train.report.provenance import format_commits, machines
from nnlite.train.report.tables import format_markdown, format_time
from nnlite.train.runs.experiment import load_checkpoint
from nnlite.train.runs.loop import CHECKPOINT
from nnlite.train.runs.run import read_result

#: What is scored of a network, and its name after the network's.
_ROWS = {
    "labels": "{}",
    "stream": "{}, carried along from the start of the video",
    "basic": "SegNet within {}, nothing carried along",
    "no_flow": "{}, carried along no flow",
    "true_flow": "{}, carried along the true flow",
}
_KINDS = {
    "labelled": "Test frames at the place where training sequences have their label",
    "unlabelled": "Test frames at the places where training sequences have no label",
}
PAGE, JSON = "table2.md", "table2.json"


def save(folder, results):
    """Write table2.md and table2.json of {name: result}.

    Of a page that is there already, what stands between its title and the first table is kept: it is where a
    reader is told what was learned.
    """
    folder = Path(folder)
    results = {name: anonymised_result(result) for name, result in results.items()}
    write_json(folder / JSON, results)
    kept = _introduction(folder / PAGE)
    write_text(folder / PAGE, format_page(results, kept))


def compare(experiment, given, line):
    """Write the table of finished runs, and of scores that --evaluate left, into the folder --out."""
    for folder in given["table"]:
        if (Path(folder) / CHECKPOINT).exists():
            load_checkpoint(experiment, folder)  # which says so if it is of another experiment
    results = {Path(folder).name: read_result(folder) for folder in given["table"]}
    if len(results) < len(given["table"]):
        raise ValueError(f"--table: folders must have different names, got {', '.join(given['table'])}")
    out = make_folder(given.get("out", "."))
    save(out, results)
    print(format_page(results))
    return 0


def _introduction(path):
    """Return the paragraphs of a page before its tables, "" when there are none."""
    if not path.exists():
        return ""
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    first = next((k for k, line in enumerate(lines) if line.startswith("#")), 0)
    return "\n".join(lines[:first]).strip()


def format_page(results, introduction=""):
    """Return the page table2.md: the tables of each kind of test, confusions, and how each row was made."""
    groups = {}
    for name, result in results.items():
        groups.setdefault(_test_of(result), {})[name] = result
    title = "Moving shapes" if list(groups) == ["Moving shapes"] else "Table 2"
    lines = [f"# {title}", "", *([introduction, ""] if introduction else [])]
    for test, named in groups.items():
        group = titled(named)
        lines += [f"## {test}", "", format_results(group), ""]
        for name, result in group.items():
            lines += _confusion(name, result) + _provenance(name, result)
    return "\n".join(lines)


def titled(results):
    """Return {title: result} of {name: result}; names tell those apart that have the same title."""
    titles = {name: title_of(result) for name, result in results.items()}
    return {
        title if list(titles.values()).count(title) == 1 else f"{title} ({name})": results[name]
        for name, title in titles.items()
    }


def title_of(result):
    """Return the network of a result, and whether its classes were balanced if that is not as usual."""
    return models.TITLES[result["experiment"]["model"]] + (
        ", classes not balanced" if result["weights"] is None else ""
    )


def _test_of(result):
    """Return the heading of what a result was tested on."""
    experiment = result["experiment"]
    if experiment["data"] == SHAPES:
        return "Moving shapes"
    return "Real video: the later part of val" if experiment["split"] == "val" else "CamVid's test frames"


def _provenance(name, result):
    """Return the lines that say how a row was made."""
    experiment, options = result["experiment"], result["options"]
    height, width = experiment["size"]
    classes = "not balanced" if result["weights"] is None else "balanced by median frequency"
    changes = {name: options.get(name) for name in ("mirror", "zoom", "light")}
    changes = [f"{name} {value}" for name, value in changes.items() if value and value != [1.0, 1.0]]
    parts = {"weights": "", "video_weights": " (the video part)"}
    start = [f"{experiment[key]}{part}" for key, part in parts.items() if experiment.get(key, NONE) != NONE]
    lines = [
        f"### {name}",
        "",
        f"- {result['parameters']:,} parameters ({_options(experiment['model_options'])}), "
        f"{height}x{width} pixels.",
        f"- {result['description']}".replace("\n", "\n- "),
        f"- {options['optimiser']} at {options['learning_rate']:g}, batch {options['batch']}, seed "
        f"{experiment['seed']}, classes {classes}{'; random changes: ' if changes else ''}"
        f"{', '.join(changes)}: {result['sequences_seen']:,} sequences in "
        f"{format_time(result['training_seconds'])} of training on {', '.join(machines(result))}. Weights to "
        f"start with: {', '.join(start) or NONE}.",
        f"- Commit {format_commits(result['commits'])}:",
        "",
    ]
    return [*lines, *(f"      {command}" for command in result["commands"]), ""]


def format_results(results):
    """Return the tables of {title: result} of the same test in Markdown."""
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
    changed = [(title, scores.get("changed")) for title, scores in _scored(results)]
    if rows := [(title, per_cent(share)) for title, share in changed if share is not None]:
        blocks += [
            "Pixels whose label changes from frame to frame along the motion (the true one of moving shapes, "
            "else that of Lucas-Kanade):",
            format_markdown(("Network", "Per cent"), rows),
        ]
    for title, result in results.items():
        blocks += _flow_sentences(title, result["scores"])
    return "\n\n".join(blocks)


def _scored(results):
    """Yield the title and the scores of everything that was scored."""
    for name, result in results.items():
        for source, title in _ROWS.items():
            if source in result["scores"]:
                yield title.format(name), result["scores"][source]


def _steps(results):
    rows = [
        (
            title,
            *(f"{per_cent(s['class_average'])}, {per_cent(s['global_average'])}" for s in scores["steps"]),
        )
        for title, scores in _scored(results)
        if scores["steps"]
    ]
    return format_markdown(("Network", *(f"frame {t + 1}" for t in range(len(rows[0]) - 1))), rows)


def _confusion(name, result):
    """Return the lines of a network's confusion matrix."""
    scores = result["scores"]["labels"]["labelled"]
    if not scores:
        return []
    lines = f"What {name} takes for what: of each class's pixels (rows) per cent of each predicted class."
    return [lines, "", format_confusion(scores), ""]


def _flow_sentences(title, scores):
    """Return sentences on the flow and the predicted frames of a network, where there are any."""
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
    return [f"{title}: " + " ".join(sentences)] if sentences else []


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
