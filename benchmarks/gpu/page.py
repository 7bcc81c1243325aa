"""The page of a run of `python -m benchmarks.gpu`, in Markdown."""

from collections import Counter

from nnlite.train.report.tables import format_markdown

#: Sequences a second and ratios that are aimed at: (model, least batch) -> the first, TF32? -> the second.
GOAL_SPEED = {("ae_convlstm", 64): 3000}
GOAL_RATIO, GOAL_MEMORY = {"all": 0.70, "none": 0.50}, 1.0


def format_page(content):
    """Return the page of the content of a `Record`."""
    about, parts = content["about"], content["parts"]
    machine = about["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = ["# What a GPU shows", ""]
    if about["dry run"]:
        lines += ["**A dry run: toy sizes on a CPU. None of these times says anything about a GPU.**", ""]
    lines += [f"{machine['gpu']}, commit {about['commit']}, {machine['system']}, {versions}.", ""]
    lines += [f"    {command}" for command in content["commands"]]
    tables = {
        "agreement": _agreement,
        "kernels": _kernels,
        "steps": _steps,
        "paper": _paper,
        "tests": _others,
        "training": _others,
    }
    for name, part in parts.items():
        lines += ["", f"## {name.capitalize()}, {part['seconds']:.0f} s", ""]
        done = {piece: row for piece, row in part["rows"].items() if not row.keys() & {"skipped", "failed"}}
        lines += tables[name](done) if done else []
        lines += _not_done(part["rows"])
    return "\n".join(lines) + "\n"


def _agreement(rows):
    """Return the largest error of each dtype, and every case that is beyond what is allowed."""
    table = []
    for dtype in ("float32", "float64"):
        own = {piece: row for piece, row in rows.items() if piece.endswith(dtype)}
        if own:
            piece = max(own, key=lambda piece: own[piece]["error"])
            worst = own[piece]
            cells = f"{worst['error']:.1e}", f"{worst['allowed']:.0e}", f"{piece}: {worst['worst']}"
            wrong = sum("wrong" in row for row in own.values())
            table.append((dtype, len(own), wrong, *cells))
    lines = [_table(("", "cases", "differ", "largest error", "allowed", "at"), table), ""]
    return lines + [
        f"- **{piece} differs by {row['error']:.1e}** at {row['worst']}"
        for piece, row in rows.items()
        if "wrong" in row
    ]


def _kernels(rows):
    """Return what the machine does at most, and every kernel beside its limit."""
    lines = [
        f"- {piece}: {row['rate'] / 1e12:.3g} T{row['unit']}" for piece, row in rows.items() if "rate" in row
    ]
    table = []
    for piece, row in rows.items():
        if "seconds" in row:
            limit, estimate = row.get("limit"), row.get("estimate")
            table.append(
                (
                    piece,
                    _milliseconds(row["seconds"]),
                    _milliseconds(limit),
                    row["limited by"] or "",
                    f"{limit / row['seconds']:.0%}" if limit else "",
                    _milliseconds(estimate),
                )
            )
    columns = "kernel", "ms", "limit, ms", "by", "reached", "estimate, ms"
    return [*lines, "", _table(columns, table), ""]


def _steps(rows):
    """Return nnlite's step beside PyTorch's fastest and leanest of each command."""
    table = []
    for piece, row in rows.items():
        tf32 = "all" if "--tf32 all" in piece else "none"
        for found in row["measured"]:
            speed, goal = found["batch"] / found["time"], ""
            least = GOAL_SPEED.get((found["model"], 64)) if found["batch"] >= 64 else None
            if least:
                goal = f"{least:,} a second"
            elif found["torch"] and found["torch"][0].endswith("graph"):
                goal = f"{GOAL_RATIO[tf32]:.2f}"
            memory = found["memory"] / 2**20
            cells = [found["model"], found["batch"], "yes" if tf32 == "all" else "no"]
            cells += [_milliseconds(found["time"]), f"{speed:,.0f}"]
            if found["torch"]:
                (name, seconds), (leanest, size) = found["torch"], found["torch_memory"]
                cells += [f"{_milliseconds(seconds)} ({name.removeprefix('PyTorch ')})"]
                cells += [f"{found['ratio']:.2f}", goal, f"{memory:,.0f}"]
                cells += [f"{size / 2**20:,.0f} ({leanest.removeprefix('PyTorch ')})"]
                cells += [f"{found['memory_ratio']:.2f}", f"{GOAL_MEMORY:.2f}"]
            else:
                cells += ["", "", goal, f"{memory:,.0f}", "", "", ""]
            table.append(cells)
    columns = "model", "batch", "TF32", "ms", "sequences/s", "PyTorch's fastest, ms", "ratio", "goal"
    columns += "MiB", "PyTorch's leanest, MiB", "ratio", "goal"
    return [_table(columns, table), ""]


def _paper(rows):
    """Return how long each run takes to its end."""
    table = [
        (
            piece,
            "x".join(map(str, row["shape"])),
            _milliseconds(row["seconds"]),
            f"{row['steps']:,}",
            f"{row['hours']:.2f}",
        )
        for piece, row in rows.items()
    ]
    return [_table(("run", "batch", "ms a step", "steps", "hours"), table), ""]


def _others(rows):
    return [f"- {piece}: {name}: {value}" for piece, row in rows.items() for name, value in row.items()]


def _not_done(rows):
    """Return lines that say what failed, and how many pieces were left out for which reason."""
    lines = [f"- **{piece} failed**: {row['failed']}" for piece, row in rows.items() if "failed" in row]
    reasons = Counter(row["skipped"] for row in rows.values() if "skipped" in row)
    for reason, count in reasons.items():
        left_out = [piece for piece, row in rows.items() if row.get("skipped") == reason]
        names = "; ".join(left_out[:3]) + ("; ..." if count > 3 else "")
        lines.append(f"- {count} left out, {reason}: {names}")
    return lines


def _table(columns, rows):
    return format_markdown(columns, [[str(cell) for cell in row] for row in rows])


def _milliseconds(seconds):
    return "" if seconds is None else f"{1e3 * seconds:.3g}"
