"""The results of the benchmark as JSON and as Markdown.

`benchmarks.json` is a list of runs, newest first; `benchmarks.md` is generated from it. A run replaces the
earlier one of the same command on the same type of machine.
"""

import json
from statistics import median

from nnlite import models
from nnlite.files import make_folder, write_text
from nnlite.train.report.files import write_json

JOBS = {"train": "training step", "sequences": "inference, whole sequences", "stream": "inference, streaming"}
INTRODUCTION = """\
# nnlite and PyTorch side by side

They alternate in the same run, each in its own process, and start from the same parameters. The others are
variants of PyTorch, and in inference ONNX Runtime and OpenVINO on the network that PyTorch exports. A
training step is forward pass, backpropagation through time, clipping and rmsprop. Every time is the median
over the turns. *Ratio* is nnlite's time over that of the fastest of the others, *paired* the median ratio
of adjacent turns. *Memory* is the peak of the whole process (on a GPU, of the device memory taken by the
framework's allocator); its ratio is to the leanest of the others. *Other processes* is the share of
processor time that other processes used, which should be close to zero: PyTorch's threads wait for each
other by spinning and are slowed down most by other work. *Goal* is the ratio aimed at, *native BLAS* a run
in which the environment variable OPENBLAS_CORETYPE does not choose the kernels. All times are in
`benchmarks.json`.
Runs on a GPU are older than the code is now: `docs/gpu.md` says what has not been measured on it.
"""


def save(folder, run):
    """Add a run, complete or not, to benchmarks.json in the folder and regenerate benchmarks.md."""
    folder = make_folder(folder)
    path = folder / "benchmarks.json"
    runs = json.loads(path.read_text()) if path.exists() else []
    runs = [run, *(old for old in runs if not _replaces(run, old))]
    write_json(path, runs)
    write_text(folder / "benchmarks.md", "\n".join([INTRODUCTION, *map(format_run, runs)]))


def title(job, model):
    """Return for instance "AE-ConvLSTM, training step"."""
    return f"{models.TITLES[model]}, {JOBS[job]}"


def size(measurement):
    """Return the size of frames as "HxW"; runs from before it was an option have none."""
    return "x".join(map(str, measurement.get("size", (64, 64))))


def compare(measurement):
    """Return one dict per nnlite contestant that compares it with the best of PyTorch.

    Keys: name, time (seconds a unit), torch (name and time of the fastest variant), ratio, pairs, memory,
    torch_memory (name and bytes of the leanest), memory_ratio. Without PyTorch, those about it are None.
    """
    finished = [entry for entry in measurement["contestants"] if "turns" in entry]
    nnlite = [entry for entry in finished if entry["framework"] == "nnlite"]
    torch = [entry for entry in finished if entry["framework"] == "torch"]
    compared = []
    for entry in nnlite:
        row = {"name": entry["name"], "time": time(entry), "memory": memory(entry)}
        row |= dict.fromkeys(("torch", "ratio", "pairs", "torch_memory", "memory_ratio"))
        if torch:
            fastest, leanest = min(torch, key=time), min(torch, key=memory)
            pairs = [median(a) / median(b) for a, b in zip(entry["turns"], fastest["turns"], strict=True)]
            row |= {
                "torch": (fastest["name"], time(fastest)),
                "ratio": row["time"] / time(fastest),
                "pairs": median(pairs),
                "torch_memory": (leanest["name"], memory(leanest)),
                "memory_ratio": row["memory"] / memory(leanest),
            }
        compared.append(row)
    return compared


def time(entry):
    """Return the median time of a unit of work in seconds."""
    return median(median(turn) for turn in entry["turns"])


def memory(entry):
    """Return the peak memory in bytes; on a GPU, that of the device."""
    return entry["peak"].get("device", entry["peak"]["host"])


def goals(run, measurement):
    """Return the ratios of time and of memory that are aimed at, None if there is no goal."""
    of_all = (*(measurement[name] for name in ("job", "model", "length")), size(measurement))
    if of_all != ("train", "ae_convlstm_flow", 10, "64x64"):
        return None, None
    batch = measurement["batch"]
    if run["machine"]["device"] == "cpu":
        return {1: (0.28, 0.45), 8: (0.16, 0.65), 16: (0.16, 0.65), 32: (0.17, 0.70)}.get(batch, (None, None))
    return {"none": 0.5, "all": 0.7}.get(run["tf32"]), 1.0 if batch in (8, 16) else None


def format_run(run):
    """Return the section of a run in Markdown."""
    machine = run["machine"]
    processor = machine.get("gpu") or f"{machine['cpu']}, {machine['cores']} cores"
    processor = ", ".join([processor, *_instructions(run)])
    lines = [f"## {processor}, {run['date'][:10]}", "", f"`{run['command']}`, started {run['date']}", ""]
    if run.get("commit"):
        lines += [f"- commit {run['commit']}"]
    lines += [f"- {machine['system']}, {_joined(machine['versions'])}"]
    if run["environment"]:
        lines += ["- environment: " + " ".join(f"{k}={v}" for k, v in run["environment"].items())]
    if machine["device"] == "cuda":
        lines += [f"- TF32 in PyTorch: {run['tf32']}; in nnlite: {'all' if run['tf32'] == 'all' else 'none'}"]
    lines += _libraries(run["measurements"])
    for check in run["checks"]:
        lines.append(
            f"- {models.TITLES[check['model']]}: loss and all gradients agree within {check['error']:.1e} "
            f"(relative, float32; largest at {check['worst']})"
        )
    sizes = {}
    for measurement in run["measurements"]:
        sizes.setdefault((measurement["job"], measurement["model"]), []).append(measurement)
    for (job, model), measurements in sizes.items():
        lines += ["", f"### {title(job, model)}", "", *_comparison_table(run, job, measurements)]
        lines += ["", "Each contestant:", "", *_contestant_table(job, measurements)]
    for profile in run["profiles"]:
        lines += ["", format_profile(profile)]
    return "\n".join(lines) + "\n"


def format_measurement(measurement):
    """Return a short comparison for the terminal."""
    lines = []
    for entry in measurement["contestants"]:
        if "turns" in entry:
            speed = _quantity(measurement["job"], measurement, time(entry))
            lines.append(f"  {entry['name']:34} {speed:>16}   {memory(entry) / 2**20:7.0f} MiB")
    for row in compare(measurement):
        if row["torch"]:
            lines.append(
                f"  {row['name']} over PyTorch's best: time {row['ratio']:.2f} "
                f"(paired {row['pairs']:.2f}), memory {row['memory_ratio']:.2f}"
            )
    return "\n".join(lines)


def format_profile(profile):
    """Return the profile as a Markdown table; rows below 0.2% are summed up in one."""
    rows = [row for row in profile["rows"] if row[3] >= 0.002]
    small = [row for row in profile["rows"] if row[3] < 0.002]
    if small:
        rows.append([f"{len(small)} more", *(sum(row[i] for row in small) for i in (1, 2, 3))])
    step = sum(row[1] + row[2] for row in profile["rows"])
    lines = [
        f"### {models.TITLES[profile['model']]}, profile of nnlite's step: batch {profile['batch']}, "
        f"{profile['length']} frames, {step * 1e3:.0f} ms",
        "",
        "| module | forward, ms | backward, ms | share |",
        "|---|---|---|---|",
    ]
    lines += [f"| {name} | {f * 1e3:.1f} | {b * 1e3:.1f} | {share:.1%} |" for name, f, b, share in rows]
    return "\n".join(lines)


def _comparison_table(run, job, measurements):
    unit = "seconds" if job == "train" else "frames/s"
    lines = [
        f"| batch | frames | size | | nnlite, {unit} | the others' fastest, {unit} | ratio of times | paired "
        "| goal | nnlite, MiB | the others' leanest, MiB | ratio | goal |",
        "|" + "---|" * 13,
    ]
    for measurement in measurements:
        time_goal, memory_goal = goals(run, measurement)
        for row in compare(measurement):
            cells = [measurement["batch"], measurement["length"], size(measurement), row["name"]]
            cells.append(_quantity(job, measurement, row["time"], unit=""))
            if row["torch"]:
                name, seconds = row["torch"]
                cells.append(f"{_quantity(job, measurement, seconds, unit='')} ({_short(name)})")
                cells += [f"{row['ratio']:.2f}", f"{row['pairs']:.2f}", _goal(time_goal)]
                name, bytes_taken = row["torch_memory"]
                cells += [f"{row['memory'] / 2**20:.0f}", f"{bytes_taken / 2**20:.0f} ({_short(name)})"]
                cells += [f"{row['memory_ratio']:.2f}", _goal(memory_goal)]
            else:
                cells += ["", "", "", "", f"{row['memory'] / 2**20:.0f}", "", "", ""]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def _contestant_table(job, measurements):
    names = [entry["name"] for entry in measurements[0]["contestants"]]
    lines = ["| batch | frames | size | " + " | ".join(names) + " | other processes |"]
    lines.append("|" + "---|" * (len(names) + 4))
    for measurement in measurements:
        cells = [measurement["batch"], measurement["length"], size(measurement)]
        for entry in measurement["contestants"]:
            if "failed" in entry:
                cells.append(f"failed: {entry['failed'][:80]}")
            else:
                speed = _quantity(job, measurement, time(entry))
                cells.append(f"{speed}, {memory(entry) / 2**20:.0f} MiB")
        cells.append("unknown" if measurement["others"] is None else f"{measurement['others']:.0%}")
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def _quantity(job, measurement, seconds, unit=None):
    """Return the time of a training step, or the frames a second of inference, as text."""
    if job == "train":
        return f"{seconds:.4g}" + (" s" if unit is None else unit)
    frames = measurement["batch"] * measurement["length"] / seconds
    return f"{frames:.4g}" + (" frames/s" if unit is None else unit)


def _libraries(measurements):
    """Return a line for each set of libraries that the contestants used."""
    sets = {}
    for measurement in measurements:
        for entry in measurement["contestants"]:
            if "libraries" in entry:
                libraries = "; ".join(
                    f"{key} {', '.join(value) if isinstance(value, list) else value}"
                    for key, value in entry["libraries"].items()
                )
                sets["PyTorch" if entry["name"].startswith("PyTorch") else entry["name"], libraries] = None
    return [f"- {name}: {libraries}" for name, libraries in sets]


def _instructions(run):
    """Return a list with the vector instruction set that PyTorch used, empty on a GPU or without PyTorch."""
    if run["machine"]["device"] != "cpu":
        return []
    entries = (entry for measurement in run["measurements"] for entry in measurement["contestants"])
    names = (entry.get("libraries", {}).get("instructions") for entry in entries)
    return list(dict.fromkeys(name for name in names if name))


def _replaces(run, old):
    """Return whether `old` is an earlier run of the same command on such a machine, or `run` incomplete."""
    if _identity(run) != _identity(old):
        return False
    return run["date"] == old["date"] or _instructions(run) == _instructions(old)


def _identity(run):
    return run["command"], run["machine"]["cpu"], run["machine"].get("gpu")


def _short(name):
    return name.removeprefix("PyTorch ")


def _goal(value):
    return "" if value is None else f"{value:.2f}"


def _joined(versions):
    return ", ".join(f"{name} {version}" for name, version in versions.items())
