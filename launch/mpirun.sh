#!/usr/bin/env bash
# Runs genrec_dist on N ranks: launch/mpirun.sh -np N [command and options of the program].
#
# Chooses what mpirun does not: threads a rank (OMP_NUM_THREADS: cores / ranks unless set), binding (each rank to its
# own cores where they suffice), sharing of cores where they do not, and running as root. What is set already stays.
# Environment: GENREC_PROGRAM (default build/genrec_dist); GENREC_MPIRUN_OPTIONS, further options of mpirun
# (for instance "--hostfile hosts"). Signals reach mpirun itself, which forwards USR1 to the ranks.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

ranks=
case ${1:-} in
  -np | -n) ranks=${2:-}; shift "$(($# < 2 ? $# : 2))" ;;
  -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
esac
case $ranks in '' | *[!0-9]* | 0) die 2 "how many ranks? launch/mpirun.sh -np N [options of the program]" ;; esac

program=${GENREC_PROGRAM:-$root/build/genrec_dist}
[ -x "$program" ] || die 66 "$program is not there: build it with launch/build.sh (or set GENREC_PROGRAM)"
mpirun=$(command -v mpirun) || die 66 "no mpirun on the PATH: install openmpi-bin or load the MPI module that the program was built with"

# mpirun and the program must belong to one MPI, else each rank believes to be alone.
folder_of() { ldd "$1" 2>/dev/null | awk -v name="$2" 'index($1, name) == 1 && $3 ~ /^\// {print $3; exit}' | xargs -r readlink -f | xargs -r dirname || true; }
family=other
case $(mpirun --version 2>/dev/null || true) in *"Open MPI"* | *"OpenRTE"* | *PRRTE* | *prte*) family=openmpi ;; esac
linked=$(ldd "$program" 2>/dev/null | awk '$1 ~ /^libmpi(ch)?\.so/ {print $1; exit}') || true
case $linked:$family in
  libmpi.so.40:other | libmpi.so.12:openmpi | libmpich*:openmpi)
    die 2 "$mpirun and $program belong to different MPI libraries ($linked): put the mpirun of the program's MPI first on the PATH" ;;
esac
mpi_folder=$(folder_of "$program" libmpi.so)
runtime_folder=$(folder_of "$mpirun" libopen-pal.so)
if [ -n "$mpi_folder" ] && [ -n "$runtime_folder" ] && [ "${mpi_folder%/openmpi/lib}" != "${runtime_folder%/openmpi/lib}" ]; then
  say "warning: the program uses the MPI in $mpi_folder, but $mpirun the one in $runtime_folder" >&2
fi

options=(-np "$ranks")
if [ "$family" = openmpi ]; then
  if [ "$(id -u)" -eq 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  fi
  several_hosts=no
  case " ${GENREC_MPIRUN_OPTIONS:-} " in *host*) several_hosts=yes ;; esac
  [ "${SLURM_JOB_NUM_NODES:-1}" = 1 ] || several_hosts=yes
  [ -z "${PBS_NODEFILE:-}" ] || several_hosts=yes
  bound=no
  for name in OMPI_MCA_hwloc_base_binding_policy OMPI_MCA_rmaps_base_mapping_policy PRTE_MCA_hwloc_default_binding_policy; do
    [ -z "${!name:-}" ] || bound=yes
  done
  if [ $several_hosts = yes ]; then
    export OMP_NUM_THREADS=${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}
  else
    # Cores that this process may use; two hardware threads of a core count once.
    allowed=$(awk '/^Cpus_allowed_list:/ {print $2}' /proc/self/status)
    cores=$(lscpu -p=CPU,CORE,SOCKET 2>/dev/null | awk -F, -v allowed="$allowed" '
      BEGIN { n = split(allowed, part, ","); for (i = 1; i <= n; i++) { m = split(part[i], r, "-"); for (c = r[1]; c <= r[m]; c++) ok[c] = 1 } }
      !/^#/ && ($1 in ok) { seen[$2 "," $3] = 1 }
      END { n = 0; for (s in seen) n++; print n }')
    [ "${cores:-0}" -ge 1 ] || cores=$(nproc)
    threads=${OMP_NUM_THREADS:-$((cores / ranks > 0 ? cores / ranks : 1))}
    export OMP_NUM_THREADS=$threads
    if [ "$ranks" -gt "$cores" ]; then
      options+=(--oversubscribe --bind-to none)
      export OMPI_MCA_mpi_yield_when_idle=${OMPI_MCA_mpi_yield_when_idle:-1}
    elif [ $bound = no ]; then
      # Inside a batch job the slots are not this machine's cores: leave the mapping to the batch system.
      if [ -z "${SLURM_JOB_ID:-}" ] && [ "${threads%%,*}" -ge 1 ] && [ $((ranks * ${threads%%,*})) -le "$cores" ]; then
        options+=(--map-by "slot:PE=${threads%%,*}" --bind-to core)
      else
        options+=(--bind-to none)
      fi
    fi
  fi
  options+=(-x OMP_NUM_THREADS)
else
  export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
fi
read -r -a more <<< "${GENREC_MPIRUN_OPTIONS:-}"
exec "$mpirun" "${options[@]}" "${more[@]}" "$program" "$@"
