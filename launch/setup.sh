#!/usr/bin/env bash
# Installs what is missing to build genrec_dist; does nothing when all of it is there.
#
#   launch/setup.sh [--cuda | --cpu] [--peers] [--slurm] [--no-packages]
#
#   --cuda         LibTorch with all its CUDA libraries (5 GB); the default where nvidia-smi finds a GPU
#   --cpu          only what the CPU needs (1.4 GB on disk); the default elsewhere
#   --peers        Python packages that compare with Hugging Face (implies --cuda's set: they import torch)
#   --slurm        a Slurm to test the job scripts with
#   --no-packages  leave the system's packages alone (modules or own builds provide them)
#
# LIBTORCH_ROOT=<unpacked LibTorch> in the environment: no torch wheel is installed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

torch_version=2.11.0
packages=(g++ make git ccache pkg-config patchelf ca-certificates openmpi-bin libopenmpi-dev libhdf5-dev
  libgoogle-glog-dev libboost-program-options-dev libgtest-dev libgmock-dev libbenchmark-dev
  nlohmann-json3-dev libsentencepiece-dev libeigen3-dev libspectra-dev libssl-dev libtcmalloc-minimal4)
slurm_packages=(slurm-wlm munge libpmix-dev)
build_wheels=(cmake==4.4.4 ninja==1.13.2)
lean_wheels=(nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85)
peer_wheels=(transformers==5.23.0 h5py==3.16.0 safetensors==0.8.0 sentencepiece==0.2.3 numpy==2.4.6 protobuf==7.36.2)

torch_set=auto peers=no install_packages=yes
for argument in "$@"; do
  case $argument in
    --cuda) torch_set=full ;;
    --cpu) torch_set=lean ;;
    --peers) peers=yes ;;
    --slurm) packages+=("${slurm_packages[@]}") ;;
    --no-packages) install_packages=no ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) die 2 "unknown option $argument: expected --cuda, --cpu, --peers, --slurm or --no-packages" ;;
  esac
done
if [ "$torch_set" = auto ]; then
  if nvidia-smi -L > /dev/null 2>&1; then torch_set=full; else torch_set=lean; fi
fi
[ "$peers" = no ] || torch_set=full

mkdir -p "$root/build"
log=$root/build/setup.log
exec 9> "$root/build/setup.lock"
flock 9  # two set-ups of one folder wait for each other

timed() {  # timed WHAT COMMAND...
  local what=$1 began=$SECONDS
  shift
  say "$what"
  logged "$log" "$@" || exit 1
  say "  done in $((SECONDS - began)) s"
}

# A Python of at least 3.10 that can make virtual environments.
find_python() {
  local candidate
  for candidate in python3 /usr/bin/python3 python3.13 python3.12 python3.11 python3.10; do
    if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' > /dev/null 2>&1; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

install_debian_packages() {
  local missing=() name runner=()
  for name in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
  done
  venv_works || find_python > /dev/null || missing+=(python3 python3-venv)
  if [ ${#missing[@]} -eq 0 ]; then
    say "system packages: all there"
    return
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if sudo -n true 2>/dev/null; then
      runner=(sudo -n)
    elif [ -t 0 ] && command -v sudo > /dev/null; then
      runner=(sudo)
      sudo -v || exit 1
    else
      die 2 "no root here: load modules (or ask) for: ${missing[*]}; then cmake --preset release -DCMAKE_PREFIX_PATH=<unpacked LibTorch> && cmake --build build"
    fi
  fi
  # Old package lists may do, so a failing update is no end.
  logged "$log" "${runner[@]}" apt-get update || true
  timed "installs system packages, about 2 minutes: ${missing[*]}" \
    "${runner[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
}

# Is .venv whole? One whose making was interrupted has a python, but no pip.
venv_works() { "$root/.venv/bin/python" -m pip --version > /dev/null 2>&1; }

# installed NAME[==VERSION]...: are all of these in .venv? (metadata only, nothing is imported)
installed() {
  "$root/.venv/bin/python" - "$@" <<'PYTHON'
import importlib.metadata as metadata
import sys
for requirement in sys.argv[1:]:
    name, _, version = requirement.partition("==")
    try:
        found = metadata.version(name).split("+")[0]
    except metadata.PackageNotFoundError:
        sys.exit(1)
    if version and found != version:
        sys.exit(1)
PYTHON
}

pip_install() { "$root/.venv/bin/python" -m pip install --no-input --disable-pip-version-check "$@"; }

install_venv() {
  local python
  if ! venv_works; then
    python=$(find_python) || die 2 "no Python 3.10 or newer that can make virtual environments: install python3 and python3-venv"
    timed "makes .venv with $python" "$python" -m venv --clear "$root/.venv"
  fi
  installed "${build_wheels[@]}" || timed "installs ${build_wheels[*]} into .venv" pip_install "${build_wheels[@]}"
  if [ -n "${LIBTORCH_ROOT:-}" ]; then
    say "LibTorch: $LIBTORCH_ROOT"
  elif [ "$torch_set" = full ]; then
    installed "torch==$torch_version" typing_extensions nvidia-cudnn-cu13 nvidia-nccl-cu13 ||
      timed "installs torch $torch_version with all CUDA libraries into .venv, 5 GB, about 4 minutes" \
        pip_install "torch==$torch_version"
  else
    installed "torch==$torch_version" "${lean_wheels[@]}" ||
      timed "installs torch $torch_version (CPU part) into .venv, 1.4 GB, about 1 minute" \
        pip_install --no-deps "torch==$torch_version" "${lean_wheels[@]}"
  fi
  if [ "$peers" = yes ]; then
    installed "${peer_wheels[@]}" ||
      timed "installs ${peer_wheels[*]} into .venv, about 1 minute" pip_install "${peer_wheels[@]}"
  fi
  say ".venv: all there ($torch_set torch set)"
}

if [ "$install_packages" = yes ]; then
  if command -v dpkg-query > /dev/null && command -v apt-get > /dev/null; then
    install_debian_packages
  else
    say "not a Debian system; what must be there (as modules, say): C++20 compiler, MPI, HDF5, glog, Boost.Program_options, GoogleTest, Google Benchmark, nlohmann-json, SentencePiece, Eigen, Spectra, OpenSSL, pkg-config; tcmalloc makes it faster"
  fi
fi
install_venv
