"""Starts the program for the end-to-end tests (Python's standard library only)."""
import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMP_NUM_THREADS="1",
                   OMPI_MCA_mpi_yield_when_idle="1", HDF5_USE_FILE_LOCKING="FALSE")


def command(program, arguments, ranks):
    if ranks == 1:
        return [str(program), *map(str, arguments)]
    return ["mpirun", "--oversubscribe", "--bind-to", "none", "-np", str(ranks), str(program), *map(str, arguments)]


def run(program, arguments, ranks=1, timeout=600, **more):
    return subprocess.run(command(program, arguments, ranks), env=ENVIRONMENT, capture_output=True, text=True,
                          timeout=timeout, **more)


def expect_done(result, what):
    if result.returncode != 0:
        raise SystemExit(f"{what}: exit code {result.returncode}\n{result.stdout[-1500:]}\n{result.stderr[-3000:]}")


def processes_of(leader):
    """Ids of a process group and of its leader's children, by /proc: a bare Debian has no pgrep."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent, group = stat.read_text().rpartition(")")[2].split()[1:3]
            if leader in (int(parent), int(group)):
                found.add(int(stat.parent.name))
    return found


def kill_when(program, arguments, ranks, event):
    """Starts the program and kills all its processes with SIGKILL once event() holds; False when it had ended by itself
    before."""
    process = subprocess.Popen(command(program, arguments, ranks), env=ENVIRONMENT, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    while not event():
        if process.poll() is not None:
            return False
        time.sleep(0.02)
    # Ranks first: mpirun would give them time to end well.
    for pid in processes_of(process.pid) - {process.pid}:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.kill()
    process.wait()
    time.sleep(0.3)
    return True


def kill_after(program, arguments, ranks, seconds):
    until = time.monotonic() + seconds
    return kill_when(program, arguments, ranks, lambda: time.monotonic() >= until)


class Checks:
    """Runs of one program, and the count of what held."""

    def __init__(self, program):
        self.program, self.passed = program, 0

    def expect(self, condition, what):
        if not condition:
            raise SystemExit(f"FAILED: {what}")
        self.passed += 1
        print("ok  ", what, flush=True)

    def done(self, arguments, ranks=1):
        result = run(self.program, arguments, ranks)
        expect_done(result, " ".join(map(str, arguments)))
        return result

    def refused(self, arguments, code, *words):
        """With this exit code, in one line that holds all words."""
        result = run(self.program, arguments)
        errors = [line for line in result.stderr.splitlines() if "genrec_dist: error: " in line]
        return result.returncode == code and len(errors) == 1 and all(word in errors[0] for word in words)


def summary(run_folder):
    return json.loads((Path(run_folder) / "summary.json").read_text())
