#!/usr/bin/env bash
# Puts a link to the browser of the tests at build/browser/chromium: the Chromium
# that is installed, or the system's package of it. Quick when it is there.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { printf 'browser: %s\n' "$@" >&2; exit 1; }

find_browser() {
  local name
  for name in chromium chromium-headless-shell chromium-browser google-chrome; do
    command -v "$name" && return
  done
}

browser=$(find_browser) || true
if [[ -z $browser && $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
  echo "browser: installing Chromium" >&2
  apt-get install -y -q chromium >&2 || { apt-get update -q >&2 && apt-get install -y -q chromium >&2; } || true
  browser=$(find_browser) || true
fi
[[ -n $browser ]] || fail "Chromium, which the tests of the report look at it with, is missing. Install it and try again:" \
  "  Debian: sudo apt-get install chromium" "  Fedora: sudo dnf install chromium"
mkdir -p build/browser
ln -sfn "$browser" build/browser/chromium
