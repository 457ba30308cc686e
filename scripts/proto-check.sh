#!/usr/bin/env bash
# Checks the schemas: lint, format, no breaking change since the main branch's
# last state, and generated code that is what the generators make now.
set -euo pipefail
cd "$(dirname "$0")/.."

buf lint
buf format --diff --exit-code

# The newest commit before HEAD that has schemas is what consumers were built
# against; a repository without one (a fresh export) has nothing to break.
if base=$(git log -1 --skip=1 --format=%H -- proto/asfotec 2>/dev/null) && [[ -n $base ]]; then
  buf breaking --against ".git#ref=$base"
fi

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
buf generate --output "$out"
diff -r "$out/proto/gen/go" proto/gen/go
diff -r -x __pycache__ "$out/proto/gen/python" proto/gen/python
echo "schemas: linted, not broken, generated code current"
