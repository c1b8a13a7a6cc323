"""What the tests of data_prep/ share: starting its programs, and saying what was not as expected."""
import os
import subprocess
import sys
from pathlib import Path

DATA_PREP = Path(__file__).resolve().parents[2] / "data_prep"
failures = []


def expect(condition, what):
    if not condition:
        failures.append(what)
        print(f"FAILED: {what}")


def expect_equal(found, expected, what):
    expect(found == expected, f"{what}: found {found!r}, expected {expected!r}")


def run(program, *arguments, modules=None):
    """`modules`: a folder of Python modules that are taken before installed ones."""
    environment = dict(os.environ, PYTHONPATH=str(modules)) if modules else None
    return subprocess.run([sys.executable, str(DATA_PREP / program), *map(str, arguments)], capture_output=True,
                          text=True, timeout=300, check=False, env=environment)


def expect_done(result, what):
    expect(result.returncode == 0, f"{what}: exit code {result.returncode}, {result.stderr[-500:]}")


def expect_refused(result, code, *words):
    """One line on stderr with all the words."""
    text = result.stderr.strip()
    what = f"{result.args[1:]}: exit code {result.returncode} and \"{text[-500:]}\""
    expect(result.returncode == code, f"{what}, but code {code} was expected")
    expect("Traceback" not in text and len(text.splitlines()) == 1, f"{what}, but one line was expected")
    for word in words:
        expect(word in text, f"{what}, but \"{word}\" was expected in it")


def finish():
    if failures:
        sys.exit(f"{len(failures)} checks failed")
    print("all checks passed")
