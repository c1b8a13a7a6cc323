#!/usr/bin/env python3
"""Every file of configs/ is opened by a dry run of its command: on the synthetic dataset, and one of each kind on the real
one that it names, where that is there.

Usage: configs_test.py PROGRAM
"""
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import program as p

PROGRAM = Path(sys.argv[1]).resolve()
PROJECT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("GENREC_SHARED", PROJECT.parent / "shared"))
CONFIGS = sorted((PROJECT / "configs").glob("*.ini"))


def command_of(config):
    """The command that the file's first lines name; siit, the program's default, where they name none."""
    named = re.search(rf"genrec_dist (\w+) --config configs/{config.name}", config.read_text())
    return named.group(1) if named else "siit"


def value(config, key):
    found = re.search(rf"^{key} = (.*)$", config.read_text(), re.M)
    return found.group(1) if found else None


def check_tokenizer(config):
    """Rows of TIGER and LETTER have the network and the measurements of LETTER's released code."""
    if value(config, "method") not in ("tiger", "letter"):
        return
    for key, expected in (("hidden", "2048,1024,512,256,128,64"), ("epochs", "20000"), ("eval-every", "2000"),
                          ("restart-every", "0"), ("keep-best", "true")):
        if value(config, key) != expected:
            raise SystemExit(f"FAILED: {config.name}: {key} = {value(config, key)}, expected {expected}")


def dry_run(config, *more):
    arguments = [command_of(config), "--config", config, "--run.dry-run", "--run.dir", WORK / "dry", *more]
    result = p.run(PROGRAM, arguments)
    p.expect_done(result, " ".join(map(str, arguments)))
    if "dataset" not in result.stdout or (WORK / "dry").exists():
        raise SystemExit(f"FAILED: {config.name}: a dry run says sizes and writes nothing\n{result.stdout}")
    print("ok  ", config.name, *more[:2], flush=True)
    return result.stdout


WORK = Path(tempfile.mkdtemp(prefix="genrec-configs-"))
try:
    if len(CONFIGS) < 40:
        raise SystemExit(f"only {len(CONFIGS)} files in configs/: the published rows are missing")
    vectors = WORK / "Synthetic.cf.h5"
    p.expect_done(p.run(PROGRAM, ["embed", "--sasrec.epochs", "1", "--run.dir", WORK / "embed", "--embed.output", vectors,
                                  "--run.progress", "none"]), "embed")
    for config in CONFIGS:
        check_tokenizer(config)
        more = ["--text.spiece="]  # the one it names may not be here
        if value(config, "method") == "letter":
            more += ["--letter.cf", vectors]
        if value(config, "method") == "index":  # the synthetic dataset has no identifiers of its own
            more += ["--tokenizer.method", "cid"]
        dry_run(config, *more)

    for dataset, users in (("beauty", 22363), ("instruments", 24772), ("yelp", 30431)):
        folder = SHARED / "data" / dataset
        if not folder.is_dir():
            print(f"SKIPPED on real data: {folder} is not here (set GENREC_SHARED to the shared data folder)", flush=True)
            continue
        more = {f"letter_{dataset}": ["--letter.alpha", "0"],  # no collaborative vectors lie there
                f"letter_siit_{dataset}": ["--tokenizer.method", "index", "--text.spiece="]}
        names = ["sasrec", "lightgcn", "tiger", "letter", "cid_flan", "letter_siit"]
        if dataset == "instruments":  # it has no texts
            names = ["sasrec", "lightgcn", "tiger", "letter"]
        for name in (f"{kind}_{dataset}" for kind in names):
            text = dry_run(PROJECT / f"configs/{name}.ini", "--data.dir", folder, *more.get(name, []))
            if f"{users} users" not in text:
                raise SystemExit(f"FAILED: {name}.ini: not {dataset}\n{text}")
        dry_run(PROJECT / f"configs/letter_{dataset}.ini", "--data.dir", folder, "--tokenizer.method", "index")
    print(f"{len(CONFIGS)} configurations opened, 0 failed")
finally:
    shutil.rmtree(WORK, ignore_errors=True)
