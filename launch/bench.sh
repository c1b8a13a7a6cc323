#!/usr/bin/env bash
# Builds and runs the benchmarks of the hot paths beside the Python peers (where transformers is installed:
# launch/setup.sh --peers) and the machine's ceilings. Arguments go to tests/bench/report.py: --data, --yelp, --threads,
# --only, --out FILE.json, --compare OLD.json (paths from the project's root). An idle machine only: a busy core slows threads that wait for one another.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
use_venv
"$root/launch/setup.sh"
TARGETS="genrec_dist bench_assign bench_ceiling bench_cid bench_decode bench_rqvae bench_train bench_trie" "$root/launch/build.sh" release
cd "$root"
exec python3 tests/bench/report.py "$@"
