#!/usr/bin/env bash
# Makes services/modelservice/.venv with ModelService's pinned requirements, and
# with --dev what its tests, the linters and `make proto` need, too. Quick when it
# is there: a stamp says what was installed.
set -euo pipefail
cd "$(dirname "$0")"

fail() { printf 'modelservice: %s\n' "$@" >&2; exit 1; }

lock=requirements.lock
[[ ${1:-} == --dev ]] && lock=requirements-dev.lock
venv=$PWD/.venv
stamp=$venv/installed

# What is installed is named by the digests of its lock file and of Python.
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  fail "Python 3.11 or later is needed, as python3 or named by PYTHON"
want() { echo "$("$python" --version) $(sha256sum <"$1")"; }
current() { [[ -x $venv/bin/python && -f $stamp && $(<"$stamp") == "$1" ]]; }

# The developers' environment has all that the other has.
for l in "$lock" requirements-dev.lock; do
  current "$(want "$l")" && exit 0
done

echo "modelservice: installing $lock into .venv" >&2
rm -rf "$venv"
"$python" -m venv "$venv" ||
  fail "python3 cannot make virtual environments: apt-get install python3-venv (or your system's way)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary=:all: -r "$lock" ||
  fail "pip could not install $lock: see its message above; a proxy or mirror goes in PIP_INDEX_URL"
# The code generated from proto/ lives beside the other languages'.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf '%s\n' "$PWD" "$(cd ../../proto/gen/python && pwd)" >"$site/churn.pth"
want "$lock" >"$stamp" # last: what is cut off begins anew
