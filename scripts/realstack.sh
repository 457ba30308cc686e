#!/usr/bin/env bash
# Puts the real parts that tests run against into build/realstack: Apache Kafka
# (jars, from Maven Central), MinIO (built from its Go module), MLflow (a virtual
# environment, from PyPI). All are pinned by digest. They are kept in
# $XDG_CACHE_HOME/churn, named by what they are made from, so that other checkouts
# find them made; build/realstack has links to them.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=$PWD/tools/realstack
cache=${XDG_CACHE_HOME:-$HOME/.cache}/churn/realstack

fail() { printf 'realstack: %s\n' "$@" >&2; exit 1; }
say() { printf 'realstack: %s\n' "$@" >&2; }

# part NAME KEY...: has the function NAME fill the part's folder, unless it is there
# and complete. KEY says what it is made from.
part() {
  local name=$1 dir
  shift
  dir=$cache/$name-$(printf '%s\n' "$@" | sha256sum | cut -c -16)
  if [[ ! -e $dir/.complete ]]; then
    mkdir -p "$cache"
    (
      exec 9>"$cache/$name.lock"
      flock 9 # another checkout may be at it
      [[ -e $dir/.complete ]] && exit
      rm -rf "$dir"
      mkdir "$dir"
      "$name" "$dir"
      touch "$dir/.complete" # last: what is cut off begins anew
    )
  fi
  mkdir -p build/realstack
  ln -sfn "$dir" "build/realstack/$name"
}

has() { command -v "$1" >/dev/null || fail "$1 is missing. Install it and try again:" "  Debian, Ubuntu: sudo apt-get install $2"; }

need_java() {
  has java openjdk-17-jre-headless
  local version
  version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
  [[ ${version:-0} -ge 17 ]] || fail "Apache Kafka needs Java 17 or later, and java is version ${version:-unknown}:" "  Debian, Ubuntu: sudo apt-get install openjdk-17-jre-headless"
}

kafka() {
  has mvn maven
  say "getting Apache Kafka"
  mvn -B -ntp -q -f "$tools/kafka/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$1" >&2 ||
    fail "Maven could not get Apache Kafka: see its message above; a proxy or mirror goes in ~/.m2/settings.xml"
  (cd "$1" && sha256sum --quiet --strict --check "$tools/kafka/jars.sha256") ||
    fail "the jars are not those of tools/realstack/kafka/jars.sha256"
}

minio() {
  say "building MinIO, some minutes the first time"
  (cd "$tools/minio" && GOWORK=off CGO_ENABLED=0 go build -ldflags '-s -w' -o "$1/minio" github.com/minio/minio) ||
    fail "MinIO could not be built: see the message above"
}

mlflow() {
  say "installing MLflow"
  "$python" -m venv "$1" || fail "python3 cannot make virtual environments: apt-get install python3-venv"
  "$1/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary=:all: -r "$tools/mlflow/requirements.lock" ||
    fail "pip could not install tools/realstack/mlflow/requirements.lock: see its message above; a proxy or mirror goes in PIP_INDEX_URL"
}

need_java
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  fail "Python 3.11 or later is needed, as python3 or named by PYTHON"

part kafka "$(<tools/realstack/kafka/pom.xml)" "$(<tools/realstack/kafka/jars.sha256)"
part minio "$(<tools/realstack/minio/go.mod)" "$(<tools/realstack/minio/go.sum)" "$(go env GOVERSION GOARCH)"
part mlflow "$(<tools/realstack/mlflow/requirements.lock)" "$("$python" --version)" "$(command -v "$python")"
