-- name: bound_lock_waits
-- Bounds every wait for a lock of this session, the advisory one and those of the migrations themselves.
select set_config('lock_timeout', %(wait_ms)s::text, false);

-- name: take_lock
-- One migrator at a time on one database; the lock ends with the session.
select pg_advisory_lock(hashtext('thubon schema_migration'));

-- name: create_table
-- The record of what has run; made by the migrator, since the first migration is recorded in it.
create table if not exists public.schema_migration (
  version integer primary key,
  name text not null,
  checksum text not null,                      -- sha256 of the file's bytes, hexadecimal
  applied_time timestamptz not null default now()
);

-- name: table_exists
-- A database never migrated has no record, which is not an error.
select to_regclass('public.schema_migration') is not null;

-- name: applied
-- What has run, in order.
select version, name, checksum from public.schema_migration order by version;

-- name: record
-- Written in the migration's own transaction: both or neither.
insert into public.schema_migration (version, name, checksum) values (%(version)s, %(name)s, %(checksum)s);
