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
DATASETS = ("beauty", "instruments", "yelp")
EXPECTED = {
    "quickstart", "beauty_siit", "flan_t5_small_siit",
    # LETTER's Table 1 and SIIT's Table 2
    *(f"{row}_{dataset}" for dataset in DATASETS
      for row in ("tiger", "letter", "cid", "tid", "sasrec", "lightgcn", "cid_flan", "sid_flan", "iid_flan", "tid_flan", "tiger_flan",
                  "letter_flan", "cid_siit", "tiger_siit", "letter_siit")),
    # LETTER's Table 2 and SIIT's Table 3: these go behind a file of the others
    *(f"letter_row{row}" for row in range(4)), *(f"siit_{strategy}" for strategy in ("greedy", "greedy_ca", "beam")),
}


def command_of(config):
    """The command that the file's first lines name; siit, the program's default, where they name none."""
    named = re.search(rf"genrec_dist (\w+) --config configs/{config.name}", config.read_text())
    return named.group(1) if named else "siit"


def bases_of(config):
    """The files that this one goes behind, by its first lines."""
    named = re.findall(rf"--config configs/(\w+\.ini) --config configs/{config.name}", config.read_text())
    return [config.parent / name for name in named]


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


def dry_run(config, *more, behind=None):
    files = ["--config", config] if behind is None else ["--config", behind, "--config", config]
    arguments = [command_of(behind or config), *files, "--run.dry-run", "--run.dir", WORK / "dry", *more]
    result = p.run(PROGRAM, arguments)
    p.expect_done(result, " ".join(map(str, arguments)))
    if "dataset" not in result.stdout or (WORK / "dry").exists():
        raise SystemExit(f"FAILED: {config.name}: a dry run says sizes and writes nothing\n{result.stdout}")
    print("ok  ", *(file.name for file in (behind, config) if file), *more[:2], flush=True)
    return result.stdout


WORK = Path(tempfile.mkdtemp(prefix="genrec-configs-"))
try:
    names = {config.stem for config in CONFIGS}
    if names != EXPECTED:
        raise SystemExit(f"FAILED: configs/ lacks {sorted(EXPECTED - names)}, and has {sorted(names - EXPECTED)}, which the test does not know")
    vectors = WORK / "Synthetic.cf.h5"
    p.expect_done(p.run(PROGRAM, ["embed", "--sasrec.epochs", "1", "--run.dir", WORK / "embed", "--embed.output", vectors,
                                  "--run.progress", "none"]), "embed")
    for config in CONFIGS:
        check_tokenizer(config)
        bases = bases_of(config)
        if config.stem.startswith(("letter_row", "siit_")) and not bases:
            raise SystemExit(f"FAILED: {config.name} does not say which files it goes behind")
        for base in bases or [None]:
            more = ["--text.spiece="]  # the one it names may not be here
            method = value(base or config, "method")
            if method == "letter":
                more += ["--letter.cf", vectors]
            if method == "index":  # the synthetic dataset has no identifiers of its own
                more += ["--tokenizer.method", "cid"]
            dry_run(config, *more, behind=base)

    for dataset, users in zip(DATASETS, (22363, 24772, 30431)):
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
