#!/usr/bin/env python3
"""Collects the summary.json files of many runs into one table (Markdown and tab-separated).

  launch/collect.py --sweep TABLE --prefix JOB_ID [--runs runs]   the rows of a sweep: runs/JOB_ID_0, JOB_ID_1, ...
  launch/collect.py FOLDER...                                     any run folders

A row without a summary is listed with what is known of it: "missing" (never started), "stopped" (exit code 75),
"failed (exit code)", or "unfinished". Needs only Python's standard library.
"""
import argparse
import json
import pathlib
import subprocess
import sys

METRICS = ["recall@5", "ndcg@5", "recall@10", "ndcg@10", "coverage@10"]
SELECTION = "ndcg@10"


def sweep_rows(table):
    """Option names and values of every row, read by the same script that starts the runs."""
    script = pathlib.Path(__file__).with_name("sweep_row.sh")

    def ask(what):
        result = subprocess.run([str(script), str(table), str(what)], capture_output=True, text=True, check=False)
        if result.returncode != 0:
            sys.stderr.write(result.stderr)
            sys.exit(result.returncode)
        return result.stdout.splitlines()

    rows = []
    for row in range(int(ask("--count")[0])):
        words = ask(row)
        rows.append({name[2:]: value for name, value in zip(words[::2], words[1::2])})
    return rows


def state_of(folder):
    if not folder.is_dir():
        return "missing"
    try:
        code = int((folder / "exit_code").read_text())
    except (OSError, ValueError):
        return "unfinished"
    if code == 0:
        return "failed (no summary.json)"
    return "stopped" if code == 75 else f"failed ({code})"


def read_run(folder):
    """The columns of one run; only 'state' when it has no readable summary of a finished run."""
    state = state_of(folder)
    try:
        summary = json.loads((folder / "summary.json").read_text())
    except OSError:
        return {"state": state}
    except ValueError:
        return {"state": "failed (summary.json unreadable)"}
    # A summary of an earlier start does not make a run that failed later a finished one.
    if state.startswith(("stopped", "failed (")) and state != "failed (no summary.json)":
        return {"state": state}
    row = {"state": "done"}
    iterations = {entry.get("iteration"): entry for entry in summary.get("iterations", [])}
    selected = iterations.get(summary.get("selected_iteration"), {})
    row["iteration"] = summary.get("selected_iteration")
    row["valid " + SELECTION] = selected.get("valid", {}).get(SELECTION)
    for name in METRICS:
        row["test " + name] = summary.get("test", {}).get(name)
    row["collisions"] = selected.get("collision_rate_final")
    row["seconds"] = sum(seconds for entry in summary.get("iterations", [])
                         for seconds in entry.get("seconds", {}).values())
    return row


def text(value):
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.5g}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)


def write_tables(rows, columns, best, out):
    with open(f"{out}.tsv", "w", encoding="utf-8") as stream:
        stream.write("\t".join(columns) + "\n")
        for row in rows:
            stream.write("\t".join(text(row.get(name)) for name in columns) + "\n")
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [text(row.get(name)) for name in columns]
        if row is best:
            cells = [f"**{cell}**" if cell else "" for cell in cells]
        lines.append("| " + " | ".join(cells) + " |")
    with open(f"{out}.md", "w", encoding="utf-8") as stream:
        stream.write("\n".join(lines) + "\n")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=pathlib.Path)
    parser.add_argument("--sweep", type=pathlib.Path, help="the table whose rows were run")
    parser.add_argument("--prefix", help="job id of the array: run folders are RUNS/PREFIX_ROW")
    parser.add_argument("--runs", type=pathlib.Path, default=pathlib.Path("runs"))
    parser.add_argument("--out", help="writes OUT.md and OUT.tsv (default: RUNS/PREFIX or ./collected)")
    arguments = parser.parse_args()
    if bool(arguments.sweep) != bool(arguments.prefix) or bool(arguments.sweep) == bool(arguments.folders):
        parser.error("expected --sweep TABLE with --prefix JOB_ID, or run folders")

    if arguments.sweep:
        options = sweep_rows(arguments.sweep)
        folders = [arguments.runs / f"{arguments.prefix}_{row}" for row in range(len(options))]
        keys = ["row"]
        rows = [{"row": str(row), **values} for row, values in enumerate(options)]
        out = arguments.out or str(arguments.runs / arguments.prefix)
    else:
        folders = arguments.folders
        keys = ["run"]
        rows = [{"run": str(folder)} for folder in folders]
        out = arguments.out or "collected"
    for row in rows:
        keys += [name for name in row if name not in keys]

    columns = list(keys)
    for row, folder in zip(rows, folders):
        row.update(read_run(folder))
        columns += [name for name in row if name not in columns]
    measured = [row for row in rows if row.get("valid " + SELECTION) is not None]
    best = max(measured, key=lambda row: row["valid " + SELECTION], default=None)
    pathlib.Path(out).parent.mkdir(parents=True, exist_ok=True)
    print("\n".join(write_tables(rows, columns, best, out)))

    bad = [row for row in rows if row["state"] != "done"]
    print(f"\n{len(rows) - len(bad)} of {len(rows)} runs finished; {out}.md, {out}.tsv")
    for row in bad:
        print(f"not finished: {keys[0]} {row[keys[0]]}: {row['state']}")
    if best is not None:
        print(f"best on validation ({SELECTION}): {keys[0]} {best[keys[0]]}")


if __name__ == "__main__":
    main()
