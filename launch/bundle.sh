#!/usr/bin/env bash
# Packs the built program with the shared libraries that a node with LibTorch lacks (MPI, HDF5, glog, Boost,
# SentencePiece, ...) into one folder that runs there: launch/bundle.sh [BUILD_FOLDER [OUTPUT_FOLDER]]
#
#   launch/bundle.sh build bundle
#   scp -r bundle node: && ssh node bundle/run.sh -np 2 siit     (or: bundle/run.sh version)
#
# Not packed, because the node has them: the C and C++ run-time libraries, LibTorch, CUDA, NCCL, the GPU driver. The node finds
# LibTorch by LIBTORCH_ROOT, or in the Python named by PYTHON (python3). At most 60 MiB.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

build=${1:-$root/build}
bundle=${2:-$root/bundle}
limit_mib=60
[ -x "$build/genrec_dist" ] || die 66 "$build/genrec_dist is not there: build it with launch/build.sh"
command -v patchelf > /dev/null || die 66 "no patchelf: run launch/setup.sh"

# What every node with LibTorch has: never packed.
is_on_the_node() {
  case $1 in
    libcurl*) return 1 ;;  # of HDF5, not of CUDA
    ld-linux* | libc.so* | libm.so* | libdl.so* | libpthread.so* | librt.so* | libutil.so* | libresolv.so* | libanl.so*) return 0 ;;
    libstdc++.so* | libgcc_s.so* | libgomp.so* | libtorch* | libc10* | libshm.so* | libcaffe2*) return 0 ;;
    libcu* | libnv* | libnccl* | linux-vdso*) return 0 ;;
  esac
  return 1
}

# pack_libraries FILE...: what these files load, at any depth (ldd lists it all).
pack_libraries() {
  local file path
  for file in "$@"; do
    while read -r path; do
      is_on_the_node "$(basename "$path")" || [ -e "$bundle/lib/$(basename "$path")" ] || cp -L "$path" "$bundle/lib/"
    done < <(ldd "$file" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// {print $3}')
  done
}

# Only what this script wrote before is replaced.
if [ -e "$bundle" ] && ! { [ -f "$bundle/run.sh" ] && [ -f "$bundle/bin/genrec_dist" ]; }; then
  if [ ! -d "$bundle" ] || [ -n "$(ls -A "$bundle")" ]; then
    die 2 "$bundle is there and is no bundle: name another folder, or remove it"
  fi
fi
say "packs $build into $bundle"
rm -rf "$bundle"
mkdir -p "$bundle/bin" "$bundle/tests" "$bundle/lib" "$bundle/launch" "$bundle/configs"
cp "$build/genrec_dist" "$bundle/bin/"
# What is worth running on a GPU node; the other benchmarks measure the CPU.
for name in hf_parity bench_ceiling bench_train bench_decode bench_rqvae; do
  [ ! -x "$build/tests/$name" ] || cp "$build/tests/$name" "$bundle/tests/"
done
for file in "$bundle"/bin/genrec_dist "$bundle"/tests/*; do
  [ ! -f "$file" ] || strip --strip-unneeded "$file"
done
cp "$root"/launch/common.sh "$root"/launch/mpirun.sh "$bundle/launch/"
cp "$root"/configs/* "$bundle/configs/" 2>/dev/null || true
pack_libraries "$build/genrec_dist" "$bundle"/tests/*

# Open MPI: launcher, daemon, plug-ins, help texts and settings. Its folders are named by variables in run.sh.
if ldd "$build/genrec_dist" | grep -q 'libmpi\.so'; then
  command -v ompi_info > /dev/null || die 66 "no ompi_info: only Open MPI can be packed"
  ompi_path() { ompi_info --path "$1" --parsable | sed -n "s/^path:$1://p" | head -n 1; }
  mkdir -p "$bundle/mpi/bin" "$bundle/mpi/plugins" "$bundle/mpi/share" "$bundle/mpi/etc"
  cp -L "$(command -v mpirun)" "$bundle/mpi/bin/mpirun"
  cp -L "$(command -v orted)" "$bundle/mpi/bin/orted"
  cp "$(ompi_path pkglibdir)"/mca_*.so "$bundle/mpi/plugins/"
  cp -r "$(ompi_path pkgdatadir)/." "$bundle/mpi/share/"
  cp -rL "$(ompi_path sysconfdir)/." "$bundle/mpi/etc/" 2>/dev/null || true
  pack_libraries "$bundle"/mpi/bin/* "$bundle"/mpi/plugins/*.so
  # PMIx has plug-ins of its own.
  pmix=$(ldd "$bundle"/mpi/plugins/mca_pmix_ext*.so 2>/dev/null | awk '$1 ~ /^libpmix\.so/ {print $3; exit}')
  if [ -n "$pmix" ] && [ -d "$(dirname "$(readlink -f "$pmix")")/pmix" ]; then
    mkdir -p "$bundle/mpi/pmix"
    cp "$(dirname "$(readlink -f "$pmix")")"/pmix/*.so "$bundle/mpi/pmix/"
    pack_libraries "$bundle"/mpi/pmix/*.so
  fi
fi

# One place to look in, relative to each file. LibTorch comes from LD_LIBRARY_PATH.
for file in "$bundle"/bin/* "$bundle"/tests/*; do [ ! -f "$file" ] || patchelf --set-rpath "\$ORIGIN/../lib" "$file"; done
for file in "$bundle"/mpi/bin/*; do [ ! -f "$file" ] || patchelf --set-rpath "\$ORIGIN/../../lib" "$file"; done
for file in "$bundle"/mpi/plugins/*.so; do [ ! -f "$file" ] || patchelf --set-rpath "\$ORIGIN/../../lib" "$file"; done
for file in "$bundle"/mpi/pmix/*.so; do [ ! -f "$file" ] || patchelf --set-rpath "\$ORIGIN/../../lib" "$file"; done
chmod u+w "$bundle"/lib/*
for file in "$bundle"/lib/*; do patchelf --set-rpath "\$ORIGIN" "$file"; done

cat > "$bundle/run.sh" <<'RUN'
#!/usr/bin/env bash
# Runs the packed program: run.sh [-np N] [command and options], or run.sh --exec PROGRAM ARGUMENTS... (tests/hf_parity, say).
set -euo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
torch=${LIBTORCH_ROOT:-}
if [ -z "$torch" ]; then  # found without importing it, which would need all its Python packages
  torch=$("${PYTHON:-python3}" -c 'import importlib.util as u; s = u.find_spec("torch"); print(s.submodule_search_locations[0] if s else "")' 2>/dev/null || true)
fi
if [ ! -e "$torch/lib/libtorch_cpu.so" ]; then
  echo "run.sh: no LibTorch: set LIBTORCH_ROOT to its folder, or PYTHON to a Python that has torch" >&2
  exit 66
fi
libraries=$torch/lib
for folder in "$torch"/../nvidia/*/lib; do [ ! -d "$folder" ] || libraries=$libraries:$folder; done
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
if [ -d "$here/mpi" ]; then
  export OPAL_PREFIX=$here/mpi OPAL_BINDIR=$here/mpi/bin OPAL_LIBDIR=$here/lib OPAL_PKGLIBDIR=$here/mpi/plugins
  export OPAL_DATADIR=$here/mpi OPAL_PKGDATADIR=$here/mpi/share OPAL_SYSCONFDIR=$here/mpi/etc
  export PMIX_MCA_mca_base_component_path=$here/mpi/pmix PATH=$here/mpi/bin:$PATH
  # Without ssh there is only this node to start on.
  command -v ssh > /dev/null || command -v rsh > /dev/null || export OMPI_MCA_plm=${OMPI_MCA_plm:-isolated}
fi
case ${1:-} in
  -np | -n)
    export GENREC_PROGRAM=${GENREC_PROGRAM:-$here/bin/genrec_dist}
    exec "$here/launch/mpirun.sh" "$@" ;;
  --exec)
    program=$2
    shift 2
    [ -x "$program" ] || program=$here/$program
    exec "$program" "$@" ;;
  *) exec "$here/bin/genrec_dist" "$@" ;;
esac
RUN
chmod +x "$bundle/run.sh"

left=$(for file in "$bundle"/bin/* "$bundle"/tests/* "$bundle"/lib/* "$bundle"/mpi/bin/*; do
  [ ! -f "$file" ] || readelf -d "$file" 2>/dev/null | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p'
done | sort -u | while read -r name; do
  is_on_the_node "$name" || [ -e "$bundle/lib/$name" ] || echo "$name"
done)
[ -z "$left" ] || die 1 "not found, so not packed: $left"
size=$(du -sm "$bundle" | cut -f1)
say "$size MiB in $bundle"
[ "$size" -le "$limit_mib" ] || die 1 "$bundle is larger than $limit_mib MiB"
