#!/usr/bin/env bash
# From nothing to a finished run: installs what is missing, builds, and runs the main job on the built-in synthetic
# dataset with 2 ranks. Further arguments are options of the program, for instance --run.dir DIR or --run.seed 7.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
launch=$root/launch

"$launch/setup.sh"
"$launch/build.sh" release

run=runs/quickstart
previous=
for argument in "$@"; do
  [ "$previous" != --run.dir ] || run=$argument
  case $argument in --run.dir=*) run=${argument#--run.dir=} ;; esac
  previous=$argument
done
cd "$root"
say "SIIT on the synthetic dataset, 2 ranks, a few minutes; run folder $run"
"$launch/mpirun.sh" -np 2 siit --config configs/quickstart.ini --run.dir "$run" "$@"
say "the table above is in $run/summary.json, every measurement in $run/metrics.jsonl, the identifiers in $run/identifiers/"
