#!/usr/bin/env python3
"""Every command on a small run: what one writes, the others read, at 1 and 2 ranks alike.

Usage: commands_test.py PROGRAM
"""
import hashlib
import json
import re
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
# Few epochs of alignment and one candidate: most items share an identifier, most first symbols go out of use.
COLLAPSED = [*SIIT, *SMALL, "--siit.align-epochs", "1", "--siit.strategy", "greedy+ca", "--siit.stop-before", "test"]
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


def refused(arguments, code, *words):
    result = p.run(PROGRAM, arguments)
    return result.returncode == code and all(word in result.stderr for word in words)


def symbols_of(index_json):
    return {symbol for identifier in json.loads(index_json.read_text()).values() for symbol in identifier}


def write_dataset(folder):
    """LETTER's three files, with texts that the reader changes and that must still come back."""
    folder.mkdir()
    titles = ["Soap &amp; water", "Twice escaped &amp;lt;b&amp;gt;", "5 < 6", "Crème brûlée", ""]
    items = {str(i): {"title": f"{titles[i % 5]} {i}".strip(), "description": titles[(i + 1) % 5]} for i in range(30)}
    histories = {str(u): [(u * 7 + k * 3) % 30 for k in range(3 + u % 5)] for u in range(40)}
    index = {str(i): [f"<a_{i // 6}>", f"<b_{i % 6}>"] for i in range(30)}
    for kind, value in (("inter", histories), ("item", items), ("index", index)):
        (folder / f"X.{kind}.json").write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


def read_dataset(folder):
    """The three files with the texts as they mean to be read."""
    files = [json.loads((folder / f"X.{kind}.json").read_text(encoding="utf-8")) for kind in ("inter", "item", "index")]
    for item in files[1].values():
        for field in ("title", "description"):
            # &lt; stands for itself in what was escaped twice
            item[field] = re.sub("&amp;(?!lt;|gt;)", "&", item[field])
    return files


def split_weights(folder):
    """model.safetensors becomes two shards and their index."""
    whole = folder / "model.safetensors"
    blob = whole.read_bytes()
    data = 8 + int.from_bytes(blob[:8], "little")
    tensors = {name: tensor for name, tensor in json.loads(blob[8:data]).items() if name != "__metadata__"}
    weight_map = {}
    for part in (0, 1):
        header, content = {}, b""
        for name in sorted(tensors)[part::2]:
            begin, end = tensors[name]["data_offsets"]
            header[name] = {**tensors[name], "data_offsets": [len(content), len(content) + end - begin]}
            content += blob[data + begin:data + end]
            weight_map[name] = f"shard-{part}.safetensors"
        text = json.dumps(header).encode()
        (folder / f"shard-{part}.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + content)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    whole.unlink()


def inputs_of(run_folder):
    return json.loads((run_folder / "environment.json").read_text())["inputs"]


def verify_damaged(file, text):
    """What inspect says of a copy in which `text` is changed wherever it stands."""
    blob = file.read_bytes()
    if text not in blob:
        raise SystemExit(f"{file} lacks {text}: the next test would test nothing")
    damaged = work / "damaged.h5"
    damaged.write_bytes(blob.replace(text, text[:-1] + b"#"))
    return p.run(PROGRAM, ["inspect", damaged, "--verify"])


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
    expect(json.loads(done(["evaluate", run]))["test"] == summary["test"], "evaluate: a run folder stands for its best checkpoint")
    copied = work / "elsewhere.h5"
    shutil.copy(run / "checkpoints/last", copied)
    expect(json.loads(done(["evaluate", copied]))["test"] == summary["test"], "evaluate: a copied checkpoint brings its options along")
    expect(json.loads(done(["evaluate", copied, "--eval.users", "50"]))["users"] == 50, "evaluate: the command line wins over them")

    lists = [done(["recommend", run / "checkpoints/last", "--recommend.users", "3,1,17", "--eval.k", "5"], ranks) for ranks in (1, 2)]
    rows = [json.loads(line) for line in lists[0].splitlines()]
    expect([row["user"] for row in rows] == [1, 3, 17] and all(len(set(row["items"])) == 5 for row in rows), "recommend: 5 different items of each user")
    others = [json.loads(line) for line in lists[1].splitlines()]
    expect(all(a["items"] == b["items"] and all(abs(x - y) < 1e-5 for x, y in zip(a["scores"], b["scores"]))
               for a, b in zip(rows, others)), "recommend: the same at 1 and 2 ranks, scores but for rounding")
    for kind in ("csv", "jsonl", "h5"):
        done(["recommend", run / "checkpoints/last", "--recommend.output", work / f"all.{kind}", "--eval.k", "5"], 2)
    rows = [line.split(",") for line in (work / "all.csv").read_text().splitlines()[1:]]
    users = sorted({int(row[0]) for row in rows})
    expect([(int(row[0]), int(row[1])) for row in rows] == [(user, rank) for user in users for rank in range(1, 6)]
           and users == list(range(300)), "recommend: a CSV of all users, ascending")
    lines = [json.loads(line) for line in (work / "all.jsonl").read_text().splitlines()]
    expect([[line["user"], *line["items"]] for line in lines] ==
           [[user, *(int(row[2]) for row in rows[5 * user:5 * user + 5])] for user in users], "recommend: JSON lines hold the CSV's lists")
    text = done(["inspect", work / "all.h5", "--verify"])
    expect(all(f"/{name} [1500]" in text for name in ("user", "rank", "item", "score")), "recommend: HDF5 columns")

    text = done(["inspect", run / "checkpoints/last", "--verify"])
    expect("agree with their checksums" in text and summary["identifiers_sha256"] in text, "inspect: checksums and identifiers")
    fields = {line[:21].strip(): line[21:] for line in text.splitlines()}
    best = summary["iterations"][summary["selected_iteration"]]["valid"]["ndcg@10"]
    expect(fields["stage"] == "done" and fields["iteration"] == "1" and int(fields["step"]) > 0
           and float(fields["best score"].split()[0]) == best, "inspect: stage, iteration, step and best score of a checkpoint")
    result = verify_damaged(copied, b'"best_score"')
    expect(result.returncode == 74 and result.stdout.count("does not match its sha256") == 1 and "checkpoints/prev" in result.stderr
           and summary["identifiers_sha256"] in result.stdout, "inspect --verify: a damaged checkpoint, with what can be read of it")
    tables = [run / f"identifiers/iteration-{k}.index.json" for k in (0, 1)]
    text = done(["inspect", "--diff", *tables])
    expect("identifiers differ" in text and text == done(["inspect", "--diff", f"{tables[0]},{tables[1]}"]), "inspect --diff A B and A,B")
    text = done(["inspect", "--diff", run / "checkpoints/last", copied], 2)
    expect(" 0 datasets differ" in " " + text and "\n0 of" in text, "inspect --diff: two equal checkpoints, np 2")

    folder = work / "hf"
    done(["convert", "--from", run / "checkpoints/last", "--to", folder])
    done(["convert", "--from", folder, "--to", work / "back.h5", *SMALL])
    back = json.loads(done(["evaluate", work / "back.h5"]))
    expect(back["test"] == summary["test"], "convert: checkpoint → Hugging Face folder → checkpoint keeps the metrics")

    shards = work / "shards"
    shutil.copytree(folder, shards)
    split_weights(shards)
    done(["siit", *SMALL, "--siit.iterations", "0", "--siit.warmup-epochs", "0", "--model.weights", shards,
          "--tokenizer.index", shards / "identifiers.index.json", "--run.dir", work / "exported"], 2)
    expect(json.loads((work / "exported/summary.json").read_text())["test"] == summary["test"],
           "model.weights: a run begins with an exported folder's text model, weights (here in shards) and identifier rows")
    inputs = inputs_of(work / "exported")
    inputs = [inputs["identifiers"], inputs["weights"], *inputs["weights"]["shards"]]
    expect([Path(entry["file"]).name for entry in inputs] == ["identifiers.index.json", "model.safetensors.index.json",
                                                              "shard-0.safetensors", "shard-1.safetensors"]
           and all(entry["sha256"] == hashlib.sha256(Path(entry["file"]).read_bytes()).hexdigest() for entry in inputs),
           "environment.json: checksums of identifiers and of every shard")

    collapsed, folder, back = work / "collapsed", work / "collapsed-hf", work / "collapsed.h5"
    expect("siit.stop-before" in done([*COLLAPSED, "--run.dir", collapsed]), "siit.stop-before: stopped with a checkpoint")
    first, last = (symbols_of(collapsed / f"identifiers/iteration-{k}.index.json") for k in (0, 1))
    if not first - last or sum(symbol.startswith("<x_") for symbol in last) <= 10:
        raise SystemExit("the run did not collapse: the next test would test nothing")
    done(["convert", "--from", collapsed / "checkpoints/last", "--to", folder])
    done(["convert", "--from", folder, "--to", back, *SMALL])
    before, after = (json.loads(done(["evaluate", file])) for file in (collapsed / "checkpoints/last", back))
    expect(before["test"] == after["test"] and before["identifiers_sha256"] == after["identifiers_sha256"],
           "convert: there and back where symbols are unused and others came late")
    text = done(["inspect", "--diff", collapsed / "checkpoints/last", back])
    expect("/tokenizer/vocabulary" not in text and "/model/" not in text, "convert: every symbol keeps its row")
    added = folder / "added_tokens.json"
    rows = json.loads(added.read_text())
    expect(first | last == rows.keys() and sorted(rows.values()) == list(range(min(rows.values()), min(rows.values()) + len(rows))),
           "convert: added_tokens.json names all rows")
    added.write_text(json.dumps({**rows, "<x_0>": max(rows.values()) + 7}))
    expect(refused(["convert", "--from", folder, "--to", back, *SMALL], 65, "added_tokens.json", "expected"), "convert: rows with a gap are refused")
    added.unlink()
    expect(refused(["convert", "--from", folder, "--to", back, *SMALL], 65, "identifiers.index.json", "added_tokens.json"),
           "convert: weights of more symbols than the table has are refused")

    data, file, again = work / "data", work / "x.h5", work / "again"
    write_dataset(data)
    done(["convert", "--from", data, "--to", file])
    done(["convert", "--from", file, "--to", again])
    expect(read_dataset(again) == read_dataset(data), "convert: JSON → HDF5 → JSON")
    done(["convert", "--from", again, "--to", work / "y.h5", "--data.name", "X"])
    text = done(["inspect", "--diff", file, work / "y.h5"])
    expect("0 datasets differ of 7" in text, "convert: HDF5 → JSON → HDF5; inspect --diff of two datasets")
    result = verify_damaged(file, b"Twice escaped")
    expect(result.returncode == 74 and result.stdout.count("does not match its sha256") == 2 and "checkpoints/prev" not in result.stderr
           and "distinct identifiers" in result.stdout, "inspect --verify: every damaged part of a dataset")
    for source in (["--data.dir", data], ["--data.file", file]):
        done(["tokenize", *source, "--run.dir", work / f"indexed{source[0]}"])
    expect(p.summary(work / "indexed--data.dir")["identifiers_sha256"] == p.summary(work / "indexed--data.file")["identifiers_sha256"],
           "convert: identifiers go along")
    done(["tokenize", "--data.dir", data, "--tokenizer.method", "cid", "--cid.clusters", "3", "--run.dir", work / "clustered"])
    expect("identifiers" in inputs_of(work / "indexed--data.dir") and "identifiers" not in inputs_of(work / "clustered"),
           "environment.json: an index file only where it was used")

    hashes = set()
    for ranks in (1, 2, 4):
        done(["tokenize", "--run.dir", work / f"tokens-{ranks}", *SMALL[:2]], ranks)
        hashes.add(p.summary(work / f"tokens-{ranks}")["identifiers_sha256"])
    expect(len(hashes) == 1, "tokenize: the same CID table at 1, 2 and 4 ranks")
    environment = json.loads((work / "tokens-2/environment.json").read_text())
    expect(len(environment["ranks"]) == 2 and "MPI" in environment["versions"], "tokenize: environment.json")
    expect("vocabulary = text+codes" in (work / "tokens-1/config.ini").read_text(), "tokenize: config.ini has the options as given")
    config = (run / "config.ini").read_bytes()
    expect(refused(["tokenize", "--run.dir", run, *SMALL[:2]], 2, "holds a run", "--run.dir") and p.summary(run) == summary
           and (run / "config.ini").read_bytes() == config, "tokenize: the folder of a run is left alone")
    unlinked = work / "unlinked"
    shutil.copytree(run, unlinked, symlinks=True)
    for link in ("last", "prev", "best"):
        (unlinked / "checkpoints" / link).unlink(missing_ok=True)
    expect(refused(["tokenize", "--run.dir", unlinked, *SMALL[:2]], 2, "holds a run", "--run.dir"),
           "tokenize: so is a copy of one that has lost its links")

    train = work / "train"
    done(["train", "--model.preset", "tiny", "--train.epochs", "3", "--model.vocabulary", "codes", "--text.templates", "none",
          "--data.history", "20", *SMALL, "--run.dir", train], 2)
    expect(p.summary(train)["iterations"][0]["valid"]["recall@10"] > 0, "train: a codes-only recommender at 2 ranks")

    dry = [*SIIT, *SMALL, "--run.dry-run", "--run.dir", work / "dry"]
    text = done(dry)
    stages = ["warm-up", "alignment", "regeneration", "assignment", "fine-tuning", "evaluation"]
    expect(all(re.search(f"^{stage} .*\\d (s|min)\\b", text, re.M) for stage in stages) and "whole run about" in text
           and not (work / "dry").exists(), "dry run: estimates by stage, nothing on disk")
    text = done([*dry, "--estimate.ranks", "8,64", "--estimate.items", "1000000", "--estimate.tflops", "100"], 2)
    expect("GB/s" in text and len(re.findall(r"^(8|64) .*GiB$", text, re.M)) == 2,
           "dry run: the measured link of 2 ranks, a line for each asked number of ranks")
    text = done([*dry, *(f"--siit.{stage}-epochs=1000000" for stage in ("warmup", "align", "finetune")), "--train.max-steps", "1"])
    expect(re.search(r"whole run about ([\d.]+ s|\d+:\d\d min) on", text, re.M), "dry run: train.max-steps bounds the stages")
    of_preset, of_folder = (re.search("^model .*$", done(["train", *SMALL, "--run.dry-run", *model]), re.M).group()
                            for model in (["--model.preset", "tiny"], ["--model.weights", work / "hf"]))
    expect(of_preset == of_folder, "model.weights alone: the folder's config.json")

    versions = done(["version"])
    expect("LibTorch 2." in versions and "\0" not in versions and "\\u0000" not in (run / "environment.json").read_text(), "version: plain text")
    expect(all("cid.token-size" in done(["help", command]) for command in ("siit", "train", "tokenize")), "help: the options of CID")
    text = done(["help", "inspect"])
    expect("--verify" in text and "--diff A B" in text, "help inspect: its own options")
    text = done(["help", "convert"])
    expect("--from X --to Y" in text and "FILE.h5" in text and "data.shards" not in text, "help convert: what becomes what")
    expect("train.lr" in done(["help", "train"]), "help train: options")
    print(f"{passed} passed, 0 failed")
finally:
    shutil.rmtree(work, ignore_errors=True)
