#!/usr/bin/env bash
# Submits a sweep (one array task a row of the table) and the job that collects it into one table. The collecting job
# takes over where and for whom the array runs: account, partition, quality of service, reservation, cluster.
#
#   slurm/submit_sweep.sh [-j AT_ONCE] TABLE.tsv [options of sbatch] [-- options of genrec_dist]
#   slurm/submit_sweep.sh -j 4 configs/sweep_tau.tsv --time=04:00:00 -- --config configs/flan_t5_small_siit.ini \
#     --model.weights FLAN_T5_SMALL --data.dir DATA
#   GENREC_COMMAND=train slurm/submit_sweep.sh configs/sweep_letter.tsv -- --config configs/letter_beauty.ini
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
die() { printf 'submit_sweep.sh: %s\n' "$2" >&2; exit "$1"; }
at_once=4
if [ "${1:-}" = -j ]; then
  at_once=${2:-}
  shift $(($# < 2 ? $# : 2))
fi
case $at_once in '' | *[!0-9]* | 0) die 2 "-j: expected the number of rows to run at once" ;; esac
[ $# -ge 1 ] || die 2 "expected a table: slurm/submit_sweep.sh [-j AT_ONCE] TABLE.tsv [options of sbatch] [-- options of genrec_dist]"
table=$1
shift
rows=$(launch/sweep_row.sh "$table" --count)
[ "$rows" -ge 1 ] || die 65 "$table has no rows"
command -v sbatch > /dev/null || die 66 "no sbatch on the PATH: run this on a login node of a Slurm cluster"
batch_options=() collect_options=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  batch_options+=("$1")
  case $1 in
    --account | --partition | --qos | --reservation | --clusters | -[ApqM])
      if [ $# -lt 2 ] || [ "$2" = -- ]; then die 2 "$1: expected a value"; fi
      batch_options+=("$2")
      collect_options+=("$1" "$2")
      shift ;;
    --account=* | --partition=* | --qos=* | --reservation=* | --clusters=* | -[ApqM]?*) collect_options+=("$1") ;;
  esac
  shift
done
[ $# -eq 0 ] || shift
array=$(sbatch --parsable --array="0-$((rows - 1))%$at_once" "${batch_options[@]}" slurm/sweep.sbatch "$table" "$@")
array=${array%%;*}
collect=$(sbatch --parsable "${collect_options[@]}" --dependency="afterany:$array" slurm/collect.sbatch "$table" "$array")
# Where the jobs will put them; site.env is meant for the jobs, so none of its effects stays here.
runs=$(
  set +eu
  site_env=${GENREC_SITE_ENV:-slurm/site.env}
  if [ -f "$site_env" ]; then
    # shellcheck source=/dev/null
    . "$site_env" > /dev/null 2>&1
  fi
  printf '%s' "${GENREC_RUNS:-runs}"
)
echo "array $array: $rows rows of $table, $at_once at once; run folders $runs/${array}_<row>"
echo "collecting job ${collect%%;*}: $runs/$array.md and .tsv when all rows have ended"
