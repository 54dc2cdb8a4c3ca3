#!/usr/bin/env bash
# up.sh [--profile demo]: builds the images and starts the services of compose.yaml; says where the page is.
set -euo pipefail
cd "$(dirname "$0")/.."

images=(app broker)
if [ -z "${TIMESCALEDB_IMAGE:-}" ]; then
  images+=(timescaledb)
elif ! docker image inspect "$TIMESCALEDB_IMAGE" >/dev/null 2>&1; then
  # Pulled here: compose would build our own image under that name.
  docker pull --quiet "$TIMESCALEDB_IMAGE" >&2
fi
tools/docker_images.sh "${images[@]}"
if [ ! -s .secrets/tls/server.crt ]; then
  # In a container: this machine need have nothing but Docker. The authority's key stays here, readable by us alone.
  mkdir -p .secrets/tls
  names=(broker localhost 127.0.0.1 ::1 "$(hostname)")
  case ${THUBON_BIND:-127.0.0.1} in 127.0.0.1 | 0.0.0.0 | ::) ;; *) names+=("$THUBON_BIND") ;; esac
  for command in "authority /tls" "server /tls ${names[*]}"; do
    # shellcheck disable=SC2086  # words of their own
    docker run --rm --network none --user "$(id -u):$(id -g)" --volume "$PWD/.secrets/tls:/tls" \
      --volume "$PWD/tools/development_ca.py:/development_ca.py:ro" thubon-app python /development_ca.py $command >/dev/null
  done
  chmod 644 .secrets/tls/server.key # as for the other secrets: the folder above is closed
fi
tools/compose.sh "$@" up -d
# The logins of this version, for a database that an earlier one made.
tools/compose.sh exec -T timescaledb sh /docker-entrypoint-initdb.d/100-thubon.sh >/dev/null

address=http://${THUBON_BIND:-127.0.0.1}:${THUBON_HTTP_PORT:-8000}/
for _ in $(seq 1 120); do
  if tools/compose.sh exec -T api python -c "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)" >/dev/null 2>&1; then
    echo "The page: $address"
    if [ ! -s .secrets/admin_password ]; then
      # The first administrator; an installation that has one keeps it.
      tools/compose.sh exec -T api python -m api create-admin --generate --unless-any admin >.secrets/admin_password
    fi
    if [ -s .secrets/admin_password ]; then
      echo "Its first account: admin, with the password in $PWD/.secrets/admin_password"
    fi
    echo "The token for programs: $PWD/.secrets/api_token"
    exit 0
  fi
  sleep 1
done
tools/compose.sh ps >&2
echo "up: the API does not answer yet; see: tools/compose.sh logs" >&2
exit 1
