#!/usr/bin/env bash
# clean.sh DATA_DIR: removes what demo and tests made: data, caches, containers of test runs that are gone.
# Keeps .venv, the images, the volumes of compose and the backups.
set -euo pipefail
cd "$(dirname "$0")/.."
data_dir=${1:-.demo}

if [ -f "$data_dir/postmaster.pid" ] || compgen -G "$data_dir/*/postmaster.pid" >/dev/null; then
  for file in "$data_dir"/postmaster.pid "$data_dir"/*/postmaster.pid; do
    if [ -f "$file" ] && kill -0 "$(head -n 1 "$file")" 2>/dev/null; then
      echo "clean: a demo runs on $data_dir: end it first (Ctrl-C)" >&2
      exit 1
    fi
  done
fi
case $data_dir in
  / | . | .. | "$HOME") echo "clean: DATA_DIR=$data_dir is not a directory of a demo" >&2 && exit 2 ;;
esac
# Started by root in a place closed to others, a demo keeps its PostgreSQL below /var/tmp.
if [ -L "$data_dir/postgres" ]; then
  elsewhere=$(dirname "$(readlink "$data_dir/postgres")")
  case $elsewhere in /var/tmp/thubon-demo-*) rm -rf -- "$elsewhere" ;; esac
fi
rm -rf -- "$data_dir" .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis screenshots bench-load build dist
find . -name __pycache__ -not -path './.venv/*' -not -path '*/node_modules/*' -prune -exec rm -rf {} +

if command -v docker >/dev/null && timeout 15 docker version >/dev/null 2>&1; then
  docker ps --all --filter label=thubon.tests.pid --format '{{.ID}} {{.Label "thubon.tests.pid"}}' |
    while read -r id pid; do
      [ -d "/proc/$pid" ] || docker rm --force --volumes "$id" >/dev/null
    done
fi
