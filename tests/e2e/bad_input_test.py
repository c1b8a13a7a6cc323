#!/usr/bin/env python3
"""Bad input: each case must end on all ranks with the contract's exit code and one line that names the place.

Usage: bad_input_test.py PROGRAM [CASE ...]      (Python's standard library only)
"""
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import program
from hdf5_vectors import write_vectors

PROGRAM = Path(sys.argv[1]).resolve()
TINY = ["--model.preset", "tiny", "--siit.warmup-epochs", "1", "--siit.align-epochs", "1", "--siit.finetune-epochs", "1",
        "--siit.iterations", "1", "--decode.beams", "10", "--siit.candidates", "4", "--run.progress", "none"]
ITEMS, USERS = 30, 40


class Dataset:
    """A small good dataset in LETTER's format, to be spoiled by a case."""

    def __init__(self, folder):
        self.folder = folder
        self.inter = {str(u): [(u * 7 + k * 3) % ITEMS for k in range(6)] for u in range(USERS)}
        self.item = {str(i): {"title": f"Good thing number {i}", "description": "plain"} for i in range(ITEMS)}
        self.index = {str(i): [f"<a_{i // 6}>", f"<b_{i % 6}>"] for i in range(ITEMS)}

    def write(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        for kind in ("inter", "item", "index"):
            value = getattr(self, kind)
            path = self.folder / f"X.{kind}.json"
            if value is None:
                path.unlink(missing_ok=True)
            elif isinstance(value, str):
                path.write_text(value)
            else:
                path.write_text(json.dumps(value, indent=0))


def dataset_case(spoil):
    def prepare(folder):
        data = Dataset(folder / "data")
        spoil(data)
        data.write()
        return ["siit", "--data.dir", str(folder / "data"), "--run.dir", str(folder / "run"), *TINY]
    return prepare


def arguments_case(*arguments):
    def prepare(folder):
        Dataset(folder / "data").write()
        return [a.format(data=folder / "data", run=folder / "run", folder=folder) for a in arguments]
    return prepare


RQVAE = ["--tokenizer.levels", "2", "--tokenizer.codes", "8", "--tokenizer.dim", "4", "--tokenizer.hidden", "16",
         "--tokenizer.epochs", "3", "--run.progress", "none"]


def good_rows(count=ITEMS, width=6):
    """Vectors that all differ."""
    return [[(i * 7 + j * 3) % 11 + i / 10 for j in range(width)] for i in range(count)]


def vectors_case(spoil, *more, cf=False):
    """tokenize on text embeddings, or with cf by LETTER on collaborative vectors, that `spoil` made of good ones."""
    def prepare(folder):
        Dataset(folder / "data").write()
        good, spoilt = folder / "good.h5", folder / "spoilt.h5"
        write_vectors(good, good_rows())
        write_vectors(spoilt, spoil(good_rows(width=4 if cf else 6)))
        method = ["letter", "--letter.cf", str(spoilt)] if cf else ["tiger"]
        return ["tokenize", "--data.dir", str(folder / "data"), "--run.dir", str(folder / "run"), *RQVAE,
                "--tokenizer.embeddings", str(good if cf else spoilt), "--tokenizer.method", *method, *more]
    return prepare


def with_row(rows, number, row):
    rows[number] = row
    return rows


def new_items_case(rows):
    """Vectors of new items for a tokenizer of width 6."""
    def prepare(folder):
        arguments = vectors_case(lambda good: good)(folder)
        done = run(arguments, 1)
        assert done.returncode == 0, done.stderr
        write_vectors(folder / "new.h5", rows)
        return ["tokenize", "--run.dir", str(folder / "run"), "--tokenizer.new-items", str(folder / "new.h5")]
    return prepare


def tokenized_before(*more, command=()):
    """A call in the folder of a trained tokenizer, by default the same again; {folder} in `command` stands for its parent."""
    def prepare(folder):
        arguments = vectors_case(lambda good: good)(folder)
        done = run(arguments, 1)
        assert done.returncode == 0, done.stderr
        return [*([part.replace("{folder}", str(folder)) for part in command] or arguments), *more]
    return prepare


def embedded_before(*more):
    """A call of embed in the folder of an earlier one."""
    def prepare(folder):
        Dataset(folder / "data").write()
        arguments = ["embed", "--data.dir", str(folder / "data"), "--run.dir", str(folder / "run"), "--sasrec.epochs", "1",
                     "--run.progress", "none"]
        done = run(arguments, 1)
        assert done.returncode == 0, done.stderr
        return [*arguments, *more]
    return prepare


def set_row(data, user, row):
    data.inter[user] = row


def run(arguments, ranks):
    return program.run(PROGRAM, arguments, ranks, timeout=240)


def trained(folder):
    """A finished tiny run to spoil; its arguments."""
    Dataset(folder / "data").write()
    arguments = ["siit", "--data.dir", str(folder / "data"), "--run.dir", str(folder / "run"), *TINY]
    done = run(arguments, 1)
    assert done.returncode == 0, done.stderr
    return arguments


def flip_byte(path, offset=None):
    path = path.resolve()
    blob = bytearray(path.read_bytes())
    place = len(blob) * 2 // 3 if offset is None else offset
    blob[place] ^= 0x40
    path.write_bytes(blob)


def both_checkpoints_cut(folder):
    arguments = trained(folder)
    for name in ("last", "prev", "best"):
        path = (folder / "run/checkpoints" / name).resolve()
        if path.exists():
            path.write_bytes(path.read_bytes()[:2000])
    return [*arguments, "--run.resume", "must"]


def other_dataset(folder):
    arguments = trained(folder)
    data = Dataset(folder / "data")
    data.item["3"]["title"] = "Another thing altogether"
    data.inter["5"] = [1, 2, 3, 4, 5, 6, 7]
    data.write()
    return arguments


def unknown_in_file(folder):
    (folder / "own.ini").write_text("[train]\nlr = 0.1\nbacth = 3\n")
    return ["siit", "--config", str(folder / "own.ini")]


CASES = {
    # name: (prepare, exit code, words that the line must hold)
    "no such folder": (arguments_case("siit", "--data.dir", "{folder}/nowhere"), 66, ["nowhere"]),
    "no interactions": (dataset_case(lambda d: setattr(d, "inter", None)), 66, ["inter.json"]),
    "no such config": (arguments_case("siit", "--config", "{folder}/no.ini"), 66, ["no.ini"]),
    "unknown option": (arguments_case("siit", "--train.epoch", "1"), 2, ["train.epoch", "train.epochs"]),
    "unknown option in a file": (unknown_in_file, 2, ["own.ini:3", "train.bacth", "train.batch"]),
    "unknown command": (arguments_case("sit"), 2, ["sit", "siit"]),
    "wrong value": (arguments_case("siit", "--train.lr", "fast"), 2, ["train.lr", "fast"]),
    "out of range": (arguments_case("siit", "--train.dropout", "1.5"), 2, ["train.dropout"]),
    "wrong json": (dataset_case(lambda d: setattr(d, "inter", '{\n"0": [1, 2, 3],\n"1": [1, 2,, 3]\n}\n')), 65,
                   ["X.inter.json", "3"]),
    "not an object": (dataset_case(lambda d: setattr(d, "inter", "[1, 2]")), 65, ["X.inter.json"]),
    "unknown item": (dataset_case(lambda d: set_row(d, "7", [1, 2, 3, 4, 999])), 65, ["X.inter.json", "999"]),
    "negative item": (dataset_case(lambda d: set_row(d, "7", [1, 2, -3, 4, 5])), 65, ["X.inter.json", "-3"]),
    "item that is text": (dataset_case(lambda d: set_row(d, "7", [1, "two", 3, 4, 5])), 65, ["X.inter.json"]),
    "gap in item ids": (dataset_case(lambda d: d.item.pop("11")), 65, ["X.item.json", "11"]),
    "gap in user ids": (dataset_case(lambda d: d.inter.pop("11")), 65, ["X.inter.json", "11"]),
    "item without identifier": (dataset_case(lambda d: d.index.pop("4")), 65, ["X.index.json", "4"]),
    "empty identifier": (dataset_case(lambda d: d.index.update({"4": []})), 65, ["X.index.json", "4"]),
    "identifier that is no text": (dataset_case(lambda d: d.index.update({"4": [1, 2]})), 65, ["X.index.json", "4"]),
    "empty interactions": (dataset_case(lambda d: setattr(d, "inter", {})), 65, ["X.inter.json"]),
    "cut checkpoints": (both_checkpoints_cut, 74, ["checkpoint"]),
    "checkpoint of another dataset": (other_dataset, 65, ["dataset"]),
    "nan loss": (arguments_case("siit", "--data.dir", "{data}", "--run.dir", "{run}", *TINY, "--train.lr", "1e30",
                                "--train.clip", "0", "--siit.warmup-epochs", "50"), 65, ["train.lr"]),
    "must resume from nothing": (arguments_case("siit", "--data.dir", "{data}", "--run.dir", "{run}", "--run.resume", "must",
                                                *TINY), 66, ["run.resume"]),
    "word without option": (arguments_case("siit", "{data}/X.ini"), 2, ["X.ini", "--config"]),
    "no titles": (dataset_case(lambda d: [item.update(title="") for item in d.item.values()]), 65, ["X", "title"]),
    "no such weights": (arguments_case("siit", "--model.weights", "{folder}/nowhere"), 66, ["model.weights", "nowhere"]),
    "weights folder without weights": (arguments_case("train", "--data.dir", "{data}", "--model.weights", "{data}"), 66,
                                       ["model.weights", "model.safetensors"]),
    "weights without their text model": (arguments_case("train", "--data.dir", "{data}", "--model.weights", "{data}/X.item.json"), 2,
                                         ["model.weights", "text.spiece"]),
    "no such model config": (arguments_case("train", "--model.config", "{folder}/nowhere"), 66, ["model.config", "nowhere"]),
    "no such spiece": (arguments_case("siit", "--text.spiece", "{folder}/nowhere"), 66, ["text.spiece", "nowhere"]),
    "no such templates": (arguments_case("siit", "--text.templates", "{folder}/nowhere"), 66, ["text.templates", "nowhere"]),
    "no such index": (arguments_case("tokenize", "--tokenizer.index", "{folder}/nowhere"), 66, ["tokenizer.index", "nowhere"]),
    "no such embeddings": (arguments_case("tokenize", "--tokenizer.method", "tiger", "--tokenizer.embeddings", "{folder}/nowhere.h5"), 66,
                           ["tokenizer.embeddings", "nowhere.h5"]),
    "letter without vectors": (arguments_case("tokenize", "--tokenizer.method", "letter", "--data.dir", "{data}", "--run.dir", "{run}"), 66,
                               ["letter.alpha", "embed", "letter.cf"]),
    "identifiers in text without text": (arguments_case("train", "--tokenizer.method", "tid", "--model.vocabulary", "codes", "--text.templates",
                                                        "none"), 2, ["tid", "text+codes"]),
    "new items without a tokenizer": (arguments_case("tokenize", "--tokenizer.new-items", "{data}/X.item.json"), 2,
                                      ["tokenizer.new-items", "run.dir"]),
    "new items of train": (arguments_case("train", "--tokenizer.new-items", "{data}/X.item.json"), 2, ["tokenizer.new-items", "tokenize"]),
    "t5 without weights": (arguments_case("embed", "--embed.model", "t5"), 2, ["embed.model", "model.weights"]),
    "heads that do not fit": (arguments_case("embed", "--data.dir", "{data}", "--run.dir", "{run}", "--embed.width", "10", "--sasrec.heads", "3"), 2,
                              ["sasrec.heads", "embed.width"]),
    "embeddings with nan": (vectors_case(lambda rows: with_row(rows, 3, [float("nan")] * 6)), 65, ["spoilt.h5", "NaN", "row 3"]),
    "embeddings with infinity": (vectors_case(lambda rows: with_row(rows, 5, [float("inf")] + [1.0] * 5)), 65, ["spoilt.h5", "row 5"]),
    "embeddings of fewer items": (vectors_case(lambda rows: rows[:-3]), 65, ["spoilt.h5", "27 rows", "30 items"]),
    "embeddings with ids from 1": (vectors_case(lambda rows: [rows[0], *rows]), 65, ["spoilt.h5", "31 rows", "--drop-first-row"]),
    "collaborative vectors with nan": (vectors_case(lambda rows: with_row(rows, 3, [float("nan")] * 4), cf=True), 65,
                                       ["spoilt.h5", "NaN", "row 3"]),
    "collaborative vectors of fewer items": (vectors_case(lambda rows: rows[:-3], cf=True), 65, ["spoilt.h5", "27 rows", "30 items"]),
    "collaborative vectors of another width": (vectors_case(lambda rows: [row[:3] for row in rows], cf=True), 65,
                                               ["spoilt.h5", "width 3", "tokenizer.dim = 4"]),
    "codebooks of another width": (tokenized_before("--tokenizer.dim", "8"), 2, ["tokenizer.dim", "another run.dir"]),
    "codebooks of another width than SASRec's": (tokenized_before(command=(
        "embed", "--data.dir", "{folder}/data", "--run.dir", "{folder}/embed", "--sasrec.epochs", "1", "--embed.quantized",
        "{folder}/run/checkpoints/tokenizer.h5")), 65, ["tokenizer.h5", "4 wide", "embed.width"]),
    "new items with nan": (new_items_case(with_row(good_rows(4), 2, [float("nan")] * 6)), 65, ["NaN", "row 2"]),
    "new items of another width": (new_items_case(good_rows(4, 5)), 65, ["encoder", "shape"]),
    "embed must go on from nothing": (arguments_case("embed", "--data.dir", "{data}", "--run.dir", "{run}", "--run.resume", "must"), 66,
                                      ["run.resume", "collaborative.h5"]),
    "embed never twice": (embedded_before("--run.resume", "never"), 2, ["run.resume", "another run.dir"]),
    "embed goes on with another rate": (embedded_before("--sasrec.lr", "0.5"), 2, ["sasrec.lr = 0.5", "another run.dir"]),
    "embed with another model": (embedded_before("--embed.model", "lightgcn"), 2, ["embed.model = lightgcn", "another run.dir"]),
    "output in no folder": (arguments_case("recommend", "--run.dir", "{run}", "--recommend.output", "{folder}/nowhere/x.csv"), 2,
                            ["recommend.output", "nowhere"]),
    "output of no format": (arguments_case("recommend", "--run.dir", "{run}", "--recommend.output", "{folder}/x.txt"), 2,
                            ["recommend.output", "x.txt", "FILE.jsonl"]),
    "output in capital letters": (arguments_case("recommend", "--run.dir", "{run}", "--recommend.output", "{folder}/x.CSV"), 2,
                                  ["recommend.output", "x.CSV", "FILE.csv"]),
    "dry run of evaluate": (arguments_case("evaluate", "{folder}/last", "--run.dry-run"), 2, ["run.dry-run", "evaluate"]),
    "dry run of tokenize": (arguments_case("tokenize", "--data.dir", "{data}", "--run.dry-run"), 2, ["run.dry-run", "tokenize"]),
    "comparison of one file": (arguments_case("inspect", "--diff", "{folder}/x.h5"), 2, ["--diff A B"]),
    "no cut-off": (arguments_case("recommend", "{folder}/last", "--eval.k="), 2, ["eval.k"]),
    "no gpu": (arguments_case("siit", "--data.dir", "{data}", "--run.dir", "{run}", "--run.device", "cuda"), 2, ["cuda"]),
    "run folder is a file": (arguments_case("siit", "--data.dir", "{data}", "--run.dir", "{data}/X.item.json", *TINY), 74,
                             ["X.item.json"]),
}
REPAIRS = {
    # name: (prepare, words that the log must hold): the run goes on to the end
    "short history": (dataset_case(lambda d: set_row(d, "7", [1, 2])), ["1 users with 1 or 2 items take no part"]),
    "empty history": (dataset_case(lambda d: set_row(d, "7", [])), ["empty"]),
    "shared identifiers": (dataset_case(lambda d: d.index.update({"5": d.index["4"]})), ["share"]),
    "constant embeddings": (vectors_case(lambda rows: with_row(with_row(rows, 2, [0.0] * 6), 8, [1.5] * 6)),
                            ["2 of 30 rows are constant (1 of zeros), the first is row 2"]),
    "embeddings that repeat": (vectors_case(lambda rows: with_row(with_row(rows, 2, rows[1]), 9, rows[1])),
                               ["2 of 30 rows repeat another one (1 groups, 3 rows in the largest)", "no codebook separates"]),
    "constant collaborative vectors": (vectors_case(lambda rows: with_row(rows, 2, [0.0] * 4), cf=True), ["1 of 30 rows are constant"]),
    "fewer items than codes": (vectors_case(lambda rows: rows, "--tokenizer.codes", "64"), ["only 30 distinct items for codebooks of 64 codes"]),
    "vectors that nothing was trained for": (arguments_case("embed", "--data.dir", "{data}", "--run.dir", "{run}", "--sasrec.epochs", "0",
                                                            "--run.progress", "none"), ["sasrec.epochs = 0", "random"]),
}


def check(name, ranks):
    folder = Path(tempfile.mkdtemp(prefix="genrec-bad-"))
    try:
        if name in CASES:
            prepare, code, words = CASES[name]
            result = run(prepare(folder), ranks)
            lines = [line for line in result.stderr.splitlines() if "genrec_dist: " in line and "error: " in line]
            faults = []
            if result.returncode != code:
                faults.append(f"exit code {result.returncode}, expected {code}")
            if len(lines) != 1:
                faults.append(f"{len(lines)} error lines, expected 1")
            faults += [f"the line lacks {word!r}" for word in words if not any(word in line for line in lines)]
        else:
            prepare, words = REPAIRS[name]
            result = run(prepare(folder), ranks)
            faults = [] if result.returncode == 0 else [f"exit code {result.returncode}, expected 0"]
            faults += [f"nothing said {word!r}" for word in words if word not in result.stderr]
        if "Traceback" in result.stderr or "Segmentation" in result.stderr or "terminate called" in result.stderr:
            faults.append("crashed")
        print(("ok  " if not faults else "FAIL"), f"np {ranks}", name, "; ".join(faults), flush=True)
        if faults:
            print("    " + "\n    ".join(result.stderr.splitlines()[-12:]))
        return not faults
    except subprocess.TimeoutExpired:
        print("FAIL", f"np {ranks}", name, "hangs", flush=True)
        return False
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fallback_to_prev():
    """A bit-flipped `last` is refused aloud and `prev` goes on to the same end."""
    folder = Path(tempfile.mkdtemp(prefix="genrec-bad-"))
    try:
        arguments = trained(folder)
        flip_byte(folder / "run/checkpoints/last")
        result = run(arguments, 2)
        ok = result.returncode == 0 and "prev" in result.stderr
        print("ok  " if ok else "FAIL", "np 2 bit-flipped last falls back to prev", flush=True)
        if not ok:
            print("   ", result.returncode, "\n    ".join(result.stderr.splitlines()[-12:]))
        return ok
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def full_disk():
    """Writes that do not fit end with 74, leave nothing half-written, and the checkpoints before stay whole. None where
    that cannot be tried."""
    folder = Path(tempfile.mkdtemp(prefix="genrec-bad-"))
    disk = folder / "disk"
    disk.mkdir()
    size = "9m"  # room for a few of the run's checkpoints of 2.4 MB, not for all
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)], capture_output=True).returncode:
        print("SKIP np 1 full disk: cannot mount a small tmpfs here (not root?)", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        return None
    try:
        Dataset(folder / "data").write()
        results = []
        for ranks in (1, 2):
            shutil.rmtree(disk / "run", ignore_errors=True)
            arguments = ["siit", "--data.dir", str(folder / "data"), "--run.dir", str(disk / "run"), *TINY, "--run.keep", "100",
                         "--siit.iterations", "9"]
            result = run(arguments, ranks)
            verify = run(["inspect", str(disk / "run/checkpoints/last"), "--verify"], 1)
            partial = list((disk / "run/checkpoints").glob("*.partial*"))
            ok = result.returncode == 74 and "disk" in result.stderr and verify.returncode == 0 and not partial
            print("ok  " if ok else "FAIL", f"np {ranks} full disk", flush=True)
            if not ok:
                print("   ", result.returncode, partial, result.stderr[-800:], verify.stdout[-300:], verify.stderr[-300:])
            results.append(ok)
        return all(results)
    finally:
        subprocess.run(["umount", str(disk)], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def main():
    wanted = sys.argv[2:]
    if unknown := set(wanted) - {*CASES, *REPAIRS}:
        print(f"there is no case {sorted(unknown)}: see CASES and REPAIRS")
        return 2
    names = [n for n in [*CASES, *REPAIRS] if not wanted or n in wanted]
    results = [check(name, ranks) for name in names for ranks in (1, 2)]
    if not wanted:
        results += [fallback_to_prev(), full_disk()]
    print(f"{results.count(True)} passed, {results.count(False)} failed, {results.count(None)} skipped")
    return 1 if False in results else 0


if __name__ == "__main__":
    sys.exit(main())
