#!/usr/bin/env bash
# The packed program runs with LibTorch and what every node has, and nothing else: bundle_test.sh BUILD_FOLDER LIBTORCH_ROOT
# Skipped (exit code 77) where the tools that pack are missing.
set -euo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$1 torch=$2
limit_mib=60
for tool in patchelf readelf strip ompi_info mpirun; do
  command -v "$tool" > /dev/null || { echo "SKIPPED: no $tool: run launch/setup.sh"; exit 77; }
done
fail() { printf 'FAILED: %s\n' "$1"; exit 1; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/own"
touch "$folder/own/precious"
if "$project/launch/bundle.sh" "$build" "$folder/own" 2> /dev/null; then fail "a folder of something else was taken"; fi
[ -e "$folder/own/precious" ] || fail "a folder of something else was emptied"

bundle=$folder/bundle
mkdir -p "$bundle/bin"
touch "$bundle/run.sh" "$bundle/bin/genrec_dist" "$bundle/old"  # as if packed before
"$project/launch/bundle.sh" "$build" "$bundle"
[ ! -e "$bundle/old" ] || fail "an earlier bundle was not replaced"
size=$(du -sm "$bundle" | cut -f1)
[ "$size" -le $limit_mib ] || fail "$size MiB, more than $limit_mib"

run() { env -i PATH=/usr/bin:/bin HOME="$folder" LIBTORCH_ROOT="$torch" "$bundle/run.sh" "$@"; }
for ranks in 1 2; do
  if [ $ranks = 1 ]; then run version > "$folder/version"; else run -np $ranks version > "$folder/version"; fi
  grep -q LibTorch "$folder/version" || { cat "$folder/version"; fail "version at $ranks ranks"; }
done

# Everything comes from the bundle or from LibTorch's folders, but for the C and C++ run-time libraries.
strays=$(run --exec "$(command -v ldd)" "$bundle/bin/genrec_dist" | awk -v ours="$folder/" -v torch="$(dirname "$torch")/" '
  $2 == "=>" && index($3, ours) != 1 && index($3, torch) != 1 &&
  $1 !~ /^lib(c|m|dl|pthread|rt|util|resolv|anl|stdc\+\+|gcc_s|gomp|cu.*|nv.*|nccl)\.so/ {print}')
[ -z "$strays" ] || fail "from elsewhere: $strays"
echo "ok: $size MiB"
