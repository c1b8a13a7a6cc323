#!/usr/bin/env bash
# Runs a test with a Python that has its packages: in_venv.sh FOLDER "PACKAGE ..." TEST.py
# The project's .venv where it has them all; else a virtual environment in FOLDER, with the versions of launch/setup.sh.
# Exit code 77, skipped, where they are not there and cannot be installed.
set -u
folder=$1 packages=$2 test=$3
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
skip() { printf 'SKIPPED: %s\n' "$1"; exit 77; }
has() {  # has PYTHON: of all the packages
  # shellcheck disable=SC2086  # one word a package
  "$1" -c 'import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]' $packages > /dev/null 2>&1
}
own=$root/.venv/bin/python
[ -x "$own" ] || own=python3
if has "$own"; then exec "$own" "$test"; fi

wheels=()
for package in $packages; do
  wheel=$(sed -n 's/^peer_wheels=(\(.*\))$/\1/p' "$root/launch/setup.sh" | tr ' ' '\n' | grep "^$package==")
  [ -n "$wheel" ] || skip "no $package here: launch/setup.sh --peers installs it"
  wheels+=("$wheel")
done
mkdir -p "$folder"
exec 9> "$folder.lock"
flock 9  # tests that run at once wait for the first one's
if ! has "$folder/bin/python"; then
  make_venv() {
    "$own" -m venv --clear "$folder" &&
      "$folder/bin/python" -m pip install --no-input --disable-pip-version-check "${wheels[@]}"
  }
  if ! make_venv > "$folder.log" 2>&1; then
    tail -n 3 "$folder.log"
    skip "${wheels[*]} cannot be installed (no network?)"
  fi
fi
exec "$folder/bin/python" "$test" 9>&-
