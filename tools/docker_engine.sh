#!/usr/bin/env bash
# Makes sure a Docker engine answers: uses the one that runs, else (root on Debian or Ubuntu) installs and starts one.
#
# THUBON_INSTALL=no   installs and starts nothing, says what is missing instead.
# Exit status: 0 an engine answers, 1 none does and why.
set -euo pipefail

log=/var/log/thubon-dockerd.log

answers() { timeout 15 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

give_up() {
  printf '%s\n' "docker_engine: $1" >&2
  exit 1
}

if command -v docker >/dev/null && answers; then
  exit 0
fi

if [ -n "${DOCKER_HOST:-}" ]; then
  give_up "no Docker engine answers at DOCKER_HOST=$DOCKER_HOST. Start it, or unset DOCKER_HOST to use a local one."
fi
if [ "${THUBON_INSTALL:-yes}" = no ]; then
  give_up "no Docker engine answers and THUBON_INSTALL=no forbids to install one. Install and start Docker (Debian, Ubuntu: apt-get install docker.io), or point THUBON_TEST_DATABASE_URL and THUBON_TEST_BROKER_URL at running servers."
fi
if [ "$(id -u)" != 0 ]; then
  if [ -S /var/run/docker.sock ] && [ ! -w /var/run/docker.sock ]; then
    give_up "a Docker engine runs, but $(id -un) may not use it. Ask an administrator for: usermod -aG docker $(id -un), then log in again."
  fi
  give_up "no Docker engine answers. Ask an administrator for: apt-get install docker.io; usermod -aG docker $(id -un); then log in again."
fi

if ! command -v dockerd >/dev/null; then
  command -v apt-get >/dev/null || give_up "no Docker engine, and only Debian and Ubuntu are known here: install Docker by hand."
  echo "docker_engine: installing docker.io" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2
  apt-get install -y -qq --no-install-recommends docker.io iptables ca-certificates >&2
  # Debian 13 and later ship the command apart from the engine.
  command -v docker >/dev/null || apt-get install -y -qq --no-install-recommends docker-cli >&2
fi

if [ -d /run/systemd/system ]; then
  systemctl start docker
elif ! answers; then
  echo "docker_engine: starting dockerd, log in $log" >&2
  # A pid file left by an engine that died with its machine or container would stop the next one.
  if [ -f /var/run/docker.pid ] && ! kill -0 "$(cat /var/run/docker.pid)" 2>/dev/null; then
    rm -f /var/run/docker.pid
  fi
  # Its own session and no open descriptors of ours: it outlives the make that started it.
  setsid nohup dockerd --log-level warn </dev/null >>"$log" 2>&1 &
fi

for _ in $(seq 1 60); do
  if answers; then
    exit 0
  fi
  sleep 0.5
done
[ -f "$log" ] && tail -n 20 "$log" >&2
give_up "the Docker engine did not answer within 30 s."
