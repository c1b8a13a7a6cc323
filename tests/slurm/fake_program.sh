#!/usr/bin/env bash
# Behaves towards the job scripts as genrec_dist does, without its work: --run.dir, --run.resume auto, checkpoints/last,
# summary.json, exit code 75 after USR1 or TERM. The result is a checksum over all steps, so a lost or repeated step shows.
# FAKE_STEPS, FAKE_STEP_SECONDS: length; FAKE_STUCK: stops without a checkpoint; FAKE_TOKENIZER: so many starts end in the
# training of a tokenizer, whose state is no link's. At its first start only: FAKE_DEAF takes no notice of USR1, FAKE_LATE
# does not listen yet.
set -u
rank=${OMPI_COMM_WORLD_RANK:-${PMIX_RANK:-${SLURM_PROCID:-0}}}
command=$1 folder='' rate=0 poison=''
shift
while [ $# -gt 0 ]; do
  case $1 in
    --run.dir) folder=$2 ;;
    --train.lr) rate=$2 ;;
    --run.seed) poison=$2 ;;
  esac
  shift 2
done
stop=
trap 'stop=yes' USR1 TERM
if [ -z "${SLURM_RESTART_COUNT:-}" ]; then
  [ -z "${FAKE_DEAF:-}" ] || trap '' USR1
  [ -z "${FAKE_LATE:-}" ] || trap - USR1 TERM
fi
[ "$poison" != 13 ] || exit 65
[ -z "${FAKE_STUCK:-}" ] || exit 75
mkdir -p "$folder/checkpoints"
if [ "${SLURM_RESTART_COUNT:-0}" -lt "${FAKE_TOKENIZER:-0}" ]; then
  date +%s.%N > "$folder/checkpoints/tokenizer-$rank"
  mv "$folder/checkpoints/tokenizer-$rank" "$folder/checkpoints/tokenizer.h5"
  exit 75
fi
state=$folder/checkpoints/state-$rank
step=0 sum=0
if [ -f "$state" ]; then read -r step sum < "$state"; fi
while [ "$step" -lt "${FAKE_STEPS:-20}" ]; do
  sleep "${FAKE_STEP_SECONDS:-0.05}"
  step=$((step + 1))
  sum=$(((sum * 31 + step) % 1000003))
  if [ -n "$stop" ]; then
    echo "$step $sum" > "$state"
    [ "$rank" != 0 ] || ln -sfn "state-$rank" "$folder/checkpoints/last"
    exit 75
  fi
done
[ "$rank" != 0 ] || cat > "$folder/summary.json" <<JSON
{"command": "$command", "ranks": ${SLURM_NTASKS:-1}, "identifiers_sha256": "$sum", "selected_iteration": 0,
 "iterations": [{"iteration": 0, "collision_rate_final": 0.0, "valid": {"ndcg@10": $rate}, "seconds": {"train": 1.0}}],
 "test": {"recall@10": $rate, "ndcg@10": $rate}, "threads": "${OMP_NUM_THREADS:-}"}
JSON
