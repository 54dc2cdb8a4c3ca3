-- Observations: one row holds what one device observed at one time, a value for each of its slots.
-- Why this layout: docs/decisions/0002-physical-layout.md.
set local role thubon_owner;

do $$
begin
  if storage_edition() = 'postgresql' then
    create table observation_set (
      phenomenon_time timestamptz not null,
      received_time timestamptz not null,
      device_key integer not null,
      value_by_slot float8[] not null,
      quality_by_slot smallint[]
    ) partition by range (phenomenon_time);
  else
    create table observation_set (
      phenomenon_time timestamptz not null,
      received_time timestamptz not null,
      device_key integer not null,
      value_by_slot float8[] not null,
      quality_by_slot smallint[]
    );
    perform create_hypertable('observation_set', 'phenomenon_time',
                              chunk_time_interval => interval '1 day', create_default_indexes => false);
  end if;
end
$$;
comment on column observation_set.value_by_slot is
  'NaN: this slot had no reading at this time. No reading is ever NaN: it would have been refused.';
comment on column observation_set.quality_by_slot is
  'Bit set a slot: 1 calibrating, 2 fault; null: all are 0.';
-- Serves the uniqueness of (datastream, phenomenon time) and the history of one device.
create unique index observation_set_device_time_idx on observation_set (device_key, phenomenon_time);

-- The columnstore, where the licence has it.
do $$
begin
  if storage_edition() = 'timescaledb-community' then
    alter table observation_set set (
      timescaledb.compress,
      timescaledb.compress_segmentby = 'device_key',
      timescaledb.compress_orderby = 'phenomenon_time'
    );
    -- TimescaleDB runs a policy as the table's owner, whom it wants to be able to log in. It has no password, so it
    -- cannot where the server asks for one.
    reset role;
    alter role thubon_owner login;
    set local role thubon_owner;
    perform add_compression_policy('observation_set', interval '14 days');
  end if;
end
$$;

-- Plain PostgreSQL has no chunks of its own: makes the day partitions that [first, last] needs. Elsewhere: nothing.
-- Attached rather than created in place, so that readers are not locked out.
create function ensure_observation_partitions(first_time timestamptz, last_time timestamptz) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  day date;
  partition text;
begin
  if storage_edition() <> 'postgresql' then
    return;
  end if;
  for day in
    select generate_series((first_time at time zone 'UTC')::date, (last_time at time zone 'UTC')::date,
                           interval '1 day')::date
  loop
    partition := 'observation_set_' || to_char(day, 'YYYYMMDD');
    continue when to_regclass(partition) is not null;
    -- The lock that attaching takes anyway, now: an advisory one would leave us with a stale look at the catalogue.
    lock table observation_set in share update exclusive mode;
    continue when to_regclass(partition) is not null;
    execute format('create table %I (like observation_set including defaults including constraints including comments,'
                   ' check (phenomenon_time >= %L and phenomenon_time < %L))',
                   partition, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
    execute format('alter table observation_set attach partition %I for values from (%L) to (%L)',
                   partition, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
  end loop;
end
$$;

-- Raw retention: drops whole chunks whose newest possible observation is older than the limit; answers their names.
-- Callers wait for each other: two of them would try to drop the same chunks.
create function drop_observations_before(limit_time timestamptz) returns setof text
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  first_kept text := 'observation_set_' || to_char((limit_time at time zone 'UTC')::date, 'YYYYMMDD');
  partition text;
begin
  if storage_edition() <> 'postgresql' then
    perform pg_advisory_xact_lock(hashtext('thubon observation_set chunks'));
    return query select c::text from drop_chunks('observation_set', limit_time) c;
    return;
  end if;
  if not exists (select from pg_inherits i join pg_class c on c.oid = i.inhrelid
                 where i.inhparent = 'observation_set'::regclass and c.relname < first_kept) then
    return;
  end if;
  -- The lock that dropping takes anyway, before we hold a weaker one and could meet a writer halfway.
  lock table observation_set in access exclusive mode;
  for partition in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'observation_set'::regclass and c.relname < first_kept
  loop
    execute format('drop table %I', partition);
    return next partition;
  end loop;
end
$$;

-- The narrow face for people and tests: a row an observation.
create view observation as
select r.phenomenon_time,
       r.received_time,
       d.town_id,
       d.device_id,
       s.datastream_id,
       s.property,
       r.value_by_slot[s.slot] as value,
       coalesce(r.quality_by_slot[s.slot], 0::smallint) as quality
from observation_set r
join device d using (device_key)
join datastream s on s.device_key = r.device_key
where r.value_by_slot[s.slot] <> 'NaN';

-- What each device said last, value beside value; each slot with the time it speaks of.
create table latest (
  device_key integer primary key references device,
  phenomenon_time timestamptz not null,        -- newest of time_by_slot
  received_time timestamptz not null,          -- of the newest row folded in
  value_by_slot float8[] not null,             -- NaN: nothing yet
  time_by_slot timestamptz[] not null,         -- -infinity: nothing yet
  quality_by_slot smallint[] not null
) with (fillfactor = 50);

create view latest_observation as
select l.time_by_slot[s.slot] as phenomenon_time,
       l.received_time,
       d.town_id,
       d.device_id,
       s.datastream_id,
       s.property,
       l.value_by_slot[s.slot] as value,
       l.quality_by_slot[s.slot] as quality
from latest l
join device d using (device_key)
join datastream s on s.device_key = l.device_key
where l.value_by_slot[s.slot] <> 'NaN';

-- The last word of a device's status topic (also its last will).
create table device_status (
  device_key integer primary key references device,
  word text not null check (word in ('online', 'offline')),
  since timestamptz not null                   -- received time of the message that changed the word
);

grant select, insert, update on observation_set, latest, device_status to thubon_ingest;
grant select on observation, latest_observation to thubon_ingest, thubon_read;
grant select on observation_set, latest, device_status to thubon_read;
revoke execute on function drop_observations_before(timestamptz) from public;
revoke execute on function ensure_observation_partitions(timestamptz, timestamptz) from public;
grant execute on function drop_observations_before(timestamptz) to thubon_ingest;
grant execute on function ensure_observation_partitions(timestamptz, timestamptz) to thubon_ingest;
