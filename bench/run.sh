#!/usr/bin/env bash
# Measures against the peer: quality over ten split salts, and speed on a
# running stack. Usage: bench/run.sh [CSV]; the real Telco file if it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

csv=${1:-../shared/data/telco_churn.csv}
[[ -f $csv ]] || csv=data/telco_churn.csv
venv=bench/.venv
if [[ ! -x $venv/bin/python ]]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet -r bench/requirements.txt
fi

echo "== quality: $csv"
"$venv/bin/python" bench/peer/quality.py "$csv" bin/churnctl 10

state=$(mktemp -d)
bin/churnctl --state-dir "$state" up --serve=false >"$state/up.log" 2>&1 &
stack=$!
trap 'kill "$stack"; wait "$stack" || true; rm -rf "$state"' EXIT
until [[ -f $state/stack.json ]]; do sleep 0.1; done

echo "== speed: $csv"
"$venv/bin/python" bench/peer/latency.py "$csv" bin/churnctl "$state" 10
