"""What the scripts of this folder say when they cannot go on: one line, and an exit code that a job script can test."""
import importlib
import sys

USAGE, BAD_DATA, MISSING_INPUT, INPUT_OUTPUT = 2, 65, 66, 74


class Failure(Exception):
    """What is wrong, where, and what to do about it."""

    def __init__(self, code, message):
        super().__init__(" ".join(str(message).split()))
        self.code = code


def first_line(error):
    """Of an exception of another library, whose text may fill a screen."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def need(package):
    """Imports a package of requirements.txt, or says how to get it."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        name = package.replace("_", "-")
        raise Failure(MISSING_INPUT, f"the Python package {name} cannot be imported ({first_line(error)}); "
                                     "install what data_prep/requirements.txt lists") from error


def run(main):
    """Calls main() and turns its Failure into one line on stderr and an exit code."""
    try:
        main()
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(failure.code)
    except KeyboardInterrupt:
        print("error: interrupted; nothing was written", file=sys.stderr)
        sys.exit(130)
