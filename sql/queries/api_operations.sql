-- name: operations_version
-- Grows with every change of the registry; who keeps a copy of it asks here whether to read it again.
select version from registry_version;

-- name: operations_devices
-- The devices of one domain of a town that are in service, with their sites, in the order of their keys.
select d.device_key, d.device_id, d.name, d.profile, d.reporting_interval_s, d.gateway_key, d.rated_power_w,
       d.fed_by_key, s.site_key, s.site_id, s.name as site_name, s.kind as site_kind, s.latitude, s.longitude
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

-- name: operations_days
-- Means of the days of a span at rest, of some slots of some devices of one profile: of days with so many readings their
-- number, the sum of their means and the start of the newest; `slots` stands beside `leasts`.
select array_agg(m.device_key) as device_keys, array_agg(m.slot) as slots, array_agg(m.days) as days,
       string_agg(float8send(m.sum_of_means), '') as sums, array_agg(extract(epoch from m.newest)::bigint) as newest
from (
  select k.device_key, s.slot, count(*)::integer as days, sum(w.sum[s.slot] / w.count[s.slot]) as sum_of_means,
         max(w.start_time) as newest
  from unnest(%(device_keys)s::integer[]) k (device_key)
  cross join lateral (
    select r.start_time, r.count, r.sum from window_set r
    where r.device_key = k.device_key and r.length_s = 86400 and r.start_time >= %(first)s and r.start_time < %(last)s
    offset 0
  ) w
  join unnest(%(slots)s::integer[], %(leasts)s::integer[]) s (slot, least) on w.count[s.slot] >= s.least
  group by 1, 2
) m;

-- name: operations_sketches
-- Sketches of one slot of some devices at rest, merged over a span, a row a device: hours, and where these are older than their
-- quarters, the quarters.
with at as materialized (
  select device_key, coalesce(date_bin(interval '1 hour', hours_time, timestamptz '1970-01-01 00:00:00+00'), 'infinity') as hours
  from unnest(%(device_keys)s::integer[]) k (device_key)
  left join aggregation_state using (device_key)
)
select m.device_key, array_agg(m.bin order by m.bin)::integer[] as bins, array_agg(m.n order by m.bin) as counts
from (
  select at.device_key, b.bin, sum(b.n)::bigint as n
  from at
  cross join lateral (
    select r.bins, r.counts from window_sketch r
    where r.device_key = at.device_key and r.slot = %(slot)s and r.length_s = any(array[900, 3600])
      and r.start_time >= %(first)s and r.start_time < %(last)s
      and (r.start_time < at.hours) = (r.length_s = 3600)
    offset 0
  ) w
  cross join lateral unnest(w.bins, w.counts) b (bin, n)
  group by 1, 2
) m
group by 1;

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

-- name: operations_aggregate
-- Many datastreams of one observed property, window by window, out of partials at rest: of each length those that are up to
-- date, and where coarser ones are older than their finer ones, the finer; and what is not folded yet out of the observations
-- themselves. Every filter may be null. A window counts for the town and the site at which its device stood when it began.
with chosen as materialized (
  select s.device_key, s.slot,
         case when %(length_s)s = 900 then '-infinity'
              else coalesce(date_bin(interval '1 hour', a.hours_time, timestamptz '1970-01-01 00:00:00+00'), 'infinity')
         end as hours,
         coalesce(date_trunc('day', a.days_time, 'Asia/Ho_Chi_Minh'), 'infinity') as days, p.from_time, p.until_time,
         coalesce(a.through_time, '-infinity') as folded,
         case when s.stamp = 'end' then coalesce(s.period_s, 0) else 0 end * interval '1 second' as shift
  from datastream s
  join device d using (device_key)
  join device_placement p using (device_key)
  join site t on t.site_key = p.site_key
  left join aggregation_state a using (device_key)
  where s.property = %(property)s
    and p.town_id = any(%(towns)s) and p.from_time < %(last)s and p.until_time > %(first)s
    and (%(domain)s::text is null or d.domain = %(domain)s)
    and (%(ward)s::text is null or t.site_key in (select w.site_key from site_ward w where w.ward_id = %(ward)s))
    and (%(west)s::float8 is null or t.longitude between %(west)s and %(east)s and t.latitude between %(south)s and %(north)s)
), part as (
  select c.device_key, c.slot, r.*
  from chosen c
  cross join lateral (
    select w.start_time, w.count[c.slot] as n, w.flagged[c.slot] as flagged, w.sum[c.slot] as sum, w.min[c.slot] as min,
           w.max[c.slot] as max, w.energy[c.slot] as energy, w.east[c.slot] as east, w.north[c.slot] as north
    from window_set w
    where w.device_key = c.device_key and w.length_s = %(length_s)s
      and w.start_time >= c.from_time and w.start_time < c.until_time
      and w.start_time >= %(first)s and w.start_time < %(last)s
      and (%(length_s)s = 900 or w.start_time < case when %(length_s)s = 3600 then c.hours else c.days end)
    union all
    select w.start_time, w.count[c.slot], w.flagged[c.slot], w.sum[c.slot], w.min[c.slot], w.max[c.slot],
           w.energy[c.slot], w.east[c.slot], w.north[c.slot]
    from window_set w
    where %(length_s)s = 86400 and w.device_key = c.device_key and w.length_s = 3600
      and w.start_time >= c.from_time and w.start_time < c.until_time
      and w.start_time >= greatest(%(first)s, c.days) and w.start_time < least(%(last)s, c.hours)
    union all
    select w.start_time, w.count[c.slot], w.flagged[c.slot], w.sum[c.slot], w.min[c.slot], w.max[c.slot],
           w.energy[c.slot], w.east[c.slot], w.north[c.slot]
    from window_set w
    where %(length_s)s > 900 and w.device_key = c.device_key and w.length_s = 900
      and w.start_time >= c.from_time and w.start_time < c.until_time
      and w.start_time >= greatest(%(first)s, c.hours) and w.start_time < %(last)s
    offset 0
  ) r
  union all
  select c.device_key, c.slot, t.start_time, t.good::integer, (not t.good)::integer, case when t.good then t.v end,
         case when t.good then t.v end, case when t.good then t.v end,
         case when t.good and %(mean)s::text = 'energetic' then power(10::float8, t.v / 10) end,
         case when t.good and %(mean)s::text = 'circular' then sin(radians(t.v)) end,
         case when t.good and %(mean)s::text = 'circular' then cos(radians(t.v)) end
  from chosen c
  cross join lateral (
    select date_bin(interval '15 minutes', o.phenomenon_time - c.shift, timestamptz '1970-01-01 00:00:00+00') as start_time,
           o.value_by_slot[c.slot] as v, quality_admits(o.quality_by_slot[c.slot]) as good
    from observation_set o
    where o.device_key = c.device_key and o.phenomenon_time > c.folded
      and o.phenomenon_time >= greatest(%(first)s, c.from_time) + c.shift and o.phenomenon_time < %(last)s + c.shift
      -- As constants, too, so that chunks of other days are left out; no period is longer than seven.
      and o.phenomenon_time >= %(recent)s and o.phenomenon_time < %(last)s::timestamptz + interval '7 days'
      and o.value_by_slot[c.slot] <> 'NaN'
    union all
    select date_bin(interval '15 minutes', o.phenomenon_time - c.shift, timestamptz '1970-01-01 00:00:00+00') as start_time,
           o.value_by_slot[c.slot] as v, quality_admits(o.quality_by_slot[c.slot]) as good
    from observation_set o
    where c.folded < %(recent)s  -- seldom: of many days each costs every device
      and o.device_key = c.device_key and o.phenomenon_time > c.folded
      and o.phenomenon_time >= greatest(%(first)s, c.from_time) + c.shift and o.phenomenon_time < %(last)s + c.shift
      and o.phenomenon_time >= %(first)s and o.phenomenon_time < %(recent)s
      and o.value_by_slot[c.slot] <> 'NaN'
    offset 0
  ) t
  where t.start_time >= c.from_time and t.start_time < c.until_time
)
select case when %(length_s)s = 86400 then date_trunc('day', p.start_time, 'Asia/Ho_Chi_Minh')
            else date_bin(%(length_s)s * interval '1 second', p.start_time, timestamptz '1970-01-01 00:00:00+00') end as start,
       count(distinct (p.device_key::bigint << 16) + p.slot) filter (where p.n > 0)::integer as datastreams,
       sum(p.n)::bigint as count, sum(p.flagged)::bigint as flagged, sum(p.sum) filter (where p.n > 0) as sum,
       min(p.min) filter (where p.n > 0) as min, max(p.max) filter (where p.n > 0) as max, sum(p.energy) as energy,
       sum(p.east) as east, sum(p.north) as north
from part p
group by 1;

-- name: operations_aggregate_streams
-- How many datastreams those are while their devices were in service and stood there, by how often they are due and from
-- when to when of the span; their units.
select s.interval_s, s.unit, greatest(d.commissioned_time, p.from_time, %(first)s) as first,
       least(d.retired_time, p.until_time, %(last)s) as last, count(*)::integer as datastreams
from datastream s
join device d using (device_key)
join device_placement p using (device_key)
join site t on t.site_key = p.site_key
where s.property = %(property)s
  and p.town_id = any(%(towns)s)
  and greatest(d.commissioned_time, p.from_time, %(first)s) < least(d.retired_time, p.until_time, %(last)s)
  and (%(domain)s::text is null or d.domain = %(domain)s)
  and (%(ward)s::text is null or t.site_key in (select w.site_key from site_ward w where w.ward_id = %(ward)s))
  and (%(west)s::float8 is null or t.longitude between %(west)s and %(east)s and t.latitude between %(south)s and %(north)s)
group by 1, 2, 3, 4;

-- name: operations_aggregate_sketch
-- Sketches of those datastreams merged by window: bins and their counts, in columns; and the values that are not folded yet.
-- As `operations_aggregate`.
with chosen as materialized (
  select s.device_key, s.slot,
         case when %(length_s)s = 900 then '-infinity'
              else coalesce(date_bin(interval '1 hour', a.hours_time, timestamptz '1970-01-01 00:00:00+00'), 'infinity')
         end as hours,
         coalesce(date_trunc('day', a.days_time, 'Asia/Ho_Chi_Minh'), 'infinity') as days, p.from_time, p.until_time,
         coalesce(a.through_time, '-infinity') as folded,
         case when s.stamp = 'end' then coalesce(s.period_s, 0) else 0 end * interval '1 second' as shift
  from datastream s
  join device d using (device_key)
  join device_placement p using (device_key)
  join site t on t.site_key = p.site_key
  left join aggregation_state a using (device_key)
  where s.property = %(property)s
    and p.town_id = any(%(towns)s) and p.from_time < %(last)s and p.until_time > %(first)s
    and (%(domain)s::text is null or d.domain = %(domain)s)
    and (%(ward)s::text is null or t.site_key in (select w.site_key from site_ward w where w.ward_id = %(ward)s))
    and (%(west)s::float8 is null or t.longitude between %(west)s and %(east)s and t.latitude between %(south)s and %(north)s)
), part as (
  select r.start_time, b.bin, b.n
  from chosen c
  cross join lateral (
    select w.start_time, w.bins, w.counts
    from window_sketch w
    where w.device_key = c.device_key and w.slot = c.slot
      and w.start_time >= c.from_time and w.start_time < c.until_time
      and w.start_time >= %(first)s and w.start_time < %(last)s
      and w.length_s = any(case %(length_s)s when 900 then array[900] when 3600 then array[900, 3600] else array[900, 3600, 86400] end)
      and case w.length_s
            when 900 then w.start_time >= c.hours
            when 3600 then w.start_time < c.hours and (%(length_s)s = 3600 or w.start_time >= c.days)
            else w.start_time < c.days
          end
    offset 0
  ) r
  cross join lateral unnest(r.bins, r.counts) b (bin, n)
), merged as (
  select case when %(length_s)s = 86400 then date_trunc('day', p.start_time, 'Asia/Ho_Chi_Minh')
              else date_bin(%(length_s)s * interval '1 second', p.start_time, timestamptz '1970-01-01 00:00:00+00') end as start,
         p.bin, sum(p.n)::bigint as n
  from part p
  group by 1, 2
), at_rest as (
  select start, array_agg(bin order by bin)::integer[] as bins, array_agg(n order by bin) as counts
  from merged
  group by start
), fresh as (
  select case when %(length_s)s = 86400 then date_trunc('day', t.start_time, 'Asia/Ho_Chi_Minh')
              else date_bin(%(length_s)s * interval '1 second', t.start_time, timestamptz '1970-01-01 00:00:00+00') end as start,
         array_agg(t.v) as fresh
  from chosen c
  cross join lateral (
    select date_bin(interval '15 minutes', o.phenomenon_time - c.shift, timestamptz '1970-01-01 00:00:00+00') as start_time,
           o.value_by_slot[c.slot] as v, quality_admits(o.quality_by_slot[c.slot]) as good
    from observation_set o
    where o.device_key = c.device_key and o.phenomenon_time > c.folded
      and o.phenomenon_time >= greatest(%(first)s, c.from_time) + c.shift and o.phenomenon_time < %(last)s + c.shift
      -- As constants, too, so that chunks of other days are left out; no period is longer than seven.
      and o.phenomenon_time >= %(recent)s and o.phenomenon_time < %(last)s::timestamptz + interval '7 days'
      and o.value_by_slot[c.slot] <> 'NaN'
    union all
    select date_bin(interval '15 minutes', o.phenomenon_time - c.shift, timestamptz '1970-01-01 00:00:00+00') as start_time,
           o.value_by_slot[c.slot] as v, quality_admits(o.quality_by_slot[c.slot]) as good
    from observation_set o
    where c.folded < %(recent)s  -- seldom: of many days each costs every device
      and o.device_key = c.device_key and o.phenomenon_time > c.folded
      and o.phenomenon_time >= greatest(%(first)s, c.from_time) + c.shift and o.phenomenon_time < %(last)s + c.shift
      and o.phenomenon_time >= %(first)s and o.phenomenon_time < %(recent)s
      and o.value_by_slot[c.slot] <> 'NaN'
    offset 0
  ) t
  where t.good and t.start_time >= c.from_time and t.start_time < c.until_time
  group by 1
)
select start, coalesce(r.bins, '{}') as bins, coalesce(r.counts, '{}') as counts, coalesce(f.fresh, '{}') as fresh
from at_rest r
full join fresh f using (start);
