#!/usr/bin/env python3
"""SIIT killed with SIGKILL again and again, and started by the same command each time, ends bit for bit like a run that
was let alone; at another rank count it also goes on to the end.

Usage: resume_test.py PROGRAM
"""
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import program as p

PROGRAM = Path(sys.argv[1]).resolve()
OPTIONS = ["siit", "--model.preset", "tiny", "--siit.warmup-epochs", "3", "--siit.align-epochs", "3",
           "--siit.finetune-epochs", "2", "--siit.iterations", "2", "--data.max-users", "400", "--eval.users", "100",
           "--decode.beams", "10", "--siit.candidates", "6", "--run.progress", "none",
           "--run.checkpoint-minutes", "0.01", "--run.threads", "1"]


def final_state(folder):
    """Hashes of the last checkpoint's weights and identifiers, as the program itself compares them."""
    result = p.run(PROGRAM, ["inspect", "--diff", f"{folder}/checkpoints/last,{STRAIGHT}/checkpoints/last"])
    p.expect_done(result, "inspect --diff")
    return result.stdout


def kill_and_resume(ranks, folder, duration, rng):
    kills = 0
    for _ in range(40):
        if not p.kill_after(PROGRAM, [*OPTIONS, "--run.dir", folder], ranks, rng.uniform(0.25, 0.6) * duration):
            break
        kills += 1
        if kills >= 4:
            p.expect_done(p.run(PROGRAM, [*OPTIONS, "--run.dir", folder], ranks), "last start")
            break
    return kills


work = Path(tempfile.mkdtemp(prefix="genrec-resume-"))
try:
    rng = random.Random(7)
    for ranks in (1, 2):
        STRAIGHT = work / f"straight-{ranks}"
        began = time.monotonic()
        p.expect_done(p.run(PROGRAM, [*OPTIONS, "--run.dir", STRAIGHT], ranks), "straight run")
        duration = time.monotonic() - began
        killed = work / f"killed-{ranks}"
        kills = kill_and_resume(ranks, killed, duration, rng)
        if kills == 0:
            raise SystemExit("the run was never killed: the test tested nothing")
        a, b = p.summary(STRAIGHT), p.summary(killed)
        for key in ("identifiers_sha256", "test", "selected_iteration"):
            if a[key] != b[key]:
                raise SystemExit(f"np {ranks}: {key} differs after {kills} kills: {a[key]} and {b[key]}")
        difference = final_state(killed)
        if "0 datasets differ" not in difference:
            raise SystemExit(f"np {ranks}: the last checkpoints differ after {kills} kills:\n{difference}")
        print(f"np {ranks}: {kills} kills, same weights and identifiers", flush=True)

    # another rank count goes on from where the killed run was
    moved = work / "moved"
    p.kill_after(PROGRAM, [*OPTIONS, "--run.dir", moved], 1, 0.6 * duration)
    p.expect_done(p.run(PROGRAM, [*OPTIONS, "--run.dir", moved], 2), "going on with 2 ranks")
    if p.summary(moved)["ranks"] != 2:
        raise SystemExit("the summary does not say 2 ranks")
    print("np 1 → 2: went on to the end", flush=True)
    print("3 passed, 0 failed")
finally:
    shutil.rmtree(work, ignore_errors=True)
