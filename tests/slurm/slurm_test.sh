#!/usr/bin/env bash
# The job scripts on a real one-node Slurm, started for this test alone: slurm_test.sh fake|PROGRAM
#   fake      with fake_program.sh: fast, checks the scripts
#   PROGRAM   with genrec_dist on its synthetic dataset
# Needs start-slurm.sh (GENREC_SHARED/slurm or ../shared/slurm) and Slurm's packages; without them the test is skipped
# (exit code 77).
set -u
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
shared=${GENREC_SHARED:-$project/../shared}
skip() { printf 'SKIPPED: %s\n' "$1"; exit 77; }
[ -x "$shared/slurm/start-slurm.sh" ] || skip "no $shared/slurm/start-slurm.sh: set GENREC_SHARED to the shared folder"
PATH=$PATH:/usr/sbin:/sbin
for tool in sbatch srun slurmctld slurmd munged mpirun; do
  command -v "$tool" > /dev/null || skip "no $tool: run launch/setup.sh --slurm"
done

failures=0
check() {  # check WHAT COMMAND...
  local what=$1
  shift
  if "$@"; then echo "ok: $what"; else echo "FAILED: $what"; failures=$((failures + 1)); fi
}

folder=$(mktemp -d /tmp/gs-XXXXXX) || exit 1  # short: Slurm's sockets lie in it
finish() {
  local rc=$?
  if [ "$rc" -ne 0 ]; then
    for file in "$folder"/out/*.out; do [ -f "$file" ] && printf -- '--- %s\n' "$file" && tail -n 30 "$file"; done
    tail -n 20 "$folder"/s/log/slurmctld.log
  fi
  "$shared/slurm/start-slurm.sh" stop "$folder/s" > /dev/null 2>&1
  rm -rf "$folder"
  exit "$rc"
}
trap finish EXIT
trap 'exit 143' TERM INT

mkdir -p "$folder/out" "$folder/runs"
started=
for _ in 1 2 3; do  # another cluster may have the port
  if "$shared/slurm/start-slurm.sh" start "$folder/s" --cpus 32 --partitions main,other --port $((20000 + RANDOM % 10000)) > "$folder/start.log" 2>&1; then
    started=yes
    break
  fi
  "$shared/slurm/start-slurm.sh" stop "$folder/s" > /dev/null 2>&1
done
if [ -z "$started" ]; then
  cat "$folder/start.log"
  exit 1
fi
# shellcheck source=/dev/null
. "$folder/s/env.sh"
# Not a developer's own slurm/site.env: it may name another program and other folders.
export GENREC_RUNS=$folder/runs GENREC_SITE_ENV=/dev/null SBATCH_OUTPUT="$folder/out/%x-%j.out"
cd "$project" || exit 1

submit() { sbatch --parsable "$@"; }
wait_for_jobs() {  # wait_for_jobs SECONDS
  local limit=$((SECONDS + $1))
  while [ -n "$(squeue -h)" ]; do
    if [ "$SECONDS" -gt "$limit" ]; then
      squeue
      return 1
    fi
    sleep 1
  done
}
output() { cat "$folder"/out/*-"$1".out 2>/dev/null; }
code_is() { [ "$(cat "$folder/runs/$1/exit_code" 2>/dev/null)" = "$2" ]; }
value() {  # value RUN KEY: as one line of JSON
  python3 -c 'import json, sys; print(json.dumps(json.load(open(sys.argv[1]))[sys.argv[2]], sort_keys=True))' "$folder/runs/$1/summary.json" "$2" 2>/dev/null
}
same_result() {
  local key
  for key in identifiers_sha256 test; do
    [ -n "$(value "$1" "$key")" ] && [ "$(value "$1" "$key")" = "$(value "$2" "$key")" ] || return 1
  done
}
says() { output "$1" | grep -q -- "$2"; }
wait_until() {  # wait_until COMMAND...: at most two minutes
  local limit=$((SECONDS + 120))
  until "$@" || [ "$SECONDS" -gt "$limit" ]; do sleep 0.5; done
}

sweep=$folder/sweep.tsv
if [ "$1" = fake ]; then
  export GENREC_PROGRAM=$project/tests/slurm/fake_program.sh FAKE_STEPS=60
  options=(--train.lr 0.001)
  printf 'train.lr\ttrain.tau\n0.1\t0.7\n0.1\t1.0\n0.2\t0.7\n0.2\t1.0\n' > "$sweep"
  slow=0.75

  job() { submit slurm/siit.sbatch "${options[@]}"; }
  # shellcheck disable=SC2016  # for the job to read
  printf '[ -n "${SLURM_RESTART_COUNT:-}" ] || { echo sets up; sleep 5; }\n' > "$folder/early.env"

  straight=$(job)
  limited=$(FAKE_STEP_SECONDS=$slow submit --time=1 --signal=B:USR1@40 slurm/siit.sbatch "${options[@]}")
  export FAKE_STEP_SECONDS=0.3
  by_mpirun=$(GENREC_LAUNCHER=mpirun job)
  cancelled=$(job)
  preempted=$(job)
  early=$(GENREC_SITE_ENV=$folder/early.env job)
  late=$(FAKE_LATE=1 job)
  deaf=$(FAKE_DEAF=1 GENREC_SAVE_SECONDS=3 job)
  deaf_mpirun=$(FAKE_DEAF=1 GENREC_SAVE_SECONDS=3 GENREC_LAUNCHER=mpirun job)
  unset FAKE_STEP_SECONDS
  stuck=$(FAKE_STUCK=1 GENREC_MAX_REQUEUES=1 job)
  tokenizing=$(FAKE_TOKENIZER=2 GENREC_MAX_REQUEUES=1 GENREC_COMMAND=train job)
  four=$(submit --ntasks-per-node=4 slurm/siit.sbatch "${options[@]}")
  printf 'train.lr\trun.seed\n0.1\t1\n0.2\t13\n' > "$folder/bad.tsv"
  submitted=$(FAKE_STEP_SECONDS=0.2 slurm/submit_sweep.sh -j 2 "$sweep" -p other -- --run.seed 5) || exit 1
  bad=$(slurm/submit_sweep.sh "$folder/bad.tsv" --partition=other) || exit 1
  sweep_id=$(echo "$submitted" | sed -n 's/^array \([0-9]*\):.*/\1/p')
  collecting=$(scontrol show job -o "$(echo "$submitted" | sed -n 's/^collecting job \([0-9]*\):.*/\1/p')")

  wait_until says "$early" "sets up"
  scancel --batch --signal=USR1 "$early"
  for id in "$by_mpirun" "$cancelled" "$preempted" "$late" "$deaf" "$deaf_mpirun"; do wait_until says "$id" "start 0"; done
  sweep_task() { cat "$folder"/out/sweep-*.out 2> /dev/null | grep "job ${sweep_id}_$1:"; }
  row_runs() { sweep_task 0 | grep -q "start 0"; }
  wait_until row_runs
  sleep 3  # the programs are running
  scancel "$cancelled"
  scancel --batch --signal=TERM "$preempted"
  scancel --batch --signal=USR1 "$by_mpirun" "$late" "$deaf" "$deaf_mpirun"
  timeout 2 scancel --batch --signal=USR1 "${sweep_id}_0"  # with others pending it is told to try again, although it was heard
  wait_for_jobs 240 || check "all jobs end" false
  check "two tasks run to the end" code_is "$straight" 0
  check "the run has two ranks" [ "$(value "$straight" ranks)" = 2 ]
  check "four tasks when asked" [ "$(value "$four" ranks)" = 4 ]
  check "mpirun: the warned job was requeued" says "$by_mpirun" "start 1"
  check "mpirun: result of the uninterrupted run" same_result "$straight" "$by_mpirun"
  check "the cancelled job was running" says "$cancelled" "CANCELLED AT"
  check "a cancelled job is not requeued" [ -z "$(output "$cancelled" | grep 'start 1')" ]
  for what in preempted early late deaf deaf_mpirun; do
    check "$what: the job was requeued once" [ "$(output "${!what}" | grep -c 'start [1-9]')" = 1 ]
    check "$what: result of the uninterrupted run" same_result "$straight" "${!what}"
  done
  check "deaf: was ended" says "$deaf" "has not saved"
  check "a warned array task is requeued" [ "$(sweep_task 0 | grep -c 'start 1')" = 1 ]
  check "and no other one" [ "$(sweep_task '[1-3]' | grep -c 'start 1')" = 0 ]
  check "the collecting job takes over the partition" [ -z "${collecting##*Partition=other *}" ]
  check "a job without progress is requeued once" says "$stuck" "start 1"
  check "a job without progress gives up" says "$stuck" "gives up"
  check "a job without progress ends with 75" code_is "$stuck" 75
  check "a job that trains its tokenizer gets on" says "$tokenizing" "start 2"
  check "and runs to its end" same_result "$straight" "$tokenizing"
  check "another command when asked" [ "$(value "$tokenizing" command)" = '"train"' ]
  bad=$(echo "$bad" | sed -n 's/^array \([0-9]*\):.*/\1/p')
  check "a failed row is listed" grep -q 'failed (65)' "$folder/runs/$bad.tsv"
  check "the other row finished" grep -q 'done' "$folder/runs/$bad.tsv"
else
  export GENREC_PROGRAM=$1
  [ -x "$GENREC_PROGRAM" ] || skip "$GENREC_PROGRAM is not built"
  # About 45 s alone: the time-limited job is warned 20 to 30 s after its start, beside another one.
  read -r -a options <<< "${GENREC_SLURM_OPTIONS:---config configs/quickstart.ini --siit.iterations 1 --siit.warmup-epochs 12 --siit.align-epochs 40 --siit.finetune-epochs 6}"
  cp "$project/configs/sweep_tau.tsv" "$sweep"
  small=(--config configs/quickstart.ini --data.max-users 200 --siit.warmup-epochs 1 --siit.align-epochs 1 --siit.finetune-epochs 1 --siit.iterations 1)

  straight=$(submit slurm/siit.sbatch "${options[@]}")
  wait_for_jobs 300 || check "the first job ends" false
  limited=$(submit --time=1 --signal=B:USR1@40 slurm/siit.sbatch "${options[@]}")
  signalled=$(GENREC_LAUNCHER=mpirun submit slurm/siit.sbatch "${options[@]}")
  wait_until [ -s "$folder/runs/$signalled/metrics.jsonl" ]
  scancel --batch --signal=USR1 "$signalled"
  wait_for_jobs 600 || check "all jobs end" false
  submitted=$(slurm/submit_sweep.sh -j 2 "$sweep" -- "${small[@]}") || exit 1
  wait_for_jobs 400 || check "the sweep ends" false
  check "two tasks run to the end" code_is "$straight" 0
  check "the run has two ranks" [ "$(value "$straight" ranks)" = 2 ]
  check "mpirun: the warned job was requeued" says "$signalled" "start 1"
  check "mpirun: result of the uninterrupted run" same_result "$straight" "$signalled"
fi
check "the time-limited job was requeued" says "$limited" "start 1"
check "the time-limited job ends well" code_is "$limited" 0
check "the time-limited job has the result of the uninterrupted one" same_result "$straight" "$limited"
echo "$submitted"
array=$(echo "$submitted" | sed -n 's/^array \([0-9]*\):.*/\1/p')
cat "$folder/runs/$array.md"
check "a 2 x 2 array in one table" [ "$(grep -c "done" "$folder/runs/$array.tsv")" = 4 ]
check "the table names the options" grep -q "train.*train.*state.*test ndcg@10" "$folder/runs/$array.tsv"
[ "$failures" -eq 0 ]
