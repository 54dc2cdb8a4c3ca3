-- name: rivals
-- The layouts that stand beside the migrations' own observation_set, and the staging tables of all.
create table narrow (
  phenomenon_time timestamptz not null,
  received_time timestamptz not null,
  value float8 not null,
  datastream_key integer not null,
  quality smallint not null
);
create table wide (
  phenomenon_time timestamptz not null,
  received_time timestamptz not null,
  v1 float8, v2 float8, v3 float8, v4 float8, v5 float8, v6 float8, v7 float8, v8 float8,
  device_key integer not null,
  quality_by_slot smallint[]
);
create table array_time_key (like observation_set);
create table flag_probe (like observation_set);
create table array_delay (
  phenomenon_time timestamptz not null,
  delay_s float4 not null,
  device_key integer not null,
  value_by_slot float8[] not null,
  quality_by_slot smallint[]
);
create table array_float4 (
  phenomenon_time timestamptz not null,
  received_time timestamptz not null,
  device_key integer not null,
  value_by_slot float4[] not null,
  quality_by_slot smallint[]
);
select create_hypertable(name, 'phenomenon_time', chunk_time_interval => interval '1 day', create_default_indexes => false)
from unnest(array['narrow', 'wide', 'array_time_key', 'array_delay', 'array_float4',
             'flag_probe']::regclass[]) name;
create unique index on narrow (datastream_key, phenomenon_time);
create unique index on wide (device_key, phenomenon_time);
create unique index on array_time_key (phenomenon_time, device_key);
create unique index on flag_probe (device_key, phenomenon_time);
create unique index on array_delay (device_key, phenomenon_time);
create unique index on array_float4 (device_key, phenomenon_time);

-- name: chunk_interval
-- Of the two tables that are filled.
select set_chunk_time_interval(name, %(hours)s * interval '1 hour')
from unnest(array['observation_set', 'array_time_key']::regclass[]) name

-- name: views
-- The schema's own view with and without a security barrier.
do $$
begin
  execute 'create view observation_plain as ' || pg_get_viewdef('observation');
  execute 'create view observation_barrier with (security_barrier) as ' || pg_get_viewdef('observation');
end
$$;

-- name: staging
-- Once a connection: the rows that may stand already, and the merged rows on their way back.
create temp table staged_narrow (like narrow) on commit delete rows;
create temp table staged_wide (like wide) on commit delete rows;
create temp table staged (like observation_set, row_number integer not null) on commit delete rows;
create temp table merged (like observation_set, before float8[] not null) on commit delete rows;

-- name: registry
-- Steady devices of six slots, then irregular ones of three, five and eight in turn, over the three towns.
insert into site (site_id, town_id, name, kind, latitude, longitude)
select 'site-' || t.town_id, t.town_id, 'Site', 'pole', t.latitude, t.longitude from town t order by t.position;
insert into device (device_id, town_id, site_key, domain, profile, name, reporting_interval_s)
select 'device-' || n, s.town_id, s.site_key, 'environment', case when n <= %(steady)s then 'steady' else 'irregular' end,
       'Device ' || n, case when n <= %(steady)s then 60 else 600 end
from generate_series(1, %(devices)s) n
join (select row_number() over (order by site_key) - 1 as place, * from site) s on s.place = n %% 3
order by n;
insert into datastream (datastream_id, device_key, slot, name, property, unit, lower_bound, upper_bound, interval_s)
select d.device_id || ':p' || slot, d.device_key, slot, 'p' || slot, 'property-' || slot, 'Cel', -100, 100,
       d.reporting_interval_s
from device d, generate_series(1, 8) slot
where slot <= case when d.device_key <= %(steady)s then 6 else (array[3, 5, 8])[1 + (d.device_key - %(steady)s - 1) %% 3] end
order by d.device_key, slot;

-- name: years_of_chunks
-- One row a day before the fleets begin, so that plans meet as many chunks as the retention keeps.
insert into observation_set
select timestamptz '2026-03-20 00:00Z' - n * interval '1 day', now(), 1, array[1.0], null from generate_series(1, 390) n;

-- name: grow_profile
-- Two more datastreams at the end of every steady device's profile.
insert into datastream (datastream_id, device_key, slot, name, property, unit, lower_bound, upper_bound, interval_s)
select d.device_id || ':p' || slot, d.device_key, slot, 'p' || slot, 'property-' || slot, 'Cel', -100, 100, 60
from device d, generate_series(7, 8) slot
where d.profile = 'steady'

-- name: view_grown
-- A datastream the profile gained: as many observations as were written since.
select count(*), round(sum(value)::numeric, 1) from observation
where property = 'property-7' and town_id = 'hoi-an' and device_id in (select device_id from device where profile = 'steady')
  and phenomenon_time >= %(day)s

-- name: totals_narrow
-- How many readings are held.
select count(*) from narrow

-- name: totals_wide
-- How many readings are held.
select sum(num_nonnulls(v1, v2, v3, v4, v5, v6, v7, v8)) from wide

-- name: totals_array
-- How many readings are held.
select count(*) from {table}, unnest(value_by_slot) v where v <> 'NaN'

-- name: tidy
-- Statistics and visibility as autovacuum would leave them.
vacuum (analyze) narrow, wide, observation_set, array_time_key, array_delay, array_float4, device, datastream;

-- name: pin_plan
-- The staging table has no statistics: left to itself the planner may read a chunk's whole index to hash it.
set local enable_hashjoin = off;
set local enable_mergejoin = off;

-- name: insert_narrow
-- New rows alone go in; answers their keys.
insert into narrow select * from staged_narrow order by datastream_key, phenomenon_time
on conflict (datastream_key, phenomenon_time) do nothing
returning datastream_key, phenomenon_time

-- name: insert_wide
-- New rows alone go in; answers their keys.
insert into wide select * from staged_wide order by device_key, phenomenon_time
on conflict (device_key, phenomenon_time) do nothing
returning device_key, phenomenon_time

-- name: insert_array
-- New rows alone go in; answers their keys.
insert into observation_set (phenomenon_time, received_time, device_key, value_by_slot, quality_by_slot)
select phenomenon_time, received_time, device_key, value_by_slot, quality_by_slot
from staged order by device_key, phenomenon_time
on conflict (device_key, phenomenon_time) do nothing
returning device_key, phenomenon_time

-- name: differing_array
-- Rows that stood already and say something else than the staged ones (NaN equals NaN); the bounds prune the chunks.
select s.row_number, o.value_by_slot
from staged s
join observation_set o using (device_key, phenomenon_time)
where o.phenomenon_time between {first} and {last}
  and o.value_by_slot is distinct from s.value_by_slot

-- name: lock_differing_array
-- The same, held until this transaction ends.
select s.row_number, o.value_by_slot
from staged s
join observation_set o using (device_key, phenomenon_time)
where o.phenomenon_time between {first} and {last}
  and o.value_by_slot is distinct from s.value_by_slot
for no key update of o

-- name: update_array
-- Puts the merged arrays in place of the stored ones, unless somebody else was quicker.
update observation_set o
set value_by_slot = m.value_by_slot, quality_by_slot = m.quality_by_slot
from merged m
where o.device_key = m.device_key and o.phenomenon_time = m.phenomenon_time
  and o.phenomenon_time between {first} and {last}
  and o.value_by_slot = m.before

-- name: merge_wide
-- One statement: a column keeps what it has, else takes what came.
insert into wide as o select * from staged_wide order by device_key, phenomenon_time
on conflict (device_key, phenomenon_time) do update
set v1 = coalesce(o.v1, excluded.v1), v2 = coalesce(o.v2, excluded.v2), v3 = coalesce(o.v3, excluded.v3),
    v4 = coalesce(o.v4, excluded.v4), v5 = coalesce(o.v5, excluded.v5), v6 = coalesce(o.v6, excluded.v6),
    v7 = coalesce(o.v7, excluded.v7), v8 = coalesce(o.v8, excluded.v8)

-- name: merge_array
-- One statement without the old values coming out: cannot tell a stored reading from a duplicate or a conflict.
insert into observation_set as o (phenomenon_time, received_time, device_key, value_by_slot, quality_by_slot)
select phenomenon_time, received_time, device_key, value_by_slot, quality_by_slot
from staged order by device_key, phenomenon_time
on conflict (device_key, phenomenon_time) do update
set value_by_slot = (
  select array_agg(case when a.held is null or a.held = 'NaN' then a.sent else a.held end order by a.slot)
  from unnest(o.value_by_slot, excluded.value_by_slot) with ordinality a (held, sent, slot)
)
where o.value_by_slot <> excluded.value_by_slot

-- name: disk
-- Bytes of heap (with its maps and toast) and of indexes over all chunks.
select coalesce(sum(table_bytes + coalesce(toast_bytes, 0)), 0)::bigint, coalesce(sum(index_bytes), 0)::bigint
from chunks_detailed_size(%(table)s::regclass)

-- name: day_of_one_narrow
-- One datastream, 24 h.
select phenomenon_time, value from narrow
where datastream_key = (select datastream_key from datastream where device_key = 77 and slot = 3)
  and phenomenon_time >= %(day)s and phenomenon_time < %(day_end)s
order by phenomenon_time

-- name: day_of_one_wide
-- One datastream, 24 h.
select phenomenon_time, v3 from wide
where device_key = 77 and v3 is not null and phenomenon_time >= %(day)s and phenomenon_time < %(day_end)s
order by phenomenon_time

-- name: day_of_one_array
-- One datastream, 24 h.
select phenomenon_time, value_by_slot[3] from {table}
where device_key = 77 and value_by_slot[3] <> 'NaN' and phenomenon_time >= %(day)s and phenomenon_time < %(day_end)s
order by phenomenon_time

-- name: last_minutes_narrow
-- 1,000 datastreams, the last 15 minutes, aggregated.
select datastream_key, count(*), avg(value), min(value), max(value) from narrow
where datastream_key = any(array(select datastream_key from datastream where slot = 3 and device_key <= 1000))
  and phenomenon_time >= %(recent)s
group by datastream_key

-- name: last_minutes_wide
-- 1,000 datastreams, the last 15 minutes, aggregated.
select device_key, count(v3), avg(v3), min(v3), max(v3) from wide
where device_key = any(array(select generate_series(1, 1000))) and phenomenon_time >= %(recent)s
group by device_key

-- name: last_minutes_array
-- 1,000 datastreams, the last 15 minutes, aggregated.
select device_key, count(*), avg(value_by_slot[3]), min(value_by_slot[3]), max(value_by_slot[3]) from {table}
where device_key = any(array(select generate_series(1, 1000))) and phenomenon_time >= %(recent)s
  and value_by_slot[3] <> 'NaN'
group by device_key

-- name: town_day_narrow
-- One property of a town, a day by 15 minutes.
select time_bucket('15 minutes', phenomenon_time) as start, count(*), avg(value)
from narrow
where datastream_key in (select s.datastream_key from datastream s join device using (device_key)
                         where town_id = 'hoi-an' and property = 'property-3')
  and phenomenon_time >= %(day)s and phenomenon_time < %(day_end)s
group by start order by start

-- name: town_day_wide
-- One property of a town, a day by 15 minutes.
select time_bucket('15 minutes', phenomenon_time) as start, count(v3), avg(v3)
from wide
where device_key in (select s.device_key from datastream s join device using (device_key)
                     where town_id = 'hoi-an' and property = 'property-3')
  and phenomenon_time >= %(day)s and phenomenon_time < %(day_end)s
group by start order by start

-- name: town_day_array
-- One property of a town, a day by 15 minutes.
select time_bucket('15 minutes', phenomenon_time) as start, count(*), avg(value_by_slot[3])
from {table}
where device_key in (select s.device_key from datastream s join device using (device_key)
                     where town_id = 'hoi-an' and property = 'property-3')
  and phenomenon_time >= %(day)s and phenomenon_time < %(day_end)s and value_by_slot[3] <> 'NaN'
group by start order by start

-- name: hour_of_all_narrow
-- An hour of the steady fleet, for numpy.
select datastream_key, phenomenon_time, value from narrow
where phenomenon_time >= {hour} and datastream_key <= 6000

-- name: hour_of_all_wide
-- An hour of the steady fleet, for numpy.
select device_key, phenomenon_time, v1, v2, v3, v4, v5, v6 from wide
where phenomenon_time >= {hour} and device_key <= 1000

-- name: hour_of_all_array
-- An hour of the steady fleet, for numpy.
select device_key, phenomenon_time, value_by_slot from {table}
where phenomenon_time >= {hour} and device_key <= 1000

-- name: view_day_of_one
-- As a person writes it: one datastream, a day.
select phenomenon_time, value from {view}
where datastream_id = 'device-77:p3' and phenomenon_time >= %(day)s and phenomenon_time < %(day_end)s
order by phenomenon_time

-- name: view_town_day
-- As a person writes it: one property of a town, a day by 15 minutes.
select time_bucket('15 minutes', phenomenon_time) as start, count(*), avg(value) from {view}
where town_id = 'hoi-an' and property = 'property-3' and phenomenon_time >= %(day)s and phenomenon_time < %(day_end)s
group by start order by start

-- name: view_one_device
-- As a person writes it: all of one device, a day, found by the beginning of the id.
select datastream_id, count(*), avg(value) from {view}
where datastream_id like 'device-77:%%' and phenomenon_time >= %(day)s and phenomenon_time < %(day_end)s
group by datastream_id

-- name: view_last_minutes
-- As a person writes it: every device's mean over the last 15 minutes.
select datastream_id, count(*), avg(value) from {view}
where property = 'property-3' and phenomenon_time >= %(recent)s
group by datastream_id
