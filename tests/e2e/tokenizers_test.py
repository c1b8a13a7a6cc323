#!/usr/bin/env python3
"""Every tokenizer from the command line: tokenize, embed, train and siit on small runs.

Usage: tokenizers_test.py PROGRAM
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
FEW = ["--data.max-users", "300", "--eval.users", "60", "--decode.beams", "10", *QUIET]
RQVAE = ["--tokenizer.levels", "3", "--tokenizer.codes", "16", "--tokenizer.batch", "128", "--tokenizer.hidden", "64"]
SIIT = ["siit", "--model.preset", "tiny", "--siit.warmup-epochs", "1", "--siit.align-epochs", "1", "--siit.finetune-epochs", "1",
        "--siit.iterations", "1", "--siit.candidates", "4", "--text.max-pieces", "8", *FEW]
CHECKS = p.Checks(PROGRAM)
done, refused, expect = CHECKS.done, CHECKS.refused, CHECKS.expect


def table(run, name="iteration-0"):
    return json.loads((run / f"identifiers/{name}.index.json").read_text())


def inspected(path):
    return done(["inspect", path, "--verify"]).stdout


def measured(run, split):
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if line["split"] == split]


work = Path(tempfile.mkdtemp(prefix="genrec-tokenizers-"))
try:
    # controls
    summaries = {}
    for method in ("iid", "sid", "tid", "random"):
        for ranks in (1, 2):
            done(["tokenize", "--tokenizer.method", method, "--run.dir", work / f"{method}-{ranks}", *QUIET], ranks)
        one, two = (p.summary(work / f"{method}-{ranks}") for ranks in (1, 2))
        summaries[method] = one
        expect(one["identifiers_sha256"] == two["identifiers_sha256"] and one["method"] == method,
               f"{method}: the same at 1 and 2 ranks")
    expect(all(summaries[method]["collision_rate"] == 0 for method in ("iid", "sid", "random")), "controls without collisions")
    expect(summaries["tid"]["collision_rate"] > 0, "tid: titles that repeat are counted")
    done(["tokenize", "--tokenizer.method", "tid", "--tokenizer.collision", "digit", "--run.dir", work / "tid-digit", *QUIET])
    expect(p.summary(work / "tid-digit")["collision_rate"] == 0, "tid: collision avoidance where it is asked for")
    iid = ["tokenize", "--tokenizer.method", "iid", *QUIET]
    expect(refused([*iid, "--run.dir", work / "iid-1", "--run.resume", "never"], 2, "run.resume"), "controls: never makes identifiers where there are some")
    expect(refused([*iid, "--run.dir", work / "nowhere", "--run.resume", "must"], 66, "run.resume"), "controls: must finds them")
    done([*iid, "--text.spiece", work / "nowhere.model", "--run.dir", work / "no-text"])
    expect(refused(["tokenize", "--tokenizer.method", "tid", "--text.spiece", work / "nowhere.model", *QUIET], 66, "text.spiece"),
           "controls: a SentencePiece model is asked for where identifiers are text")
    facts = summaries["iid"]
    expect(all(facts[name] for name in ("users", "interactions", "device", "git", "peak_memory_bytes")) and facts["precision"] == "f32"
           and facts["seconds"]["tokenize"] > 0, "tokenize: the facts of every summary")
    expect((work / "iid-2/logs/rank-0001.log").is_file(), "tokenize: a log of every rank")
    spiece = work / "tid-1/spiece.model"
    expect(spiece.is_file() and all(symbol.startswith("<piece_") for symbol in table(work / "tid-1")["0"]), "tid: text pieces and their model")

    # collaborative vectors
    vectors = work / "x.cf.h5"
    embed = ["embed", "--embed.output", vectors, "--sasrec.epochs", "3", "--run.dir", work / "embed", *QUIET]
    text = done(embed, 2).stdout
    summary = p.summary(work / "embed")
    expect("recall@10" in text and "popularity" in text and summary["vectors"]["width"] == 32 and summary["vectors"]["rows"] == summary["items"],
           "embed: a table of figures, a vector an item")
    expect(0 < summary["test"]["recall@10"] < 1 and summary["best_epoch"] >= 1, "embed: evaluated as a recommender")
    expect("/embeddings [400, 32]" in inspected(vectors), "embed: an HDF5 file with checksums")
    narrow = work / "narrow.cf.h5"
    done(["embed", "--embed.model", "lightgcn", "--lightgcn.epochs", "5", "--embed.width", "16", "--embed.output", narrow, "--run.dir", work / "gcn", *QUIET])
    expect(p.summary(work / "gcn")["vectors"]["width"] == 16, "embed: LightGCN")

    # tiger and letter
    letter = ["tokenize", "--tokenizer.method", "letter", *RQVAE, *QUIET]
    expect(refused([*letter, "--run.dir", work / "none"], 66, "letter.alpha", "genrec_dist embed", "letter.cf"),
           "letter: without collaborative vectors the command that makes them is named")
    expect(refused([*letter, "--letter.cf", narrow, "--run.dir", work / "none"], 65, "letter.cf", "width 16", "tokenizer.dim = 32"),
           "letter: vectors of another width than the codes'")
    letter += ["--letter.cf", vectors, "--tokenizer.epochs", "20", "--tokenizer.eval-every", "5", "--run.dir", work / "letter"]
    expect(refused([*letter, "--run.resume", "must"], 66, "run.resume", "tokenizer.h5"), "letter: must finds a state")
    first = done(letter)
    expect("by LSA" in first.stderr, "letter: says that LSA makes the embeddings")
    training = p.summary(work / "letter")["training"]
    expect(len(training["levels"]) == 3 and training["epochs"] == 20 and all(0 < level["entropy_bits"] <= 4 for level in training["levels"])
           and training["embeddings"]["source"] == "lsa", "letter: usage and entropy of every level in the summary")
    expect(training["embeddings"]["template"] == "title+description" and training["embeddings"]["rows"] == 400
           and training["collaborative"]["source"].startswith("SASRec") and training["epochs_per_s"] > 0, "letter: what it was made from, and how fast")
    expect({"perplexity_1", "epochs_per_s", "residual_norm_3"} <= {line["name"] for line in measured(work / "letter", "tokenizer")},
           "letter: measurements of every level in metrics.jsonl")
    text = inspected(work / "letter/checkpoints/tokenizer.h5")
    expect(all(f"/tokenizer/codebooks/{level} [16, 32]" in text for level in range(3)) and "distinct identifiers" in text,
           "letter: codebooks and identifiers in the run folder")
    sha = p.summary(work / "letter")["identifiers_sha256"]
    for method in ("tiger", "letter"):
        more, folders = ["--letter.cf", vectors] if method == "letter" else [], [work / f"{method}-np{ranks}" for ranks in (1, 2)]
        for ranks, folder in enumerate(folders, 1):
            done(["tokenize", "--tokenizer.method", method, *more, *RQVAE, "--tokenizer.epochs", "20", "--run.dir", folder, *QUIET], ranks)
        alone, shared = (json.loads((folder / "identifiers/iteration-0.index.json").read_text()) for folder in folders)
        same = sum(alone[item] == shared[item] for item in alone) / len(alone)
        expect(same > 0.95, f"{method}: on 2 ranks the identifiers of 1 but for ties ({same:.3f})")
    again = done(letter)
    expect("LSA made before" in again.stderr, "letter: goes on with the vectors that LSA made at first")
    expect("going on from" in again.stderr and p.summary(work / "letter")["identifiers_sha256"] == sha, "letter: a trained tokenizer is not trained again")
    files = [work / "letter" / name for name in ("config.ini", "summary.json", "metrics.jsonl", "checkpoints/tokenizer.h5")]
    before = [file.read_bytes() for file in files]
    expect(refused([*letter, "--tokenizer.lr", "0.5", "--tokenizer.collision", "none"], 2, "tokenizer.lr", "another run.dir"),
           "letter: goes on with the options it was begun with only")
    expect(refused([*letter, "--tokenizer.text", "title"], 2, "tokenizer.text"), "letter: and of the same texts")
    expect(refused([*letter, "--letter.cf", narrow, "--tokenizer.dim", "16"], 2, "tokenizer.dim"), "letter: and of the same width")
    expect(refused(["tokenize", "--tokenizer.method", "cid", "--run.dir", work / "letter", *QUIET], 2, "tokenizer.h5"), "letter: another method needs another folder")
    expect(refused(["embed", "--embed.model", "lsa", "--run.dir", work / "letter", *QUIET], 2, "tokenizer.h5"), "letter: and so does another command")
    encoders = {}
    for name, dropout in (("one", "0.2"), ("two", "0.4")):
        encoders[name] = work / f"{name}.h5"
        done(["embed", "--sasrec.epochs", "1", "--sasrec.dropout", dropout, "--embed.output", encoders[name], "--run.dir", work / name, *QUIET])
    expect(refused([*letter, "--letter.cf", encoders["two"]], 65, "collaborative vectors"), "letter: and on the same collaborative vectors")
    expect(before == [file.read_bytes() for file in files], "letter: a refused call leaves the folder as it was")
    shutil.copy(vectors, work / "moved.h5")
    again = done([*letter, "--letter.cf", work / "moved.h5", "--run.resume", "must"])
    expect(p.summary(work / "letter")["identifiers_sha256"] == sha and p.summary(work / "letter")["precision"] == "f32",
           "letter: goes on with moved vectors")
    expect(refused([*letter, "--run.precision", "bf16"], 2, "run.precision = bf16"), "letter: and in the precision it was begun with")
    narrow_run = ["tokenize", "--tokenizer.method", "tiger", "--tokenizer.epochs", "20", "--run.precision", "bf16", *QUIET]
    told = done([*narrow_run, "--run.dir", work / "bf16"])
    done([*narrow_run, "--run.dir", work / "bf16-again"])
    facts, other = p.summary(work / "bf16"), p.summary(work / "bf16-again")
    expect(facts["precision"] == "bf16" or "bf16" in told.stderr, "tiger: in bf16, or a warning where there are no such products")
    expect(facts["identifiers_sha256"] == other["identifiers_sha256"] and facts["collision_rate"] < 0.05, "tiger: in bf16 again the same identifiers")
    done([*letter, "--tokenizer.epochs", "25"])
    expect(p.summary(work / "letter")["training"]["epochs"] == 25, "letter: more epochs")

    # new items
    new = ["tokenize", "--run.dir", work / "encoded", "--tokenizer.new-items"]
    told = done(["tokenize", "--tokenizer.method", "tiger", "--tokenizer.embeddings", encoders["one"], "--tokenizer.epochs", "5", "--letter.alpha", "0.5",
                 "--run.dir", work / "encoded", *RQVAE, *QUIET])
    expect("section letter" in told.stderr, "tiger: options of letter are not passed over in silence")
    before = table(work / "encoded")
    done([*new, encoders["one"]], 2)
    after = table(work / "encoded", "with-new-items")
    expect(len(after) == 2 * len(before) and all(after[item] == before[item] for item in before) and table(work / "encoded") == before,
           "new items: behind the old ones, which stay as they are")
    (work / "encoded/config.ini").write_text("[tokenizer]\nmethod = cid\n")
    done([*new, encoders["one"]])
    expect(table(work / "encoded", "with-new-items") == after, "new items: again the same, whatever config.ini has become")
    expect(refused([*new, encoders["two"]], 2, "with-new-items", "earlier ones first"), "new items: identifiers that were given are not lost")
    expect(refused([*new, encoders["one"], "--tokenizer.collision", "none"], 2, "tokenizer.collision", "leave it out"), "new items: of the tokenizer as it is")
    expect(refused([*new, narrow], 65, "LightGCN", "SASRec"), "new items: of the same encoder")
    expect(refused(["tokenize", "--run.dir", work / "letter", "--tokenizer.new-items", encoders["one"]], 65, "LSA"), "new items: have no place in LSA's space")
    expect(refused(["tokenize", "--run.dir", work / "iid-1", "--tokenizer.new-items", encoders["one"]], 66, "tokenizer.h5"),
           "new items: need a trained tokenizer")

    run = work / "siit-encoded"
    done([*SIIT, "--siit.warmup-epochs", "0", "--siit.finetune-epochs", "3", "--tokenizer.method", "tiger", "--tokenizer.embeddings", encoders["one"],
          "--tokenizer.epochs", "5", *RQVAE, "--run.dir", run])
    used = table(run, "iteration-1")
    if p.summary(run)["selected_iteration"] != 1 or used == table(run):
        raise SystemExit("siit kept the tokenizer's identifiers: the next check would test nothing")
    done(["tokenize", "--run.dir", run, "--tokenizer.new-items", encoders["one"]])
    after = table(run, "with-new-items")
    expect(len(after) == 2 * len(used) and all(after[item] == used[item] for item in used), "new items: behind what siit has made of the identifiers")

    # a killed training goes on
    tiger = ["tokenize", "--tokenizer.method", "tiger", "--tokenizer.epochs", "600", "--tokenizer.eval-every", "100",
             "--run.checkpoint-minutes", "0.01", *RQVAE, *QUIET]
    done([*tiger, "--run.dir", work / "straight"])
    state = work / "killed/checkpoints/tokenizer.h5"
    if not p.kill_when(PROGRAM, [*tiger, "--run.dir", work / "killed"], 1, state.is_file):
        raise SystemExit("the tokenizer's training was not killed: the test tested nothing")
    stopped = p.run(PROGRAM, [*tiger, "--run.dir", work / "stopped", "--run.max-minutes", "0.005"])
    done([*tiger, "--run.dir", work / "stopped"])
    expect(stopped.returncode == 75 and p.summary(work / "stopped")["identifiers_sha256"] == p.summary(work / "straight")["identifiers_sha256"],
           "tiger: stopped by the clock, and gone on with")
    shutil.copytree(work / "killed", work / "killed-2")
    again = done([*tiger, "--run.dir", work / "killed"])
    expect("epochs are done" in again.stderr and p.summary(work / "killed")["identifiers_sha256"] == p.summary(work / "straight")["identifiers_sha256"],
           "tiger: killed and started again, the same identifiers")
    # other ranks round otherwise: the identifiers are not compared
    again = done([*tiger, "--run.dir", work / "killed-2"], 2)
    expect("epochs are done" in again.stderr and p.summary(work / "killed-2")["training"]["epochs"] == p.summary(work / "straight")["training"]["epochs"],
           "tiger: killed at 1 rank, goes on at 2")

    # recommenders on them
    run = work / "train"
    train = ["train", "--model.preset", "tiny", "--model.vocabulary", "codes", "--text.templates", "none", "--data.history", "20", "--train.epochs", "2",
             "--train.tau", "0.7", "--train.patience", "1", "--tokenizer.method", "tiger", "--tokenizer.epochs", "5", *RQVAE, *FEW, "--run.dir", run]
    done(train, 2)
    expect("/tokenizer/codebooks/2 [16, 32]" in inspected(run / "checkpoints/last"), "train: codebooks in its checkpoints")
    expect("finished before" in done(train).stdout, "train: a finished run is left alone")
    training = p.summary(run)["tokenizer"]
    expect(training["epochs"] == 5 and len(training["levels"]) == 3 and training["embeddings"]["source"] == "lsa", "train: says what its tokenizer is like")
    expect({"perplexity_1", "collision_rate"} <= {line["name"] for line in measured(run, "tokenizer")}, "train: measures its tokenizer")
    (run / "summary.json").write_text('{"command": "tokenize"}')
    expect("finished before" not in done(train).stdout and p.summary(run)["command"] == "train", "train: another command's summary is not its own")

    # identifiers from a file, items without texts
    data = work / "data"
    data.mkdir()
    (data / "X.inter.json").write_text(json.dumps({str(u): [(u * 7 + k * 3) % 30 for k in range(6)] for u in range(40)}))
    index = {str(i): [f"<a_{i // 6}>", f"<b_{i % 6}>"] for i in range(30)}
    others = {str(i): index[str(29 - i)] for i in range(30)}
    for name, identifiers in (("X", index), ("moved", index), ("other", others)):
        (data / f"{name}.index.json").write_text(json.dumps(identifiers))
    run = work / "textless"
    train = ["train", "--data.dir", data, "--model.preset", "tiny", "--model.vocabulary", "codes", "--text.templates", "none", "--train.epochs", "1",
             "--decode.beams", "10", "--run.dir", run, *QUIET]
    done(train)
    expect(p.summary(run)["iterations"][0]["semantic_identifier_similarity"] is None, "train: without texts nothing is similar")
    expect("finished before" in done([*train, "--tokenizer.index", data / "moved.index.json"]).stdout, "train: goes on with moved identifiers")
    expect(refused([*train, "--tokenizer.index", data / "other.index.json"], 2, "tokenizer.index"), "train: does not go on with others")
    done(["embed", "--data.dir", data, "--sasrec.epochs", "1", "--run.dir", work / "embed-x", *QUIET])
    expect("identifiers" not in json.loads((work / "embed-x/environment.json").read_text())["inputs"], "embed: does not list what it has not read")
    trained = [*RQVAE, "--tokenizer.epochs", "5"]
    options = {"tiger": trained, "letter": [*trained, "--letter.cf", vectors]}
    for method in ("cid", "sid", "tid", "iid", "random", "tiger", "letter"):
        run = work / f"siit-{method}"
        done([*SIIT, "--tokenizer.method", method, *options.get(method, []), "--run.dir", run], 2 if method in ("tid", "letter") else 1)
        summary = p.summary(run)
        expect(summary["iterations"][1]["collision_rate_final"] == 0, f"siit on {method}")
        test = json.loads(done(["evaluate", run]).stdout)["test"]
        expect(test == summary["test"], f"siit on {method}: its checkpoint gives the same figures")
    symbols = {symbol for identifier in table(work / "siit-tid", "iteration-1").values() for symbol in identifier}
    expect(all(symbol.startswith(("<piece_", "<x_")) for symbol in symbols), "siit on tid: new identifiers are titles, too")
    index = work / "tid-1/identifiers/iteration-0.index.json"
    told = done(["train", "--model.preset", "tiny", "--train.epochs", "1", "--tokenizer.index", index, "--text.spiece", spiece, *FEW, "--run.dir", work / "by-index"])
    expect("text pieces by number" in told.stderr, "identifiers in text from a file, with the model they were made with")
    print(f"{CHECKS.passed} passed, 0 failed")
finally:
    shutil.rmtree(work, ignore_errors=True)
