# Sourced by the job scripts: runs the program on the tasks of a Slurm job, saves in time, and requeues the job.
# shellcheck shell=bash
#
# Environment, for instance from slurm/site.env:
#   GENREC_PROGRAM       the program (build/genrec_dist)
#   GENREC_RUNS          where run folders go (runs)
#   GENREC_LAUNCHER      srun or mpirun (srun where Slurm offers PMIx, else mpirun)
#   GENREC_SRUN_OPTIONS  further options of srun
#   GENREC_MAX_REQUEUES  requeues in a row without a new checkpoint before the job gives up (3)

project=${GENREC_ROOT:-${SLURM_SUBMIT_DIR:?this is a Slurm job script: submit it with sbatch}}
# The id to requeue: in an array never SLURM_JOB_ID, which the last task shares with the whole array.
self=$SLURM_JOB_ID
run_name=$SLURM_JOB_ID
if [ -n "${SLURM_ARRAY_JOB_ID:-}" ]; then
  self=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
  run_name=$self
fi
note() { printf '%s job %s: %s\n' "$(date +%H:%M:%S)" "$self" "$*"; }
refuse() { printf 'job %s: %s\n' "$self" "$2" >&2; exit "$1"; }

cd "$project" || refuse 66 "cannot enter $project"
if [ -f slurm/site.env ]; then
  # shellcheck source=/dev/null
  . slurm/site.env
fi
program=${GENREC_PROGRAM:-$project/build/genrec_dist}
runs=${GENREC_RUNS:-runs}

# The run folder that the program will use: the last --run.dir wins, as in the program.
run_folder() {
  local folder=$runs/$run_name previous='' argument
  for argument in "$@"; do
    [ "$previous" != --run.dir ] || folder=$argument
    case $argument in --run.dir=*) folder=${argument#--run.dir=} ;; esac
    previous=$argument
  done
  printf '%s\n' "$folder"
}

srun_offers_pmix() {
  srun --mpi=list 2>&1 | grep -q pmix && srun --nodes=1 --ntasks=1 --mpi=pmix true > /dev/null 2>&1
}

# Starts the program on all tasks in the background; $child is its process.
start_program() {
  local launcher=${GENREC_LAUNCHER:-} options=()
  if [ -z "$launcher" ]; then
    if srun_offers_pmix; then launcher=srun; else launcher=mpirun; fi
  fi
  export OMP_NUM_THREADS=${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}
  note "start ${SLURM_RESTART_COUNT:-0} on ${SLURM_JOB_NODELIST:-?} with ${SLURM_NTASKS:-1} tasks, $launcher, $OMP_NUM_THREADS threads a task"
  case $launcher in
    srun)
      # --wait instead of --kill-on-bad-exit: all ranks leave with 75 when they have saved, and the first one to do so
      # must not get the others killed; a rank that dies ends the rest all the same.
      options=("--mpi=${GENREC_SRUN_MPI:-pmix}" --kill-on-bad-exit=0 --wait=30)
      # Since 22.05 srun does not take over the job's --cpus-per-task by itself.
      [ -z "${SLURM_CPUS_PER_TASK:-}" ] || options+=("--cpus-per-task=$SLURM_CPUS_PER_TASK")
      [ -n "${SLURM_CPU_BIND:-}" ] || options+=(--cpu-bind=cores)
      local more
      read -r -a more <<< "${GENREC_SRUN_OPTIONS:-}"
      srun "${options[@]}" "${more[@]}" "$program" "$@" &
      ;;
    mpirun)
      # mpirun starts one daemon a node with srun; it must hold all GPUs of the node, not one task's share.
      if [ -n "${SLURM_GPUS_ON_NODE:-}" ]; then
        export OMPI_MCA_plm_slurm_args=${OMPI_MCA_plm_slurm_args:---gpus-per-node=$SLURM_GPUS_ON_NODE}
      fi
      GENREC_PROGRAM=$program "$project/launch/mpirun.sh" -np "${SLURM_NTASKS:-1}" "$@" &
      ;;
    *) refuse 2 "GENREC_LAUNCHER=$launcher: expected srun or mpirun" ;;
  esac
  child=$!
}

# What tells that a run got on: where its newest checkpoint points to, and when that was written.
progress_of() { stat -L -c '%n %i %Y %s' "$1/checkpoints/last" 2>/dev/null || echo none; }

# Counts requeues in a row without a new checkpoint; fails when there were too many.
may_requeue() {
  local file=$1/requeues before='' count=0 now
  now=$(progress_of "$1")
  if [ -f "$file" ]; then
    { read -r count; read -r before; } < "$file"
  fi
  if [ "$now" = "$before" ]; then count=$((count + 1)); else count=0; fi
  printf '%s\n%s\n' "$count" "$now" > "$file"
  [ "$count" -lt "${GENREC_MAX_REQUEUES:-3}" ]
}

# run_job ARGUMENTS...: the program with these arguments; never returns.
run_job() {
  local rc last arguments folder
  folder=$(run_folder "$@")
  mkdir -p "$folder" || refuse 74 "cannot make the run folder $folder"
  [ -x "$program" ] || refuse 66 "$program is not there: build it with launch/build.sh (or set GENREC_PROGRAM)"
  arguments=("$1" --run.dir "$folder" --run.resume auto "${@:2}")

  child='' ended=''
  # USR1 is the warning of --signal; TERM comes when the job is cancelled, preempted or out of time. Ranks save on
  # USR1 (mpirun would kill them a second after a TERM). A job that got TERM is not requeued from here.
  trap '[ -z "$child" ] || kill -USR1 "$child" 2>/dev/null' USR1
  trap 'ended=yes; [ -z "$child" ] || kill -USR1 "$child" 2>/dev/null' TERM
  rm -f "$folder/exit_code"
  start_program "${arguments[@]}"
  while :; do  # wait ends early when a trap runs
    rc=0
    wait "$child" || rc=$?
    kill -0 "$child" 2>/dev/null || break
  done
  last=0
  wait "$child" 2>/dev/null || last=$?
  [ "$last" -eq 127 ] || rc=$last  # it ended between the two lines above
  note "exit code $rc"

  if [ "$rc" -eq 75 ] && [ -z "$ended" ]; then
    if may_requeue "$folder"; then
      # Slurm now ends this script, so the default actions must hold again.
      trap - USR1 TERM
      scontrol requeue "$self"
      sleep 90  # its exit code is 0 even when requeueing is switched off
      note "was not requeued: submit the same command again to go on"
    else
      note "no new checkpoint in ${GENREC_MAX_REQUEUES:-3} requeues: gives up; a longer --time or an earlier --signal may help"
    fi
  fi
  printf '%s\n' "$rc" > "$folder/exit_code"
  exit "$rc"
}
