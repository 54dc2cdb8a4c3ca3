-- Statistics at rest: windows of committed observations as partials that merge, and how the aggregator learns what changed.
set local role thubon_owner;

-- Which windows a committed batch touched, written in the batch's own transaction, so that it is exactly as true as the
-- batch. The aggregator takes these rows and repairs what they name.
create table window_change (
  change_key bigint generated always as identity primary key,
  changes bytea not null                       -- 24 bytes each, little-endian: device_key int4; of its rows in one quarter
);                                             -- hour how many int4, first and last phenomenon time int8 Unix microseconds

-- Window statistics as partials that merge, a row a device and window, each column an array by slot.
-- For people: view window_statistics.
create table window_set (
  device_key integer not null,
  length_s integer not null check (length_s in (900, 3600, 86400)),
  start_time timestamptz not null,             -- quarters and hours of UTC, days of Asia/Ho_Chi_Minh
  changed_time timestamptz not null,           -- received time of the newest row that is in it
  computed_time timestamptz not null,
  count integer[] not null,
  flagged integer[] not null,                  -- readings left out for their quality
  sum float8[] not null,
  second_moment float8[] not null,             -- sum of squared differences from the mean
  min float8[] not null,                       -- infinity: no reading
  min_time timestamptz[] not null,
  max float8[] not null,
  max_time timestamptz[] not null,
  first float8[] not null,                     -- NaN: no reading
  first_time timestamptz[] not null,           -- infinity: no reading
  last float8[] not null,
  last_time timestamptz[] not null,            -- -infinity: no reading
  -- The rest is kept where a slot of the device asks for it (devices/keeping.py).
  energy float8[],                             -- sum of 10 ^ (level / 10)
  east float8[], north float8[],               -- sums of unit vectors
  weight float8[], weight_by_value float8[],
  held_value_s float8[], held_s float8[],
  increase float8[], resets integer[],
  state_s float8[],                            -- eight a slot: seconds in the states 0 to 6, and in others
  transitions integer[]
) with (toast_tuple_target = 8160);
-- Serves a device's windows in order of time, and their uniqueness.
create unique index window_set_key_idx on window_set (device_key, length_s, start_time);

do $$
begin
  if storage_edition() <> 'postgresql' then
    perform create_hypertable('window_set', 'start_time',
                              chunk_time_interval => interval '30 days', create_default_indexes => false);
  end if;
end
$$;

-- Quantile sketches, of the slots that keep them: counts of bins (ingest/aggregation/sketch.py), bins ascending.
create table window_sketch (
  device_key integer not null,
  length_s integer not null,
  start_time timestamptz not null,
  slot smallint not null,
  bins smallint[] not null,
  counts integer[] not null,
  primary key (device_key, length_s, start_time, slot)
);

-- How far the aggregator is, a row a device. Observations up to through_time are in its quarters, except those that a
-- window_change row still names; later ones are read from observation_set when statistics are asked for.
create table aggregation_state (
  device_key integer primary key references device,
  through_time timestamptz not null,
  hours_time timestamptz,                      -- from the hour that holds this on, hours are older than their quarters
  days_time timestamptz                        -- from the day that holds this on, days are older than their hours
) with (fillfactor = 50);

-- Retention dropped observations before this time: windows that start before it are sealed, nothing changes them.
create table statistics_seal (
  one boolean primary key default true check (one),
  before_time timestamptz not null
);
insert into statistics_seal (before_time) values ('-infinity');

-- The narrow face for people and tests: a row a datastream and window.
create view window_statistics with (security_barrier) as
select d.town_id,
       d.device_id,
       s.datastream_id,
       s.property,
       w.length_s,
       w.start_time,
       w.start_time + make_interval(secs => w.length_s) as end_time,
       w.count[s.slot] as count,
       w.length_s / s.interval_s as expected,
       least(1.0, w.count[s.slot] * s.interval_s / w.length_s::float8) as coverage,
       w.flagged[s.slot] as flagged,
       case when w.count[s.slot] > 0 then w.sum[s.slot] end as sum,
       w.sum[s.slot] / nullif(w.count[s.slot], 0) as mean,
       w.second_moment[s.slot] / nullif(w.count[s.slot], 0) as variance,
       case when w.count[s.slot] > 0 then w.min[s.slot] end as min,
       case when w.count[s.slot] > 0 then w.min_time[s.slot] end as min_time,
       case when w.count[s.slot] > 0 then w.max[s.slot] end as max,
       case when w.count[s.slot] > 0 then w.max_time[s.slot] end as max_time,
       case when w.count[s.slot] > 0 then w.first[s.slot] end as first,
       case when w.count[s.slot] > 0 then w.first_time[s.slot] end as first_phenomenon_time,
       case when w.count[s.slot] > 0 then w.last[s.slot] end as last,
       case when w.count[s.slot] > 0 then w.last_time[s.slot] end as last_phenomenon_time,
       w.changed_time,
       w.computed_time,
       w.start_time < (select before_time from statistics_seal) as sealed
from window_set w
join device d using (device_key)
join datastream s on s.device_key = w.device_key and s.slot <= cardinality(w.count)
where w.count[s.slot] > 0 or w.flagged[s.slot] > 0;

-- As before, and seals the windows whose observations go.
create or replace function drop_observations_before(limit_time timestamptz) returns setof text
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  plain boolean := storage_edition() = 'postgresql';
  first_kept text := 'observation_set_' || to_char((limit_time at time zone 'UTC')::date, 'YYYYMMDD');
  part regclass;
  parts regclass[];
begin
  perform pg_advisory_xact_lock(hashtext('thubon observation_set chunks'));
  if plain then
    parts := array(select c.oid::regclass from pg_inherits i join pg_class c on c.oid = i.inhrelid
                   where i.inhparent = 'observation_set'::regclass and c.relname < first_kept order by c.relname);
  else
    parts := array(select show_chunks('observation_set', older_than => limit_time));
  end if;
  if cardinality(parts) = 0 then
    return;
  end if;
  update statistics_seal set before_time = greatest(before_time, limit_time);
  if plain then
    -- The lock that dropping takes anyway, before we hold a weaker one and could meet a writer halfway.
    lock table observation_set in access exclusive mode;
  end if;
  foreach part in array parts loop
    if not plain then
      -- No writer may add a row between the count and the drop.
      execute format('lock table %s in share row exclusive mode', part);
    end if;
    execute format(
      'insert into ledger_adjustment as a (hour, device_id, cause, readings)'
      ' select date_trunc(''hour'', o.received_time, ''UTC''), d.device_id, ''dropped'','
      '        sum(cardinality(array_remove(o.value_by_slot, ''NaN'')))'
      ' from %s o join device d using (device_key) group by 1, 2'
      ' on conflict (hour, device_id, cause) do update set readings = a.readings + excluded.readings', part);
    if plain then
      return next part::text;
      execute format('drop table %s', part);
    end if;
  end loop;
  if not plain then
    return query select c::text from drop_chunks('observation_set', limit_time) c;
  end if;
end
$$;

grant select, insert, update, delete on window_change, window_set, window_sketch, aggregation_state to thubon_ingest;
grant select, update on statistics_seal to thubon_ingest;
grant select on window_change, window_set, window_sketch, aggregation_state, statistics_seal to thubon_read;
grant select on window_statistics to thubon_ingest, thubon_read;
