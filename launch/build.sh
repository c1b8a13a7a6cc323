#!/usr/bin/env bash
# Configures and builds: launch/build.sh [PRESET] [options of cmake's configure step].
# PRESET is release (default), debug or asan. TARGETS="a b" builds only these.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
use_venv

preset=release
case ${1:-} in '' | -*) ;; *) preset=$1; shift ;; esac
folder=$root/build
[ "$preset" = release ] || folder=$root/build-$preset
for argument in "$@"; do
  case $argument in --fresh | -D*) ;; -B*) folder=${argument#-B} ;; *) die 2 "unknown option $argument: expected -Dname=value, -B<folder> or --fresh" ;; esac
done
mkdir -p "$folder"

began=$SECONDS
cd "$root"
logged "$folder/configure.log" cmake --preset "$preset" "$@" || exit 1
grep '^-- genrec_dist ' "$folder/configure.log" | tail -n 1 || true
jobs=$(compile_jobs)
say "builds in $folder with $jobs jobs, up to 10 minutes on 2 cores"
targets=()
read -r -a names <<< "${TARGETS:-}"
[ ${#names[@]} -eq 0 ] || targets=(--target "${names[@]}")
cmake --build "$folder" --parallel "$jobs" "${targets[@]}"
say "built in $((SECONDS - began)) s"
