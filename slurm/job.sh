# Sourced by the job scripts: runs the program on the tasks of a Slurm job, saves in time, and requeues the job.
# shellcheck shell=bash
#
# Environment, for instance from slurm/site.env:
#   GENREC_PROGRAM       the program (build/genrec_dist)
#   GENREC_COMMAND       the command of the program (siit)
#   GENREC_RUNS          where run folders go (runs)
#   GENREC_LAUNCHER      srun or mpirun (srun where Slurm offers PMIx, else mpirun)
#   GENREC_SRUN_OPTIONS  further options of srun
#   GENREC_MAX_REQUEUES  requeues in a row without a new checkpoint before the job gives up (3)
#   GENREC_SAVE_SECONDS  a warned program that takes longer to save is ended, and goes on from its last checkpoint (240)
#   GENREC_SITE_ENV      another file than slurm/site.env

# USR1 is the warning of --signal; TERM comes when the job is preempted, cancelled or out of time. The ranks save on USR1
# (mpirun would kill them a second after a TERM). Before all else, because a warning now would end this shell.
child='' warned='' timer=''
warn() {
  warned=yes
  [ -n "$child" ] || return 0  # told when it is there
  kill -USR1 "$child" 2>/dev/null
  [ -n "$timer" ] || start_timer
}
trap warn USR1 TERM

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
site_env=${GENREC_SITE_ENV:-slurm/site.env}
if [ -f "$site_env" ]; then
  # shellcheck source=/dev/null
  . "$site_env"
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

job_field() { scontrol show job -o "$self" 2>/dev/null | tr ' ' '\n' | sed -n "s/^$1=//p" | head -n 1; }

# Warns again and again, because a launcher that is still starting loses a signal, and ends a program that does not save
# in time: before the job's own end, which a preemption brings forward.
start_timer() {
  local seconds=${GENREC_SAVE_SECONDS:-240} end left
  end=$(job_field EndTime)
  if [[ $end == [0-9]*T* ]] && end=$(date -d "$end" +%s); then
    left=$((end - $(date +%s) - 30))
    [ "$left" -ge 10 ] || left=10
    [ "$left" -ge "$seconds" ] || seconds=$left
  fi
  (
    pause=''
    nap() { sleep "$1" & pause=$!; wait "$pause"; }
    trap '' USR1
    trap '[ -z "$pause" ] || kill "$pause"; exit' TERM
    for ((left = seconds; left > 10; left -= 10)); do
      nap 10
      kill -USR1 "$child" 2>/dev/null
    done
    nap "$left"
    note "has not saved within $seconds s of the warning: ends the program"
    kill -TERM "$child" 2>/dev/null
    nap 10
    kill -KILL "$child" 2>/dev/null  # an mpirun that has lost a node does not end on TERM
  ) &
  timer=$!
}

# Slurm's own word: a job that was cancelled, is out of time, or is requeued by Slurm itself is no longer RUNNING.
ended_on_purpose() {
  local state
  for _ in 1 2 3; do
    state=$(job_field JobState)
    [ -z "$state" ] || break
    sleep 5
  done
  case $state in RUNNING | SIGNALING) return 1 ;; esac
  note "Slurm says ${state:-nothing}: is not requeued from here"
}

# What tells that a run got on, in one line: inode, time and size of each checkpoint. Tokenizers and collaborative models
# are trained before there is a last.
progress_of() {
  local states
  states=$(stat -L -c '%n %i %Y %s' "$1/checkpoints/last" "$1/checkpoints/tokenizer.h5" "$1/checkpoints/collaborative.h5" 2>/dev/null | tr '\n' ' ')
  states=${states% }  # read drops it, too
  printf '%s\n' "${states:-none}"
}

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
  local rc last arguments folder stopped
  folder=$(run_folder "$@")
  mkdir -p "$folder" || refuse 74 "cannot make the run folder $folder"
  [ -x "$program" ] || refuse 66 "$program is not there: build it with launch/build.sh (or set GENREC_PROGRAM)"
  arguments=("$1" --run.dir "$folder" --run.resume auto "${@:2}")

  rm -f "$folder/exit_code"
  start_program "${arguments[@]}"
  [ -z "$warned" ] || warn
  while :; do  # wait ends early when a trap runs
    rc=0
    wait "$child" || rc=$?
    kill -0 "$child" 2>/dev/null || break
  done
  last=0
  wait "$child" 2>/dev/null || last=$?
  [ "$last" -eq 127 ] || rc=$last  # it ended between the two lines above
  [ -z "$timer" ] || kill "$timer" 2>/dev/null
  note "exit code $rc"

  stopped=no
  case $rc in
    75) stopped=yes ;;
    1 | 137 | 138 | 143) stopped=${warned:-no} ;;  # ended before it could save: its last checkpoint holds
  esac
  if [ "$stopped" = yes ] && ! ended_on_purpose; then
    rc=75
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
