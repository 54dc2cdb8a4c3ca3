-- What came in and what became of it: rejections, the ledger, and the log each batch leaves in its own transaction.
set local role thubon_owner;

create table rejection (
  rejection_key bigint generated always as identity primary key,
  received_time timestamptz not null,
  town_id text not null,                       -- as the topic said, '-' when it said nothing usable
  source text not null,                        -- device or gateway of the topic, '-' when there is none
  device_id text,                              -- device the refused readings speak of, where known
  family text not null,                        -- payload family
  topic text not null,
  reason text not null,                        -- machine-readable; docs/operating.md has a paragraph for each
  detail text not null,                        -- for people: what was wrong, what is allowed
  readings integer not null,                   -- how many readings this row refuses
  subjects jsonb,                              -- the refused readings: device, name, ts, value (bounded list)
  payload bytea not null,                      -- the whole message as received, cut at payload_bytes > kept bound
  payload_bytes integer not null,
  retained boolean not null default false,
  qos smallint not null default 1
);
create index rejection_time_idx on rejection (received_time desc, rejection_key desc);
create index rejection_source_idx on rejection (source, received_time desc);
create index rejection_device_idx on rejection (device_id, received_time desc);

-- Counts in readings by hour of receipt. Equation: received = stored + duplicate + conflict + rejected + missing.
create table ledger_hour (
  hour timestamptz not null,
  town_id text not null,
  source text not null,
  family text not null,
  received bigint not null default 0,
  stored bigint not null default 0,
  duplicate bigint not null default 0,
  conflict bigint not null default 0,
  rejected bigint not null default 0,
  missing bigint not null default 0,           -- sent as null
  primary key (hour, town_id, source, family)
) with (fillfactor = 70);

-- One row a committed batch: its share of the ledger and the rows that may move latest, written in the batch's own
-- transaction as one small insert, folded into ledger_hour and latest within a second, then deleted.
create table batch_log (
  batch_key bigint generated always as identity primary key,
  worker text not null,
  committed_time timestamptz not null default clock_timestamp(),
  hours timestamptz[] not null,
  town_ids text[] not null,
  sources text[] not null,
  families text[] not null,
  received bigint[] not null,
  stored bigint[] not null,
  duplicate bigint[] not null,
  conflict bigint[] not null,
  rejected bigint[] not null,
  missing bigint[] not null,
  device_keys integer[] not null,              -- with times: observation_set rows newer than the batch's others
  times timestamptz[] not null,
  status_device_keys integer[] not null        -- devices whose status word changed
);

create view ledger with (security_barrier) as
select hour, town_id, source, family,
       sum(received)::bigint as received, sum(stored)::bigint as stored, sum(duplicate)::bigint as duplicate,
       sum(conflict)::bigint as conflict, sum(rejected)::bigint as rejected, sum(missing)::bigint as missing
from (
  select hour, town_id, source, family, received, stored, duplicate, conflict, rejected, missing from ledger_hour
  union all
  select u.* from batch_log b, unnest(b.hours, b.town_ids, b.sources, b.families, b.received, b.stored, b.duplicate,
                                      b.conflict, b.rejected, b.missing) u
) entry
group by hour, town_id, source, family;

-- Which devices changed, for live push. A reader takes rows below pg_snapshot_xmin only: no open transaction can
-- still come before them.
create table live_change (
  xid xid8 primary key default pg_current_xact_id(),
  changed_time timestamptz not null default clock_timestamp(),
  device_keys integer[] not null
);

grant select, insert, update, delete on rejection, ledger_hour, batch_log, live_change to thubon_ingest;
grant select on ledger to thubon_ingest, thubon_read;
grant select on rejection, ledger_hour, batch_log, live_change to thubon_read;

-- The next function belongs to whoever migrates: asking the file system takes a superuser.
reset role;

-- Free bytes of the file system that holds the database; null where the server does not let us ask: no superuser made
-- this function, the server has no df, or the transaction only reads (COPY needs a table to write to).
-- The table is always a fresh one: into a table that stood before, the caller may have put a trigger to run as us.
create function database_disk_free_bytes() returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
declare
  folder text;
  free_bytes bigint;
begin
  folder := replace(current_setting('data_directory'), $q$'$q$, $q$'\''$q$);
  drop table if exists pg_temp.thubon_disk_free;
  create temporary table thubon_disk_free (line text);
  execute format('copy pg_temp.thubon_disk_free from program %L', format($q$df -Pk '%s' | tail -n 1$q$, folder));
  select split_part(regexp_replace(f.line, '\s+', ' ', 'g'), ' ', 4)::bigint * 1024 into free_bytes
  from pg_temp.thubon_disk_free f;
  drop table pg_temp.thubon_disk_free;
  return free_bytes;
exception
  when insufficient_privilege or read_only_sql_transaction or external_routine_exception
       or undefined_file or invalid_text_representation then
    return null;
end
$$;
revoke execute on function database_disk_free_bytes() from public;
grant execute on function database_disk_free_bytes() to thubon_ingest, thubon_read;
