#!/bin/sh
# Runs once, on an empty data directory (also inside a community-edition image, whose entry point knows this directory):
# takes in our settings and makes a login a program, each with no more than it needs.
set -eu

secret() { # secret NAME: THUBON_NAME_PASSWORD or what the file THUBON_NAME_PASSWORD_FILE holds
  eval "value=\${THUBON_$1_PASSWORD:-} file=\${THUBON_$1_PASSWORD_FILE:-}"
  if [ -z "$value" ] && [ -n "$file" ]; then value=$(cat "$file"); fi
  printf %s "$value"
}

echo "include_if_exists = '/etc/thubon/postgresql.conf'" >>"$PGDATA/postgresql.conf"

registry=$(secret REGISTRY)
ingest=$(secret INGEST)
read=$(secret READ)
api=$(secret API)
if [ -z "$registry" ] || [ -z "$ingest" ] || [ -z "$read" ] || [ -z "$api" ]; then
  echo "100-thubon: THUBON_REGISTRY_PASSWORD, THUBON_INGEST_PASSWORD, THUBON_READ_PASSWORD and THUBON_API_PASSWORD are not all given: no logins made"
  exit 0
fi

# The migrations, which run as the administrator, give the roles their rights.
psql -v ON_ERROR_STOP=1 --no-psqlrc -q -U "$POSTGRES_USER" -d "$POSTGRES_DB" \
  -v registry="$registry" -v ingest="$ingest" -v read="$read" -v api="$api" -v database="$POSTGRES_DB" <<'SQL'
create role thubon_owner nologin;
create role thubon_ingest nologin;
create role thubon_read nologin;
create role thubon_api nologin;
create role thubon_registry_login login password :'registry' in role thubon_owner;
create role thubon_ingest_login login password :'ingest' in role thubon_ingest;
create role thubon_read_login login password :'read' in role thubon_read;
create role thubon_api_login login password :'api' in role thubon_api;
revoke connect on database :"database" from public;
grant connect on database :"database" to thubon_owner, thubon_ingest, thubon_read, thubon_api;
SQL
