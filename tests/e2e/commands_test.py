#!/usr/bin/env python3
"""Every command on a small run: what one writes, the others read, at 1 and 2 ranks alike.

Usage: commands_test.py PROGRAM
"""
import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import program as p

PROGRAM = Path(sys.argv[1]).resolve()
SMALL = ["--data.max-users", "300", "--eval.users", "100", "--decode.beams", "10", "--run.progress", "none"]
SIIT = ["siit", "--model.preset", "tiny", "--siit.warmup-epochs", "2", "--siit.align-epochs", "2",
        "--siit.finetune-epochs", "1", "--siit.iterations", "1", "--siit.candidates", "8"]
passed = 0


def done(arguments, ranks=1):
    result = p.run(PROGRAM, arguments, ranks)
    p.expect_done(result, " ".join(map(str, arguments)))
    return result.stdout


def expect(condition, what):
    global passed
    if not condition:
        raise SystemExit(f"FAILED: {what}")
    passed += 1
    print("ok  ", what, flush=True)


work = Path(tempfile.mkdtemp(prefix="genrec-commands-"))
try:
    run = work / "run"
    done([*SIIT, *SMALL, "--run.dir", run])
    summary = p.summary(run)
    table = json.loads((run / f"identifiers/iteration-{summary['selected_iteration']}.index.json").read_text())
    expect(summary["iterations"][1]["collision_rate_final"] == 0, "siit: no collision after avoidance")
    expect(len(table) == summary["items"], "siit: identifiers of all items on disk")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    expect({"step", "epoch", "iteration", "split", "name", "value", "seconds"} == lines[0].keys(), "metrics.jsonl has the contract's fields")

    repeated = work / "repeated"
    done(["siit", "--config", run / "config.ini", "--run.dir", repeated])
    expect(p.summary(repeated)["test"] == summary["test"], "siit: config.ini repeats the run")

    for ranks in (1, 2):
        result = json.loads(done(["evaluate", run / "checkpoints/last"], ranks))
        expect(result["test"] == summary["test"], f"evaluate, np {ranks}: the summary's test metrics")

    lists = [done(["recommend", run / "checkpoints/last", "--recommend.users", "3,1,17", "--eval.k", "5"], ranks) for ranks in (1, 2)]
    rows = [json.loads(line) for line in lists[0].splitlines()]
    expect([row["user"] for row in rows] == [1, 3, 17] and all(len(set(row["items"])) == 5 for row in rows), "recommend: 5 different items of each user")
    others = [json.loads(line) for line in lists[1].splitlines()]
    expect(all(a["items"] == b["items"] and all(abs(x - y) < 1e-5 for x, y in zip(a["scores"], b["scores"]))
               for a, b in zip(rows, others)), "recommend: the same at 1 and 2 ranks, scores but for rounding")
    done(["recommend", run / "checkpoints/last", "--recommend.output", work / "all.csv", "--eval.k", "5"])
    expect(len((work / "all.csv").read_text().splitlines()) == 1 + 5 * 300, "recommend: a CSV of all users")

    text = done(["inspect", run / "checkpoints/last", "--verify"])
    expect("agree with their checksums" in text and summary["identifiers_sha256"] in text, "inspect: checksums and identifiers")

    folder = work / "hf"
    done(["convert", "--from", run / "checkpoints/last", "--to", folder])
    done(["convert", "--from", folder, "--to", work / "back.h5", *SMALL])
    back = json.loads(done(["evaluate", work / "back.h5", *SMALL]))
    expect(back["test"] == summary["test"], "convert: checkpoint → Hugging Face folder → checkpoint keeps the metrics")

    hashes = set()
    for ranks in (1, 2, 4):
        done(["tokenize", "--run.dir", work / f"tokens-{ranks}", *SMALL[:2]], ranks)
        hashes.add(p.summary(work / f"tokens-{ranks}")["identifiers_sha256"])
    expect(len(hashes) == 1, "tokenize: the same CID table at 1, 2 and 4 ranks")

    train = work / "train"
    done(["train", "--model.preset", "tiny", "--train.epochs", "3", "--model.vocabulary", "codes", "--text.templates", "none",
          "--data.history", "20", *SMALL, "--run.dir", train], 2)
    expect(p.summary(train)["iterations"][0]["valid"]["recall@10"] > 0, "train: a codes-only recommender at 2 ranks")

    text = done([*SIIT, *SMALL, "--run.dry-run", "--run.dir", work / "dry"])
    expect("memory" in text and "whole run about" in text and not (work / "dry").exists(), "dry run: estimates, nothing on disk")
    expect("LibTorch 2." in done(["version"]) and "--train.lr" in done(["help", "train"]), "version and help")
    print(f"{passed} passed, 0 failed")
finally:
    shutil.rmtree(work, ignore_errors=True)
