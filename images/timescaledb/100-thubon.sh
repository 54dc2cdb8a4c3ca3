#!/bin/sh
# Runs once, on an empty data directory (also inside a community-edition image, whose entry point knows this directory):
# takes in our settings and makes a login a program, each with no more than it needs.
set -eu

secret() { # secret NAME: the value of THUBON_NAME_PASSWORD or of the file THUBON_NAME_PASSWORD_FILE; empty when neither is set
  eval "value=\${THUBON_$1_PASSWORD:-} file=\${THUBON_$1_PASSWORD_FILE:-}"
  if [ -z "$value" ] && [ -n "$file" ]; then value=$(cat "$file"); fi
  printf %s "$value"
}

echo "include_if_exists = '/etc/thubon/postgresql.conf'" >>"$PGDATA/postgresql.conf"

migrate=$(secret MIGRATE)
ingest=$(secret INGEST)
read=$(secret READ)
if [ -z "$migrate$ingest$read" ]; then
  echo "100-thubon: no login passwords given, so no logins are made"
  exit 0
fi

psql -v ON_ERROR_STOP=1 --no-psqlrc -U "$POSTGRES_USER" -d "$POSTGRES_DB" \
  -v migrate="$migrate" -v ingest="$ingest" -v read="$read" -v database="$POSTGRES_DB" <<'SQL'
create role thubon_owner nologin;
create role thubon_ingest nologin;
create role thubon_read nologin;

create role thubon_migrate_login login createrole password :'migrate' in role thubon_owner;
create role thubon_ingest_login login password :'ingest' in role thubon_ingest;
create role thubon_read_login login password :'read' in role thubon_read;

-- The migrations make the extension and a function that asks df for the free space.
alter database :"database" owner to thubon_migrate_login;
grant pg_execute_server_program to thubon_migrate_login;
revoke connect on database :"database" from public;
grant connect on database :"database" to thubon_migrate_login, thubon_ingest, thubon_read;
SQL
