#!/usr/bin/env bash
# Prints the path of a Chromium for the browser tests; as root on Debian or Ubuntu installs one where there is none.
#
# THUBON_TEST_CHROMIUM  takes this one
# THUBON_INSTALL=no     installs nothing, says what is missing instead
set -euo pipefail
cd "$(dirname "$0")/.."

find_browser() {
  for name in ${THUBON_TEST_CHROMIUM:-chromium google-chrome chrome}; do
    # Ubuntu's chromium-browser is a doorway to a snap, which no container has: it is not looked for.
    if command -v "$name" 2>/dev/null; then return; fi
  done
  for path in "${PLAYWRIGHT_BROWSERS_PATH:-$HOME/.cache/ms-playwright}"/chromium-*/chrome-linux*/chrome; do
    if [ -x "$path" ]; then echo "$path" && return; fi
  done
  return 1
}

if find_browser; then exit 0; fi
if [ "${THUBON_INSTALL:-yes}" = no ] || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "chromium: the browser tests need Chromium: apt-get install chromium (Debian), or .venv/bin/playwright install chromium" >&2
  exit 1
fi
echo "chromium: installing" >&2
if grep -q '^ID=debian' /etc/os-release; then
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >&2
else
  .venv/bin/playwright install --with-deps chromium >&2
fi
find_browser
