#!/usr/bin/env python3
"""embed stopped, killed and started again ends bit for bit like a call that was let alone; what it refuses and says.

Usage: embed_test.py PROGRAM
"""
import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import program as p

PROGRAM = Path(sys.argv[1]).resolve()
QUIET = ["--run.progress", "none", "--run.threads", "1"]
MODELS = {
    "sasrec": ["--sasrec.epochs", "40", "--sasrec.patience", "0", "--sasrec.eval-every", "4"],
    "lightgcn": ["--lightgcn.epochs", "80", "--lightgcn.patience", "0", "--lightgcn.batch", "256"],
}
passed = 0


def embed(model, run, *more):
    return ["embed", "--embed.model", model, *MODELS.get(model, []), "--run.dir", run, *QUIET, *more]


def expect(condition, what):
    global passed
    if not condition:
        raise SystemExit(f"FAILED: {what}")
    passed += 1
    print("ok  ", what, flush=True)


def done(arguments, ranks=1):
    result = p.run(PROGRAM, arguments, ranks)
    p.expect_done(result, " ".join(map(str, arguments)))
    return result


def figures(run):
    """What a run came to, but for its clock."""
    summary = p.summary(run)
    kept = {key: summary[key] for key in ("loss", "epochs", "best_epoch", "valid", "test", "baselines")}
    return kept | {"vectors": summary["vectors"]["sha256"]}


def places(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["split"], line["name"]) for line in lines]


def check_going_on(model, ranks):
    straight, broken = work / f"{model}-{ranks}-straight", work / f"{model}-{ranks}-broken"
    done(embed(model, straight), ranks)
    state = broken / "checkpoints/collaborative.h5"
    often = ["--run.checkpoint-minutes", "0.0005"]
    if not p.kill_when(PROGRAM, embed(model, broken, *often), ranks, state.is_file):
        raise SystemExit(f"{model} was not killed: the test tested nothing")
    stopped = p.run(PROGRAM, embed(model, broken, "--run.max-minutes", "0.005"), ranks)
    expect(stopped.returncode == 75 and "the same command goes on" in stopped.stderr and "going on from" in stopped.stderr,
           f"{model}, np {ranks}: stopped by the time limit, after a kill")
    expect(not list(broken.glob("*.cf.h5")) and not (broken / "summary.json").exists(), "a stop leaves no half-trained vectors")
    done(embed(model, broken), ranks)
    expect(figures(broken) == figures(straight), f"{model}, np {ranks}: killed and stopped, the same vectors and figures")
    expect(sorted(places(broken)) == sorted(places(straight)), "each measurement is there once")
    again = done(embed(model, broken), ranks)
    expect("going on from" in again.stderr and figures(broken) == figures(straight) and sorted(places(broken)) == sorted(places(straight)),
           "a finished training is not trained on")
    logs = [broken / f"logs/rank-{rank:04}.log" for rank in range(ranks)]
    expect(all(log.is_file() for log in logs) and logs[0].stat().st_size > 0, "each rank has its log, the root's is not empty")
    return broken


work = Path(tempfile.mkdtemp(prefix="genrec-embed-"))
try:
    for model in MODELS:
        for ranks in (1, 2):
            finished = check_going_on(model, ranks)
        verified = done(["inspect", finished / "checkpoints/collaborative.h5", "--verify"]).stdout
        expect("agree with their checksums" in verified, f"{model}: a checkpoint with checksums")

    # another number of ranks goes on
    moved = work / "moved"
    limit = ["--run.max-minutes", "0.005"]
    first = p.run(PROGRAM, embed("lightgcn", moved, *limit), 2)
    expect(first.returncode == 75, "lightgcn stopped at 2 ranks")
    done(embed("lightgcn", moved), 1)
    there, here = p.summary(moved), p.summary(work / "lightgcn-1-straight")
    expect(there["ranks"] == 1 and abs(there["loss"] - here["loss"]) < 1e-3 * here["loss"], "and went on at 1 rank")

    # folders of other commands and models
    done(["tokenize", "--tokenizer.method", "tiger", "--tokenizer.epochs", "1", "--tokenizer.codes", "8", "--tokenizer.hidden", "16",
          "--run.dir", work / "tokenizer", *QUIET])
    refused = p.run(PROGRAM, embed("lsa", work / "tokenizer"))
    expect(refused.returncode == 2 and "run.dir" in refused.stderr, "the folder of a tokenizer is left alone")
    config = (moved / "config.ini").read_bytes()
    refused = p.run(PROGRAM, embed("lsa", moved))
    expect(refused.returncode == 2 and "embed.model = lsa" in refused.stderr and (moved / "config.ini").read_bytes() == config,
           "a refused call changes nothing")

    # where it computes
    told = done(embed("lightgcn", work / "device", "--run.device", "cuda", "--run.precision", "bf16", "--lightgcn.epochs", "1"))
    summary = p.summary(work / "device")
    expect("run.device = cuda is not used" in told.stderr and (summary["device"], summary["precision"]) == ("cpu", "f32"),
           "lightgcn computes on the CPU in f32, and says so")
    expect(summary["exclude_history"] is True and "test_knowing_validation" in summary, "lightgcn: how it is evaluated")

    # a T5's encoder reads texts whatever model.vocabulary says
    small = ["--data.max-users", "200", "--decode.beams", "10", "--eval.users", "20"]
    done(["train", "--model.preset", "tiny", "--train.epochs", "1", "--run.dir", work / "train", *small, *QUIET])
    done(["convert", "--from", work / "train/checkpoints/last", "--to", work / "weights"])
    done(embed("t5", work / "t5", "--model.weights", f"{work}/weights/", "--model.vocabulary", "codes", *small), 2)
    vectors = p.summary(work / "t5")["vectors"]
    expect(vectors["rows"] == 400 and vectors["source"].endswith(": weights"), "t5: vectors of texts, named after the folder")
    print(f"{passed} passed, 0 failed")
finally:
    shutil.rmtree(work, ignore_errors=True)
