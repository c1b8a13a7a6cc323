#!/usr/bin/env bash
# Installs what is missing, builds, runs every test. Arguments go to ctest: launch/test.sh -R test_io
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
launch=$root/launch
use_venv

"$launch/setup.sh"
"$launch/build.sh" release

cd "$root"
output=$root/build/ctest.log
rc=0
ctest --preset release --parallel "$(nproc)" "$@" < /dev/null 2>&1 | tee "$output" || rc=$?
skipped=$(grep -c '\*\*\*Skipped' "$output" || true)
[ "$skipped" -eq 0 ] || say "$skipped tests were skipped, see $output"
grep -E '^[0-9]+% tests passed' "$output" || say "ctest ended without a result"
exit "$rc"
