#!/usr/bin/env python3
"""SIIT killed with SIGKILL again and again, and started by the same command each time, ends bit for bit like a run that
was let alone; at another rank count it also goes on to the end.

Usage: resume_test.py PROGRAM
"""
import json
import random
import re
import shutil
import signal
import subprocess
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


def stopped_by_signal(arguments, ranks, event):
    """The exit code after SIGUSR1, sent to the launcher once event() holds."""
    process = subprocess.Popen(p.command(PROGRAM, arguments, ranks), env=p.ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not event():
        if process.poll() is not None:
            raise SystemExit("the run ended before it was asked to stop: the test tested nothing")
        time.sleep(0.02)
    process.send_signal(signal.SIGUSR1)
    return process.wait(timeout=100)


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
        if not re.search("^0 datasets differ", difference, re.M):
            raise SystemExit(f"np {ranks}: the last checkpoints differ after {kills} kills:\n{difference}")
        print(f"np {ranks}: {kills} kills, same weights and identifiers", flush=True)

    # asked to stop, all ranks save and leave with 75
    stopped = work / "stopped"
    code = stopped_by_signal([*OPTIONS, "--run.dir", stopped], 2, (stopped / "checkpoints" / "last").is_symlink)
    if code != 75:
        raise SystemExit(f"SIGUSR1: exit code {code}")
    again = p.run(PROGRAM, [*OPTIONS, "--run.dir", stopped], 2)
    p.expect_done(again, "going on after SIGUSR1")
    if "trained on the titles" in again.stderr:
        raise SystemExit("the text model was trained a second time, though the checkpoint has it")
    if p.summary(stopped)["test"] != p.summary(STRAIGHT)["test"] or not re.search("^0 datasets differ", final_state(stopped), re.M):
        raise SystemExit("a run that was stopped does not end like one that was let alone")
    print("np 2: stopped by SIGUSR1, same weights and identifiers", flush=True)

    # stopped in a validation that no epoch came before: there is a checkpoint all the same
    prompts = work / "prompts.txt"
    prompts.write_text("After {H} comes\n")
    for name, untrained in (("siit", [*OPTIONS, "--siit.warmup-epochs", "0"]),
                            ("train", ["train", "--model.preset", "tiny", "--train.epochs", "0", "--text.templates", prompts])):
        early = work / f"early-{name}"
        begun = p.run(PROGRAM, [*untrained, "--run.dir", early, "--run.max-minutes", "0.0001"])
        if begun.returncode != 75 or not (early / "checkpoints" / "last").exists():
            raise SystemExit(f"{name} stopped in its first validation: {begun.returncode}, {begun.stderr[-500:]}")
        p.expect_done(p.run(PROGRAM, [*untrained, "--run.dir", early, "--run.resume", "must"]), f"{name}, going on to its end")
    print("stopped before the first step", flush=True)
    prompts.write_text("What comes after {H}?\n")
    other = p.run(PROGRAM, [*untrained, "--run.dir", early])
    if other.returncode != 65 or "text.templates" not in other.stderr:
        raise SystemExit(f"other prompts under the old name: {other.returncode} {other.stderr[-500:]}")
    prompts.unlink()
    p.expect_done(p.run(PROGRAM, ["evaluate", early, "--eval.users", "20"]), "evaluate, with the prompts of the checkpoint")

    # another rank count goes on from where the killed run was
    moved = work / "moved"
    checkpoints = lambda: list((moved / "checkpoints").glob("step-*.h5"))
    if not p.kill_when(PROGRAM, [*OPTIONS, "--run.dir", moved], 1, lambda: len(checkpoints()) >= 2):
        raise SystemExit("the run that should go on with 2 ranks was not killed: the test tested nothing")
    p.expect_done(p.run(PROGRAM, [*OPTIONS, "--run.dir", moved], 2), "going on with 2 ranks")
    if p.summary(moved)["ranks"] != 2:
        raise SystemExit("the summary does not say 2 ranks")
    print("np 1 → 2: went on to the end", flush=True)

    # what is finished stays as it is, and other options are refused
    finished = (STRAIGHT / "summary.json").read_bytes()
    again = p.run(PROGRAM, [*OPTIONS, "--run.dir", STRAIGHT])
    p.expect_done(again, "the command of a finished run")
    if "finished before" not in again.stdout or (STRAIGHT / "summary.json").read_bytes() != finished:
        raise SystemExit(f"a finished run was written again:\n{again.stdout}")
    config = (STRAIGHT / "config.ini").read_bytes()
    for option, value in (("train.batch", "512"), ("siit.strategy", "greedy"), ("model.preset", "tiger")):
        other = p.run(PROGRAM, [*OPTIONS, "--run.dir", STRAIGHT, f"--{option}", value])
        if other.returncode != 2 or option not in other.stderr or "another run.dir" not in other.stderr:
            raise SystemExit(f"--{option} {value} on an old run: {other.returncode} {other.stderr}")
    if (STRAIGHT / "config.ini").read_bytes() != config:
        raise SystemExit("a refused command changed config.ini")
    splits = {json.loads(line)["split"] for line in (STRAIGHT / "metrics.jsonl").read_text().splitlines()}
    if not {"warm-up", "align 1", "fine-tune 1", "valid", "test", "identifiers"} <= splits:
        raise SystemExit(f"metrics.jsonl has the splits {splits}")
    print("finished run left alone, other options refused", flush=True)

    # what the run has not used yet may still change: it ends like one that had these options from the start
    open_run = work / "open"
    shorter = [*OPTIONS, "--run.dir", open_run, "--siit.warmup-epochs", "2", "--siit.strategy", "greedy"]
    if not p.kill_when(PROGRAM, shorter, 2, (open_run / "checkpoints" / "last").is_symlink):
        raise SystemExit("the shorter run was not killed: the test tested nothing")
    p.expect_done(p.run(PROGRAM, [*OPTIONS, "--run.dir", open_run], 2), "going on with more epochs")
    if p.summary(open_run)["test"] != p.summary(STRAIGHT)["test"] or not re.search("^0 datasets differ", final_state(open_run), re.M):
        raise SystemExit("a run made longer is not the one that was longer from the start")
    print("a run made longer, with another strategy", flush=True)

    # killed between two rounds of a regeneration, and stopped in one: it goes on there, with other ranks, too
    slow = [*OPTIONS, "--decode.batch", "3", "--decode.beams", "40", "--siit.candidates", "40", "--siit.order", "confidence"]
    rounds = [*slow, "--run.checkpoint-minutes", "0.0001"]
    aligned, straight = work / "aligned", work / "rounds-straight"
    p.expect_done(p.run(PROGRAM, [*rounds, "--run.dir", aligned, "--siit.stop-before", "regenerate"]), "up to regeneration")
    shutil.copytree(aligned, straight, symlinks=True)
    p.expect_done(p.run(PROGRAM, [*slow, "--run.checkpoint-minutes", "5", "--run.dir", straight, "--siit.stop-before", "fine-tune"]), "regeneration")
    table = (straight / "identifiers" / "iteration-1.index.json").read_bytes()
    for ranks, after in ((1, 1), (2, 1), (1, 2)):
        # 400 items: a round of 24 a rank, then the rest
        broken = work / f"rounds-{ranks}-{after}"
        shutil.copytree(aligned, broken, symlinks=True)
        newest = lambda: (broken / "checkpoints" / "last").stat().st_mtime_ns
        begun = newest()
        saved = lambda: newest() != begun
        if (ranks, after) == (2, 1):
            if stopped_by_signal([*rounds, "--run.dir", broken], ranks, saved) != 75:
                raise SystemExit("SIGUSR1 in a regeneration: not 75")
        elif not p.kill_when(PROGRAM, [*rounds, "--run.dir", broken], ranks, saved):
            raise SystemExit("the regeneration was not killed: the test tested nothing")
        refused = p.run(PROGRAM, [*rounds, "--run.dir", broken, "--siit.strategy", "greedy"], ranks)
        if refused.returncode != 2 or "siit.strategy" not in refused.stderr:
            raise SystemExit(f"another strategy within a regeneration: {refused.returncode} {refused.stderr[-500:]}")
        again = p.run(PROGRAM, [*rounds, "--run.dir", broken, "--siit.stop-before", "fine-tune"], after)
        p.expect_done(again, "going on within a regeneration")
        if "last: regenerate" not in again.stderr:
            raise SystemExit("the regeneration had ended before it was stopped: the test tested nothing")
        if "regeneration goes on at item" not in again.stderr:
            raise SystemExit(f"the regeneration began anew:\n{again.stderr[-1500:]}")
        if (broken / "identifiers" / "iteration-1.index.json").read_bytes() != table:
            raise SystemExit(f"np {ranks} -> {after}: other identifiers after a stop within the regeneration")
    print("stopped within a regeneration: same identifiers", flush=True)

    # the ranks need not share the run folder: the root's answer holds
    places = [work / "here", work / "there"]
    for place in places:
        place.mkdir()
    line = ["mpirun", "--oversubscribe", "--bind-to", "none"]
    for i, place in enumerate(places):
        line += [*([":"] if i else []), "-np", "1", "-wdir", str(place), str(PROGRAM), *OPTIONS, "--run.dir", "run"]
    for expected in ("summary:", "finished before"):
        apart = subprocess.run(line, env=p.ENVIRONMENT, capture_output=True, text=True, timeout=200)
        p.expect_done(apart, "ranks in folders of their own")
        if expected not in apart.stdout:
            raise SystemExit(f"ranks in folders of their own: no '{expected}' in\n{apart.stdout}")
    print("ranks in folders of their own", flush=True)

    # train, killed between a validation and what follows: that validation does not count twice
    train = ["train", "--model.preset", "tiny", "--train.epochs", "4", "--train.patience", "1", "--data.max-users", "400",
             "--eval.users", "100", "--decode.beams", "10", "--run.progress", "none", "--run.threads", "1"]
    straight, killed = work / "train-straight", work / "train-killed"
    p.expect_done(p.run(PROGRAM, [*train, "--run.dir", straight]), "train")
    if not p.kill_when(PROGRAM, [*train, "--run.dir", killed], 1, (killed / "checkpoints" / "best").is_symlink):
        raise SystemExit("train was not killed: the test tested nothing")
    p.expect_done(p.run(PROGRAM, [*train, "--run.dir", killed]), "train, going on")
    a, b = p.summary(straight), p.summary(killed)
    if a["test"] != b["test"] or a["iterations"][0]["valid"] != b["iterations"][0]["valid"]:
        raise SystemExit(f"train ended otherwise after a kill: {a['test']} and {b['test']}")
    short = work / "short"
    p.expect_done(p.run(PROGRAM, [*train, "--train.max-steps", "3", "--run.dir", short]), "train of 3 steps")
    if not p.summary(short)["iterations"][0]["valid"] or not (short / "checkpoints" / "best").exists():
        raise SystemExit("three steps of train left no validation or no checkpoint")
    print("train: killed after a validation, and ended by max-steps", flush=True)
    print("10 passed, 0 failed")
finally:
    shutil.rmtree(work, ignore_errors=True)
