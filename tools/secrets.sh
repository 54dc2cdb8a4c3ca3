#!/usr/bin/env bash
# Makes the passwords and addresses that compose.yaml hands to its services, in .secrets/. What stands there already stays.
#
# The directory is closed to other users of the machine. The files in it are readable, because compose mounts them
# with their own mode into containers whose programs run as other users.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=.secrets
mkdir -p $folder
chmod 700 $folder

word() { # word NAME: a secret of its own, made once
  if [ ! -s "$folder/$1" ]; then
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$folder/$1"
  fi
  cat "$folder/$1"
}

derived() { # derived NAME TEXT: follows from the words, so it is written anew each time
  printf '%s' "$2" >"$folder/$1"
}

at=timescaledb:5432/thubon
derived migrate_database_url "postgresql://postgres:$(word administrator_password)@$at"
derived registry_database_url "postgresql://thubon_registry_login:$(word registry_password)@$at"
derived ingest_database_url "postgresql://thubon_ingest_login:$(word ingest_password)@$at"
derived identity_database_url "postgresql://thubon_identity_login:$(word identity_password)@$at"
derived read_database_url "postgresql://thubon_read_login:$(word read_password)@$at"
derived api_database_url "postgresql://thubon_api_login:$(word api_password)@$at"

derived ingest_broker_url "mqtt://ingest:$(word broker_ingest_password)@broker:1883"
derived broker_users "ingest:$(word broker_ingest_password)
"
word api_token >/dev/null
find $folder -maxdepth 1 -type f -exec chmod 644 {} +
