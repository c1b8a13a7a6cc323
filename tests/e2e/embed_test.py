#!/usr/bin/env python3
"""embed stopped, killed and started again ends bit for bit like a call that was let alone; what it refuses and says.

Usage: embed_test.py PROGRAM
"""
import json
import re
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
CHECKS = p.Checks(PROGRAM)
done, refused, expect = CHECKS.done, CHECKS.refused, CHECKS.expect


def embed(model, run, *more):
    return ["embed", "--embed.model", model, *MODELS.get(model, []), "--run.dir", run, *QUIET, *more]


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
    expect(refused(embed("lsa", work / "tokenizer"), 2, "run.dir"), "the folder of a tokenizer is left alone")
    config = (moved / "config.ini").read_bytes()
    expect(refused(embed("lsa", moved), 2, "embed.model = lsa") and (moved / "config.ini").read_bytes() == config,
           "a refused call changes nothing")
    summary, measured = ((moved / name).read_bytes() for name in ("summary.json", "metrics.jsonl"))
    for command in (["tokenize", "--tokenizer.method", "iid"], ["train", "--train.max-steps", "1"]):
        expect(refused([*command, "--run.dir", moved, *QUIET], 2, "collaborative.h5", "run.dir")
               and (summary, measured) == ((moved / "summary.json").read_bytes(), (moved / "metrics.jsonl").read_bytes()),
               f"{command[0]} leaves the folder of embed alone")
    expect("fingerprint" in done(["inspect", moved]).stdout, "inspect finds the model in a run folder")

    # codes of a tokenizer in place of the items (LETTER, Table 3)
    trained = work / "sasrec-1-straight"
    letter = ["tokenize", "--tokenizer.method", "letter", "--letter.cf", next(trained.glob("*.cf.h5")), "--tokenizer.epochs", "3",
              "--tokenizer.codes", "16", "--tokenizer.hidden", "64", *QUIET]
    codes = [work / name / "checkpoints/tokenizer.h5" for name in ("letter", "letter again")]
    for file in codes:
        done([*letter, "--run.dir", file.parents[1]])
    expect(re.search("^0 datasets differ", done(["inspect", "--diff", *codes]).stdout, re.M), "two equal tokenizers do not differ")
    test = p.summary(trained)["test"]
    told = done(embed("sasrec", trained, "--embed.quantized", codes[0]), 2)
    summary = p.summary(trained)
    expect(summary["test"] == test and summary["test_quantized"] != test and 0 < summary["test_quantized"]["recall@10"] <= 1
           and "another space" not in told.stderr, "sasrec is also tested with code vectors")
    expect(refused(embed("sasrec", work / "narrow", "--embed.width", "16", "--embed.quantized", codes[0]), 65, "32 wide", "embed.width is 16")
           and not (work / "narrow/checkpoints/collaborative.h5").exists(), "codes that do not fit are refused before the training")

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
    expect(vectors["template"] == "title+description", "t5: of all that is known of an item")
    done(embed("lsa", work / "titles", "--embed.text", "title", "--embed.width", "8"))
    expect(p.summary(work / "titles")["vectors"]["template"] == "title", "lsa: of the titles, where that is asked for")
    print(f"{CHECKS.passed} passed, 0 failed")
finally:
    shutil.rmtree(work, ignore_errors=True)
