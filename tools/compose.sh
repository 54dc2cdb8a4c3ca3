#!/usr/bin/env bash
# Runs compose, whichever this machine has: the plugin of version 2, or docker-compose 1.29 or later.
# As root on Debian or Ubuntu installs docker-compose where there is neither (THUBON_INSTALL=no forbids it).
set -euo pipefail
cd "$(dirname "$0")/.."

if docker compose version >/dev/null 2>&1; then exec docker compose "$@"; fi
if ! command -v docker-compose >/dev/null; then
  if [ "${THUBON_INSTALL:-yes}" = no ] || [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "compose: neither 'docker compose' nor docker-compose is installed: apt-get install docker-compose" >&2
    exit 1
  fi
  echo "compose: installing docker-compose" >&2
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker-compose >&2
fi
exec docker-compose "$@"
