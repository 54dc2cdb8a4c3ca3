#!/usr/bin/env bash
# audit.sh [--unless-away]: known weaknesses of the pinned dependencies, by the advisories of the package index.
# Status 1: there are some, they are listed. With --unless-away nobody is stopped where the index does not answer.
set -euo pipefail
cd "$(dirname "$0")/.."
found=$(mktemp)
trap 'rm -f "$found"' EXIT
# The list is written only when every package was looked up.
if timeout 300 .venv/bin/pip-audit --require-hashes --disable-pip --progress-spinner off -r requirements.lock -f json -o "$found"; then
  echo "audit: no known weakness"
elif [ -s "$found" ]; then
  .venv/bin/python -c '
import json, sys
for each in json.load(open(sys.argv[1]))["dependencies"]:
    for weakness in each.get("vulns", ()):
        print("audit:", each["name"], each["version"], weakness["id"], "mended in", ", ".join(weakness["fix_versions"]) or "nothing yet")
' "$found"
  exit 1
else
  echo "audit: not done, the package index does not answer" >&2
  [ "${1:-}" = --unless-away ]
fi
