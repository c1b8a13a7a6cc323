#!/usr/bin/env python3
"""Reads the includes of src/: fails when a folder includes upward, or a header where it does not belong.

  layering_test.py SRC      checks the tree, after checking itself on a small tree with known mistakes
"""
import pathlib
import re
import sys
import tempfile

LEVELS = {
    "base": 0,
    "config": 1, "comm": 1, "io": 1,
    "data": 2, "nn": 2, "optim": 2,
    "tokenizers": 3, "cf": 3,
    "model": 4,
    "training": 5,
    "decoding": 6,
    "siit": 7,
    "eval": 8,
    "app": 9,
}
# Folders of one level that may include each other, in this direction only: the optimiser moves nn's parameters.
SIDEWAYS = {("optim", "nn")}
# Lower, but still not theirs: decoding and evaluation know no training.
FORBIDDEN_FOLDERS = {"decoding": {"training"}, "eval": {"training", "siit"}}

WITH_TORCH = {"nn", "optim", "tokenizers", "cf", "model", "training", "decoding", "siit", "eval", "app"}
# Third-party headers and the only folders that may see them.
HEADERS = [
    (re.compile(r"(mpi|mpi-ext|nccl)\.h$"), {"comm"}),
    (re.compile(r"(hdf5|H5\w*)\.h$"), {"io"}),
    (re.compile(r"sentencepiece"), {"io"}),
    (re.compile(r"openssl/"), {"io"}),
    (re.compile(r"boost/program_options"), {"config"}),
    (re.compile(r"glog/"), {"base"}),
    (re.compile(r"(ATen|c10|torch)/"), WITH_TORCH),
]
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
SUFFIXES = {".h", ".cpp", ".cu", ".cuh"}


def problem(folder, header):
    """Why `folder` may not include `header`; None when it may."""
    top = header.split("/")[0]
    if "/" in header and top in LEVELS:
        if top == folder or (folder, top) in SIDEWAYS:
            return None
        if LEVELS[top] >= LEVELS[folder]:
            return f"{folder} (level {LEVELS[folder]}) may not include {top} (level {LEVELS[top]})"
        if top in FORBIDDEN_FOLDERS.get(folder, ()):
            return f"{folder} may not know {top}"
        return None
    for pattern, allowed in HEADERS:
        if pattern.match(header) and folder not in allowed:
            return f"{header} is seen only in {', '.join(sorted(allowed))}"
    return None


def check(source):
    problems = []
    seen = 0
    for path in sorted(source.rglob("*")):
        if path.suffix not in SUFFIXES:
            continue
        relative = path.relative_to(source)
        folder = relative.parts[0]
        if folder not in LEVELS:
            problems.append(f"{relative}: folder {folder} has no level: add it to LEVELS and src/README.md")
            continue
        seen += 1
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            match = INCLUDE.match(line)
            reason = match and problem(folder, match.group(1))
            if reason:
                problems.append(f"{relative}:{number}: {reason}")
    return seen, problems


def check_itself():
    mistakes = {
        "base/a.h": '#include "io/files.h"\n',
        "io/b.cpp": '#include "comm/communicator.h"\n',
        "data/c.cpp": "#include <ATen/ATen.h>\n",
        "app/d.cpp": "#include <mpi.h>\n",
        "model/e.cpp": '#include <vector>\n#include "decoding/generator.h"\n',
        "training/f.h": "#include <hdf5.h>\n",
        "decoding/g.h": '#include "training/trainer.h"\n',
        "nn/h.cpp": '#include "optim/adamw.h"\n',
        "new/i.h": "#pragma once\n",
    }
    allowed = {
        "comm/ok.cpp": '#include <mpi.h>\n#include "base/error.h"\n#include "comm/communicator.h"\n',
        "optim/ok.h": '#include "nn/parameter_store.h"\n#include <ATen/ATen.h>\n',
        "app/ok.cpp": '#include "siit/siit_loop.h"\n#include <string>\n',
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**mistakes, **allowed}.items():
            path = pathlib.Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        _, problems = check(pathlib.Path(folder))
    found = sorted(line.split(":")[0] for line in problems)
    if found != sorted(mistakes):
        sys.exit(f"this test is broken: of {sorted(mistakes)} it found {found}")


def main():
    if len(sys.argv) != 2:
        sys.exit("expected the folder src")
    check_itself()
    seen, problems = check(pathlib.Path(sys.argv[1]))
    for line in problems:
        print(line)
    if seen == 0:
        sys.exit(f"no source file in {sys.argv[1]}")
    if problems:
        sys.exit(f"{len(problems)} includes break the layers (src/README.md)")
    print(f"{seen} files keep the layers")


if __name__ == "__main__":
    main()
