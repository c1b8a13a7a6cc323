#!/usr/bin/env python3
"""The papers' figures of identifiers, as inspect prints and writes them: of run folders, tokenizers and released tables.

Usage: diagnostics_test.py PROGRAM
"""
import array
import json
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import program as p
from hdf5_vectors import write_vectors

PROGRAM = Path(sys.argv[1]).resolve()
PROJECT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("GENREC_SHARED", PROJECT.parent / "shared"))
QUIET = ["--run.progress", "none", "--run.threads", "1"]
CHECKS = p.Checks(PROGRAM)
done, expect = CHECKS.done, CHECKS.expect


def refused(arguments, code, *words):
    """Without any line of a log before."""
    result = p.run(PROGRAM, arguments)
    return result.returncode == code and result.stderr.count("\n") == 1 and all(word in result.stderr for word in words)


def figures(*arguments, ranks=1):
    """What inspect prints, and what it writes."""
    report = work / "figures.json"
    report.unlink(missing_ok=True)
    text = done(["inspect", *arguments, "--to", report, *QUIET], ranks).stdout
    return text, json.loads(report.read_text())


work = Path(tempfile.mkdtemp(prefix="genrec-diagnostics-"))
try:
    vectors, texts = work / "x.cf.h5", work / "x.embeddings.h5"
    done(["embed", "--embed.output", vectors, "--sasrec.epochs", "2", "--run.dir", work / "embed", *QUIET])
    done(["embed", "--embed.model", "lsa", "--embed.width", "16", "--embed.output", texts, "--run.dir", work / "lsa", *QUIET])
    run = work / "letter"
    done(["tokenize", "--tokenizer.method", "letter", "--letter.cf", vectors, "--tokenizer.levels", "3", "--tokenizer.codes", "16",
          "--tokenizer.batch", "128", "--tokenizer.hidden", "64", "--tokenizer.epochs", "20", "--tokenizer.eval-every", "10",
          "--run.dir", run, *QUIET])

    text, found = figures(run, "--letter.cf", vectors, "--tokenizer.embeddings", texts)
    summary = p.summary(run)
    first = found["first_level"]
    expect(found["identifiers_sha256"] == summary["identifiers_sha256"] and found["collision_rate"] == summary["collision_rate"],
           "a run folder: its tokenizer's identifiers")
    expect(len(first["sorted_items"]) == first["codes"] == 16 and sum(first["items_by_code"]) == found["items"]
           and first["sorted_items"] == sorted(first["items_by_code"], reverse=True), "first level: every code, most items first")
    overlap = found["code_overlap"]
    expect(overlap["items"] == found["items"] and 0 < overlap["inner_product"]["matches"] <= 3
           and abs(overlap["cosine"]["matches"] / 3 - overlap["cosine"]["share"]) < 1e-9, "code overlap with the nearest items")
    _, near = figures(run, "--letter.cf", texts)
    expect(near["code_overlap"]["cosine"]["matches"] > 1.5 * near["overlap_of_any_two"],
           "neighbours by what the identifiers were made from share more codes than any two items")
    expect(found["semantic_identifier_similarity"]["text_embeddings"] > 0 and found["semantic_identifier_similarity"]["tfidf"] is None,
           "similarity with the embeddings that were named, and with nothing else")
    points = found["codebook"]["points"]
    expect(len(points) == 16 and sum(point["items"] for point in points) == found["items"]
           and 0 < sum(found["codebook"]["variance_share"]) <= 1 + 1e-9, "the codebook in three dimensions")
    expect(all(word in text for word in ("perplexity", "first level", "codes in use", "code overlap", "by text embeddings", "codebook 1",
                                         "before re-assignment", "█")), "the same in the terminal")
    expect(found["cf"]["file"] == str(vectors) and "SASRec" in found["cf"]["source"] and found["embeddings"]["sha256"], "where vectors come from")
    expect(figures(run, "--letter.cf", vectors, "--tokenizer.embeddings", texts, ranks=2)[1] == found, "the same at two ranks")
    index = run / "identifiers/iteration-0.index.json"
    _, alone = figures(index, "--tokenizer.codes", "16")
    expect(alone["first_level"] == first and alone["positions"] == found["positions"] and alone["code_overlap"] is None
           and alone["codebook"] is None, "an index.json: what identifiers alone tell")

    expect(refused(["inspect", index, "--letter.cf", work / "no.h5"], 66, "no.h5"), "vectors that are not there")
    done(["embed", "--embed.model", "lsa", "--embed.width", "8", "--data.max-items", "40", "--embed.output", work / "few.h5",
          "--run.dir", work / "few", *QUIET])
    expect(refused(["inspect", index, "--tokenizer.embeddings", work / "few.h5"], 65, "few.h5", "40 rows"), "vectors of other items")
    expect(refused(["inspect", vectors, "--letter.cf", vectors], 65, "no identifiers"), "a file without identifiers")
    expect(refused(["inspect", work], 66, "no run folder"), "a folder that is no run")
    expect(refused(["inspect", index, "--to", work / "figures.txt"], 2, "FILE.json"), "figures are JSON")
    expect(refused(["inspect", index, "--to", work / "no/figures.json"], 2, "there is no folder"), "a folder that is not there")
    expect(refused(["inspect", "--diff", f"{index},{index}", "--to", work / "x.json"], 2, "--to"), "a comparison writes nothing")

    beauty = SHARED / "data/beauty"
    if beauty.is_dir():
        text, found = figures(beauty / "Beauty.index.json", "--data.dir", beauty)
        expect(found["distinct"] == 12088 and found["first_level"]["used"] == 197, "LETTER's table of Beauty")
        expect(abs(found["semantic_identifier_similarity"]["text_embeddings"] - 0.04155) < 5e-5
               and found["semantic_identifier_similarity"]["tfidf"] > 0, "embeddings and texts beside the data are found")
    if not (SHARED / "data").is_dir():
        print(f"SKIPPED on real data: {SHARED / 'data'} is not here (set GENREC_SHARED to the shared data folder)", flush=True)
    instruments = SHARED / "data/instruments"
    if instruments.is_dir():
        with zipfile.ZipFile(instruments / "Instruments-32d-sasrec.pt") as archive:
            numbers = array.array("f", archive.read("archive/data/0"))
        vectors = work / "Instruments.cf.h5"
        write_vectors(vectors, [numbers[i:i + 32] for i in range(0, len(numbers), 32)])
        text, found = figures(instruments / "Instruments.index.json", "--letter.cf", vectors)
        expect(abs(found["code_overlap"]["inner_product"]["matches"] - 0.2760) < 2e-4 and "code overlap" in text
               and found["first_level"]["used"] == 150, "LETTER's Table 4 and Fig. 6 on Instruments")
    print(f"{CHECKS.passed} passed, 0 failed")
finally:
    shutil.rmtree(work, ignore_errors=True)
