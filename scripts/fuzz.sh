#!/usr/bin/env bash
# Runs every fuzz target of every module: for TIME each, or for TIME in all.
#
#     scripts/fuzz.sh each 30s
#     scripts/fuzz.sh all 1h
#
# A crash comes with the command that repeats it; the other targets run all the
# same. Besides crashes it finds calls that take 10 s (on a machine with little time
# to spare, any may), allocate too much, or leave something behind: pkg/soak. What a
# target has found stays in the Go build cache, for the next time.
set -euo pipefail
cd "$(dirname "$0")/.."
how=$1 time=$2

mapfile -t targets < <(grep -roE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . |
  sed -E 's|/[^/]+_test.go:func | |' | sort)
if [[ $how == all ]]; then
  seconds=$(sed -E 's/^([0-9]+)h$/\1*3600/; s/^([0-9]+)m$/\1*60/; s/^([0-9]+)s$/\1/' <<<"$time")
  time=$((seconds / ${#targets[@]}))s
fi
echo "${#targets[@]} targets, $time each"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
total=0 crashes=0
for target in "${targets[@]}"; do
  read -r folder name <<<"$target"
  if ! CGO_ENABLED=0 go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 1s "$folder" </dev/null &>"$log"; then
    cat "$log"
    input=$(sed -nE "s/.*go test -run=($name\/[0-9a-f]+).*/\1/p" "$log" | head -1)
    echo "$folder $name has failed; to repeat it: CGO_ENABLED=0 go test -run '${input:-$name}' $folder"
    crashes=$((crashes + 1))
    continue
  fi
  # Such as: fuzz: elapsed: 30s, execs: 12345 (411/sec), new interesting: 3 (total: 99)
  found=$(grep -oE 'execs: .*' "$log" | tail -1)
  execs=$(sed -E 's/execs: ([0-9]+).*/\1/' <<<"$found")
  total=$((total + execs))
  printf '%-24s %-16s %s\n' "${folder#./}" "$name" "$found"
done
echo "${#targets[@]} targets, $total executions, $crashes crashes"
((crashes == 0))
