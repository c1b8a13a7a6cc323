# Sourced by the scripts of this folder: the project's root, messages, logged steps.
# shellcheck shell=bash
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s: %s\n' "$(basename "$0")" "$*"; }
die() { printf '%s: %s\n' "$(basename "$0")" "$2" >&2; exit "$1"; }

# The tools of .venv (cmake, ninja) come first on the path.
use_venv() { case :$PATH: in *":$root/.venv/bin:"*) ;; *) PATH=$root/.venv/bin:$PATH; export PATH ;; esac; }

# logged LOG COMMAND...: output goes to the file LOG; its last lines are shown when the command fails.
logged() {
  local log=$1 rc=0
  shift
  printf '\n+ %s\n' "$*" >> "$log"
  "$@" >> "$log" 2>&1 < /dev/null || rc=$?
  if [ "$rc" -ne 0 ]; then
    tail -n 25 "$log" >&2
    printf '%s: failed with exit code %d: %s (whole log: %s)\n' "$(basename "$0")" "$rc" "$*" "$log" >&2
  fi
  return "$rc"
}

# Number of compilers at once: one a core, but about 2 GiB of memory each.
compile_jobs() {
  local cores memory_kib jobs
  cores=$(nproc)
  memory_kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo 2>/dev/null || true)
  jobs=$((${memory_kib:-2097152} / 2097152))
  [ "$jobs" -ge 1 ] || jobs=1
  [ "$jobs" -le "$cores" ] || jobs=$cores
  echo "${CMAKE_BUILD_PARALLEL_LEVEL:-$jobs}"
}
