#!/usr/bin/env bash
# Runs every test in two pytest processes side by side: most tests wait for a server, so one alone leaves a core idle.
#
# Usage: tools/test.sh PYTHON
# The first prints as it goes; the second, into a file meanwhile, is shown when both have ended.
# Exit status: 0 when both passed, else that of the first that did not.
set -uo pipefail
cd "$(dirname "$0")/.."
python=$1

if [ -n "${THUBON_TEST_DATABASE_URL:-}${THUBON_TEST_BROKER_URL:-}" ]; then
  # On one given broker they would hear each other.
  exec "$python" -m pytest tests
fi

meanwhile=$(mktemp)
trap 'rm -f "$meanwhile"' EXIT

first=(tests/integration)
second=(tests --ignore=tests/integration)

echo "$python -m pytest ${second[*]} (meanwhile; shown at the end)"
"$python" -m pytest "${second[@]}" >"$meanwhile" 2>&1 &
second_pid=$!
trap 'kill -INT $second_pid 2>/dev/null; wait; rm -f "$meanwhile"; exit 130' INT TERM
echo "$python -m pytest ${first[*]}"
"$python" -m pytest "${first[@]}"
first_status=$?
wait $second_pid
second_status=$?

echo
echo "$python -m pytest ${second[*]}"
cat "$meanwhile"
[ $first_status = 0 ] || exit $first_status
exit $second_status
