#!/usr/bin/env bash
# Puts LightGBM's library at build/lightgbm/<version>/lib_lightgbm.so, out of the
# official wheel. Both the wheel and the library must have the pinned digests.
# Quick when it is there. Linux with glibc only, as is the training; macOS and
# musl have no pinned library.
set -euo pipefail
cd "$(dirname "$0")/.."

requirements=scripts/lightgbm-requirements.txt
version=$(sed -n 's/^lightgbm==\([0-9.]*\).*/\1/p' "$requirements")
dir=build/lightgbm/$version

fail() { printf 'lightgbm: %s\n' "$@" >&2; exit 1; }

case $(uname -s)/$(uname -m) in
  Linux/x86_64) platform=linux/amd64 tags=(manylinux_2_28_x86_64 manylinux_2_27_x86_64) ;;
  Linux/aarch64) platform=linux/arm64 tags=(manylinux_2_17_aarch64 manylinux2014_aarch64) ;;
  *) fail "$(uname -s) on $(uname -m) has no pinned library: train on Linux, x86-64 or aarch64, with glibc" ;;
esac
# The same file is compiled into the programs, which check the library again.
pinned=$(awk -v p="$platform" '$2 == p {print $1}' pkg/gbdt/lightgbm/library.sha256)

is_pinned() { [[ -f $1 && $(sha256sum <"$1") == "$pinned  -" ]]; }

download() {
  python3 -m pip --version >/dev/null 2>&1 ||
    fail "python3 with pip is needed to fetch LightGBM: apt-get install python3 python3-pip (or your system's way)"
  mkdir -p "$dir"
  local tmp
  tmp=$(mktemp -d "$dir/.download-XXXXXX")
  # shellcheck disable=SC2064 # expanded now: tmp is local
  trap "rm -rf '$tmp'" EXIT
  # Only the library inside is used, so this Python's own version is no matter.
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary=:all: --python-version 3.11 "${tags[@]/#/--platform=}" --dest "$tmp" -r "$requirements" ||
    fail "pip could not fetch lightgbm $version: see its message above; a proxy or mirror goes in PIP_INDEX_URL"
  python3 -m zipfile -e "$tmp"/*.whl "$tmp"
  is_pinned "$tmp/lightgbm/lib/lib_lightgbm.so" ||
    fail "the library in the wheel is not the pinned one for $platform"
  cp "$(find "$tmp" -name LICENSE -path '*.dist-info/*' | head -n 1)" "$dir/LICENSE"
  mv "$tmp/lightgbm/lib/lib_lightgbm.so" "$dir/lib_lightgbm.so" # last, and in one step
}

has_libgomp() {
  local d extra=${LD_LIBRARY_PATH:-}
  for d in /lib /usr/lib /lib64 /usr/lib64 /usr/local/lib /lib/*-linux-gnu /usr/lib/*-linux-gnu ${extra//:/ }; do
    [[ -e $d/libgomp.so.1 ]] && return 0
  done
  PATH=$PATH:/sbin:/usr/sbin ldconfig -p 2>/dev/null | grep 'libgomp\.so\.1 ' >/dev/null
}

# LightGBM's threads come from GCC's OpenMP runtime, which the wheel lacks.
need_libgomp() {
  has_libgomp && return
  if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    echo "lightgbm: installing libgomp1, which LightGBM needs" >&2
    apt-get install -y -q libgomp1 >&2 || { apt-get update -q >&2 && apt-get install -y -q libgomp1 >&2; } || true
    has_libgomp && return
  fi
  fail "libgomp.so.1, which LightGBM needs, is missing. Install it and try again:" \
    "  Debian, Ubuntu: sudo apt-get install libgomp1" "  Fedora, RHEL:   sudo dnf install libgomp"
}

is_pinned "$dir/lib_lightgbm.so" || download
need_libgomp
