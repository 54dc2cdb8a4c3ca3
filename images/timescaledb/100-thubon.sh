#!/bin/sh
# Takes in our settings and makes a login a program, each with no more than it needs. Runs at the first start, on an empty
# data directory (also inside a community-edition image, whose entry point knows this directory); `make up` runs it again,
# for the logins that a newer version brings.
set -eu
: "${POSTGRES_USER:=postgres}" "${POSTGRES_DB:=$POSTGRES_USER}"

secret() { # secret NAME: THUBON_NAME_PASSWORD or what the file THUBON_NAME_PASSWORD_FILE holds
  eval "value=\${THUBON_$1_PASSWORD:-} file=\${THUBON_$1_PASSWORD_FILE:-}"
  if [ -z "$value" ] && [ -n "$file" ]; then value=$(cat "$file"); fi
  printf %s "$value"
}

if ! grep -q '/etc/thubon/postgresql.conf' "$PGDATA/postgresql.conf"; then
  echo "include_if_exists = '/etc/thubon/postgresql.conf'" >>"$PGDATA/postgresql.conf"
fi

registry=$(secret REGISTRY)
ingest=$(secret INGEST)
read=$(secret READ)
api=$(secret API)
identity=$(secret IDENTITY)
if [ -z "$registry" ] || [ -z "$ingest" ] || [ -z "$read" ] || [ -z "$api" ] || [ -z "$identity" ]; then
  echo "100-thubon: THUBON_REGISTRY_PASSWORD, THUBON_INGEST_PASSWORD, THUBON_READ_PASSWORD, THUBON_API_PASSWORD and THUBON_IDENTITY_PASSWORD are not all given: no logins made"
  exit 0
fi

# The migrations, which run as the administrator, give the roles their rights.
psql -v ON_ERROR_STOP=1 --no-psqlrc -q -U "$POSTGRES_USER" -d "$POSTGRES_DB" -v database="$POSTGRES_DB" \
  -v registry="$registry" -v ingest="$ingest" -v read="$read" -v api="$api" -v identity="$identity" <<'SQL'
select format('create role %I nologin', name)
from unnest(array['thubon_owner', 'thubon_ingest', 'thubon_read', 'thubon_api', 'thubon_identity']) name
where not exists (select from pg_roles where rolname = name) \gexec
select format('create role %I login in role %I', login, role)
from (values ('thubon_registry_login', 'thubon_owner'), ('thubon_ingest_login', 'thubon_ingest'),
             ('thubon_read_login', 'thubon_read'), ('thubon_api_login', 'thubon_api'),
             ('thubon_identity_login', 'thubon_identity')) each (login, role)
where not exists (select from pg_roles where rolname = login) \gexec
alter role thubon_registry_login password :'registry';
alter role thubon_ingest_login password :'ingest';
alter role thubon_read_login password :'read';
alter role thubon_api_login password :'api';
alter role thubon_identity_login password :'identity';
revoke connect on database :"database" from public;
grant connect on database :"database" to thubon_owner, thubon_ingest, thubon_read, thubon_api, thubon_identity;
SQL
