-- name: operations_version
-- Grows with every change of the registry; who keeps a copy of it asks here whether to read it again.
select version from registry_version;

-- name: operations_devices
-- The devices of one domain of a town that are in service, with their sites, in the order of their keys.
select d.device_key, d.device_id, d.name, d.profile, d.reporting_interval_s, d.gateway_key, s.site_key, s.site_id,
       s.name as site_name, s.kind as site_kind, s.latitude, s.longitude
from device d
join site s using (site_key)
where d.town_id = %(town)s
  and d.domain = %(domain)s
  and (d.retired_time is null or d.retired_time > now())
order by d.device_key;

-- name: operations_streams
-- What those devices observe: a row a slot of a profile, with the devices that have it so.
select d.profile, s.slot, s.name, s.property, s.unit, s.interval_s, s.period_s, s.stamp,
       array_agg(d.device_key) as device_keys
from device d
join datastream s using (device_key)
where d.town_id = %(town)s
  and d.domain = %(domain)s
  and (d.retired_time is null or d.retired_time > now())
group by d.profile, s.slot, s.name, s.property, s.unit, s.interval_s, s.period_s, s.stamp;

-- name: operations_present
-- What those devices said last and how they stand: a row a number of slots, arrays end to end in PostgreSQL's own binary
-- form, since thousands of arrays in any other form would take the service longer to read than the database to find.
select cardinality(l.value_by_slot) as slots,
       array_agg(v.device_key) as device_keys,
       array_agg(v.state) as states,
       string_agg(array_send(l.value_by_slot), '') as value_by_slot,
       string_agg(array_send(l.time_by_slot), '') as time_by_slot,
       string_agg(array_send(l.quality_by_slot), '') as quality_by_slot
from device_live v
left join latest l using (device_key)
where v.town_id = %(town)s
  and v.domain = %(domain)s
  and v.state <> 'retired'
group by 1;

-- name: operations_hours
-- Hours of some devices: those at rest, and where hours are older than their quarters, the quarters; a row a number of
-- slots and kind, arrays end to end. `start` counts seconds since 1970.
with at as materialized (
  select device_key, coalesce(date_bin(interval '1 hour', hours_time, timestamptz '1970-01-01 00:00:00+00'), 'infinity') as hours
  from unnest(%(device_keys)s::integer[]) k (device_key)
  left join aggregation_state using (device_key)
)
select cardinality(p.count) as slots, array_agg(p.device_key) as device_keys,
       array_agg(extract(epoch from p.start_time)::bigint) as starts,
       string_agg(array_send(p.count), '') as count, string_agg(array_send(p.flagged), '') as flagged,
       string_agg(array_send(p.sum), '') as sum, string_agg(case when 'min' = any(%(wanted)s) then array_send(p.min) end, '') as min,
       string_agg(case when 'max' = any(%(wanted)s) then array_send(p.max) end, '') as max, string_agg(case when 'last' = any(%(wanted)s) then array_send(p.last) end, '') as last, string_agg(case when 'last' = any(%(wanted)s) then array_send(p.last_time) end, '') as last_time,
       string_agg(case when 'energy' = any(%(wanted)s) then array_send(p.energy) end, '') as energy, string_agg(case when 'east' = any(%(wanted)s) then array_send(p.east) end, '') as east,
       string_agg(case when 'north' = any(%(wanted)s) then array_send(p.north) end, '') as north, string_agg(case when 'weight' = any(%(wanted)s) then array_send(p.weight) end, '') as weight,
       string_agg(case when 'weight_by_value' = any(%(wanted)s) then array_send(p.weight_by_value) end, '') as weight_by_value,
       string_agg(case when 'increase' = any(%(wanted)s) then array_send(p.increase) end, '') as increase, string_agg(case when 'state_s' = any(%(wanted)s) then array_send(p.state_s) end, '') as state_s,
       string_agg(case when 'held_value_s' = any(%(wanted)s) then array_send(p.held_value_s) end, '') as held_value_s, string_agg(case when 'held_s' = any(%(wanted)s) then array_send(p.held_s) end, '') as held_s
from (
  select w.*
  from at
  cross join lateral (
    select * from window_set r
    where r.device_key = at.device_key and r.length_s = 3600
      and r.start_time >= %(first)s and r.start_time < %(last)s and r.start_time < at.hours
    offset 0
  ) w
  union all
  select w.*
  from at
  cross join lateral (
    select * from window_set r
    where r.device_key = at.device_key and r.length_s = 900
      and r.start_time >= %(first)s and r.start_time < %(last)s and r.start_time >= at.hours
    offset 0
  ) w
) p
where cardinality(p.count) > 0
group by 1, p.energy is null, p.east is null, p.weight is null, p.increase is null, p.state_s is null, p.held_s is null,
         cardinality(p.state_s);

-- name: operations_quarters
-- Quarter hours of some devices that are at rest, in the same form.
select cardinality(p.count) as slots, array_agg(p.device_key) as device_keys,
       array_agg(extract(epoch from p.start_time)::bigint) as starts,
       string_agg(array_send(p.count), '') as count, string_agg(array_send(p.flagged), '') as flagged,
       string_agg(array_send(p.sum), '') as sum, string_agg(case when 'min' = any(%(wanted)s) then array_send(p.min) end, '') as min,
       string_agg(case when 'max' = any(%(wanted)s) then array_send(p.max) end, '') as max, string_agg(case when 'last' = any(%(wanted)s) then array_send(p.last) end, '') as last, string_agg(case when 'last' = any(%(wanted)s) then array_send(p.last_time) end, '') as last_time,
       string_agg(case when 'energy' = any(%(wanted)s) then array_send(p.energy) end, '') as energy, string_agg(case when 'east' = any(%(wanted)s) then array_send(p.east) end, '') as east,
       string_agg(case when 'north' = any(%(wanted)s) then array_send(p.north) end, '') as north, string_agg(case when 'weight' = any(%(wanted)s) then array_send(p.weight) end, '') as weight,
       string_agg(case when 'weight_by_value' = any(%(wanted)s) then array_send(p.weight_by_value) end, '') as weight_by_value,
       string_agg(case when 'increase' = any(%(wanted)s) then array_send(p.increase) end, '') as increase, string_agg(case when 'state_s' = any(%(wanted)s) then array_send(p.state_s) end, '') as state_s,
       string_agg(case when 'held_value_s' = any(%(wanted)s) then array_send(p.held_value_s) end, '') as held_value_s, string_agg(case when 'held_s' = any(%(wanted)s) then array_send(p.held_s) end, '') as held_s
from (
  select w.*
  from unnest(%(device_keys)s::integer[]) k (device_key)
  cross join lateral (
    select * from window_set r
    where r.device_key = k.device_key and r.length_s = 900 and r.start_time >= %(first)s and r.start_time < %(last)s
    offset 0
  ) w
) p
where cardinality(p.count) > 0
group by 1, p.energy is null, p.east is null, p.weight is null, p.increase is null, p.state_s is null, p.held_s is null,
         cardinality(p.state_s);

-- name: operations_slots
-- One or some slots of windows of one length, at rest: a row a window and slot, in columns; `slots` stands beside
-- `device_keys`.
select array_agg(w.device_key) as device_keys, array_agg(k.slot) as slots,
       array_agg(extract(epoch from w.start_time)::bigint) as starts,
       string_agg(int4send(w.count[k.slot]), '') as count,
       string_agg(float8send(w.sum[k.slot]), '') as sum, string_agg(float8send(w.max[k.slot]), '') as max,
       string_agg(float8send(coalesce(w.weight[k.slot], 'NaN')), '') as weight,
       string_agg(float8send(coalesce(w.weight_by_value[k.slot], 'NaN')), '') as weight_by_value,
       string_agg(float8send(coalesce(w.increase[k.slot], 'NaN')), '') as increase
from unnest(%(device_keys)s::integer[], %(slots)s::integer[]) k (device_key, slot)
cross join lateral (
  select * from window_set r
  where r.device_key = k.device_key and r.length_s = %(length_s)s and r.start_time >= %(first)s and r.start_time < %(last)s
  offset 0
) w
where k.slot <= cardinality(w.count);

-- name: operations_recent
-- Rows of some devices after a time, oldest first in each; `beyond`: only those not folded into windows yet.
select cardinality(o.value_by_slot) as slots, array_agg(o.device_key) as device_keys,
       array_agg((extract(epoch from o.phenomenon_time) * 1000000)::bigint) as times_us,
       string_agg(array_send(o.value_by_slot), '') as value_by_slot,
       string_agg(array_send(o.quality_by_slot), '') as quality_by_slot
from unnest(%(device_keys)s::integer[]) k (device_key)
left join aggregation_state s using (device_key)
cross join lateral (
  select * from observation_set r
  where r.device_key = k.device_key
    and r.phenomenon_time > greatest(%(first)s::timestamptz, case when %(beyond)s then s.through_time end)
    and r.phenomenon_time <= %(last)s
  offset 0
) o
group by 1, o.quality_by_slot is null;

-- name: operations_wards
-- The wards of a town, of every version.
select ward_id from ward where town_id = %(town)s order by ward_id;

-- name: operations_ward_sites
-- Sites that stand in a ward.
select site_key from site_ward where ward_id = %(ward)s;

-- name: operations_site
-- One site and the domains of the devices in service there.
select s.site_key, s.site_id, s.town_id, s.name, s.kind, s.latitude, s.longitude,
       array(select distinct d.domain from device d
             where d.site_key = s.site_key and (d.retired_time is null or d.retired_time > now()) order by 1) as domains
from site s
where s.site_id = %(site)s;

-- name: operations_night
-- Three slots of some devices as observed in a span, in columns; a slot beyond what a row has is NaN.
select array_agg(o.device_key) as device_keys,
       string_agg(int8send((extract(epoch from o.phenomenon_time) * 1000000)::bigint), '') as times_us,
       string_agg(float8send(coalesce(case when quality_admits(o.quality_by_slot[k.first_slot])
                                           then o.value_by_slot[k.first_slot] end, 'NaN')), '') as first_values,
       string_agg(float8send(coalesce(case when quality_admits(o.quality_by_slot[k.second_slot])
                                           then o.value_by_slot[k.second_slot] end, 'NaN')), '') as second_values,
       string_agg(float8send(coalesce(case when quality_admits(o.quality_by_slot[k.third_slot])
                                           then o.value_by_slot[k.third_slot] end, 'NaN')), '') as third_values
from unnest(%(device_keys)s::integer[], %(first_slots)s::integer[], %(second_slots)s::integer[], %(third_slots)s::integer[])
     k (device_key, first_slot, second_slot, third_slot)
cross join lateral (
  select * from observation_set r
  where r.device_key = k.device_key and r.phenomenon_time >= %(first)s and r.phenomenon_time < %(last)s
  offset 0
) o;
