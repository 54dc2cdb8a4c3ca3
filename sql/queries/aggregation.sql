-- name: lead
-- One aggregator works, others wait: true where this session is the one. The lock ends with the session.
select pg_try_advisory_lock(hashtext('thubon aggregator')) as leads

-- name: plan
-- Everything here goes by key. Without statistics of a young table the planner may take a whole chunk instead, the more so
-- when it sees how many keys there are.
set enable_seqscan = off; set enable_bitmapscan = off; set enable_hashjoin = off; set enable_mergejoin = off;
set plan_cache_mode = force_generic_plan; set jit = off

-- name: fleet
-- Every datastream with what its statistics depend on; slots of a device have no gaps.
select s.device_key, d.profile, s.name, s.property, s.interval_s, s.period_s, s.stamp
from datastream s
join device d using (device_key)
order by s.device_key, s.slot

-- name: registry_version
-- Grows with every change of devices or datastreams.
select version from registry_version

-- name: states
-- How far each device is, microseconds; of devices not yet begun all times are null.
select d.device_key,
       (extract(epoch from s.through_time) * 1000000)::bigint as through_us,
       (extract(epoch from s.hours_time) * 1000000)::bigint as hours_us,
       (extract(epoch from s.days_time) * 1000000)::bigint as days_us
from device d
left join aggregation_state s using (device_key)
order by d.device_key

-- name: tails
-- Of devices with observations beyond what is folded: the first and the last of those, microseconds.
select d.device_key,
       (extract(epoch from f.phenomenon_time) * 1000000)::bigint as first_us,
       (extract(epoch from l.phenomenon_time) * 1000000)::bigint as last_us
from device d
left join aggregation_state s using (device_key)
cross join lateral (
  select o.phenomenon_time from observation_set o
  where o.device_key = d.device_key and o.phenomenon_time > coalesce(s.through_time, '-infinity')
  order by o.phenomenon_time limit 1
) f
cross join lateral (
  select o.phenomenon_time from observation_set o
  where o.device_key = d.device_key and o.phenomenon_time > coalesce(s.through_time, '-infinity')
  order by o.phenomenon_time desc limit 1
) l

-- name: changes
-- What committed batches say they touched, oldest first; and the registry's version.
select change_key, changes, (select version from registry_version) as version
from window_change order by change_key limit %(limit)s

-- name: delete_changes
-- Changes that were looked at.
delete from window_change where change_key = any(%(change_keys)s::bigint[])

-- name: rebuilt
-- Whether a rebuild wrote windows that the aggregator has not heard of.
select exists (select from window_change where octet_length(changes) = 0) as rebuilt

-- name: seal
-- Before this time windows are sealed. Held until the end of the transaction, so that no observation goes meanwhile.
select coalesce((extract(epoch from nullif(before_time, '-infinity')) * 1000000)::bigint, -9223372036854775808)
         as before_us
from statistics_seal for share

-- name: read_observations
-- Rows of some devices, each in its own span (after, until], all within one.
copy (
  select o.device_key, o.phenomenon_time, o.received_time, o.value_by_slot, o.quality_by_slot
  from unnest(%(device_keys)s::integer[], %(after_us)s::bigint[], %(until_us)s::bigint[])
       k (device_key, after_us, until_us)
  cross join lateral (
    select * from observation_set r
    where r.device_key = k.device_key
      and r.phenomenon_time > timestamptz 'epoch' + k.after_us * interval '1 microsecond'
      and r.phenomenon_time <= timestamptz 'epoch' + k.until_us * interval '1 microsecond'
      and r.phenomenon_time > timestamptz 'epoch' + %(first_us)s::bigint * interval '1 microsecond'
      and r.phenomenon_time <= timestamptz 'epoch' + %(last_us)s::bigint * interval '1 microsecond'
    order by r.phenomenon_time
  ) o
) to stdout (format binary)

-- name: read_span
-- Rows of some devices, all in one span (after, until].
copy (
  select o.device_key, o.phenomenon_time, o.received_time, o.value_by_slot, o.quality_by_slot
  from observation_set o
  where o.device_key = any(%(device_keys)s::integer[])
    and o.phenomenon_time > timestamptz 'epoch' + %(first_us)s::bigint * interval '1 microsecond'
    and o.phenomenon_time <= timestamptz 'epoch' + %(last_us)s::bigint * interval '1 microsecond'
  order by o.device_key, o.phenomenon_time
) to stdout (format binary)

-- name: read_windows
-- Windows of one length of some devices, each in its own span [from, until), all within one.
copy (
  select
    w.device_key, w.length_s, w.start_time, w.changed_time, w.computed_time, w.count, w.flagged, w.sum,
    w.second_moment, w.min, w.min_time, w.max, w.max_time, w.first, w.first_time, w.last, w.last_time, w.energy,
    w.east, w.north, w.weight, w.weight_by_value, w.held_value_s, w.held_s, w.increase, w.resets, w.state_s,
    w.transitions, w.flags, w.above, w.longest_run, w.run_at_start, w.run_at_end
  from unnest(%(device_keys)s::integer[], %(from_us)s::bigint[], %(until_us)s::bigint[])
       k (device_key, from_us, until_us)
  cross join lateral (
    select * from window_set r
    where r.device_key = k.device_key and r.length_s = %(length_s)s
      and r.start_time >= timestamptz 'epoch' + k.from_us * interval '1 microsecond'
      and r.start_time < timestamptz 'epoch' + k.until_us * interval '1 microsecond'
      and r.start_time >= timestamptz 'epoch' + %(first_us)s::bigint * interval '1 microsecond'
      and r.start_time < timestamptz 'epoch' + %(last_us)s::bigint * interval '1 microsecond'
    order by r.start_time
  ) w
) to stdout (format binary)

-- name: delete_windows
-- Makes room for windows that are written anew.
delete from window_set w
using unnest(%(device_keys)s::integer[], %(starts_us)s::bigint[]) k (device_key, start_us)
where w.device_key = k.device_key and w.length_s = %(length_s)s
  and w.start_time = timestamptz 'epoch' + k.start_us * interval '1 microsecond'
  and w.start_time between timestamptz 'epoch' + %(first_us)s::bigint * interval '1 microsecond'
                       and timestamptz 'epoch' + %(last_us)s::bigint * interval '1 microsecond'

-- name: write_windows
-- Windows of which none stands.
copy window_set (
  device_key, length_s, start_time, changed_time, computed_time, count, flagged, sum, second_moment, min, min_time,
  max, max_time, first, first_time, last, last_time, energy, east, north, weight, weight_by_value, held_value_s,
  held_s, increase, resets, state_s, transitions, flags, above, longest_run, run_at_start, run_at_end
) from stdin (format binary)

-- name: read_sketches
-- Sketches of windows of one length, in the order of the keys, then of slots.
copy (
  select (k.n - 1)::integer, s.slot, s.bins, s.counts
  from unnest(%(device_keys)s::integer[], %(starts_us)s::bigint[]) with ordinality k (device_key, start_us, n)
  cross join lateral (
    select * from window_sketch w
    where w.device_key = k.device_key and w.length_s = %(length_s)s
      and w.start_time = timestamptz 'epoch' + k.start_us * interval '1 microsecond'
      and w.slot = any(%(slots)s::smallint[])
    offset 0  -- asked for one by one, by key
  ) s
  order by k.n, s.slot
) to stdout (format binary)

-- name: delete_sketches
-- Makes room for sketches that are written anew.
delete from window_sketch s
using unnest(%(device_keys)s::integer[], %(starts_us)s::bigint[]) k (device_key, start_us)
where s.device_key = k.device_key and s.length_s = %(length_s)s
  and s.start_time = timestamptz 'epoch' + k.start_us * interval '1 microsecond'

-- name: write_sketches
-- Sketches of which none stands.
copy window_sketch (device_key, length_s, start_time, slot, bins, counts) from stdin (format binary)

-- name: advance
-- How far some devices are now.
insert into aggregation_state as s (device_key, through_time, hours_time, days_time)
select u.device_key, timestamptz 'epoch' + u.through_us * interval '1 microsecond',
       timestamptz 'epoch' + nullif(u.hours_us, 9223372036854775807) * interval '1 microsecond',
       timestamptz 'epoch' + nullif(u.days_us, 9223372036854775807) * interval '1 microsecond'
from unnest(%(device_keys)s::integer[], %(through_us)s::bigint[], %(hours_us)s::bigint[], %(days_us)s::bigint[])
     u (device_key, through_us, hours_us, days_us)
on conflict (device_key) do update
set through_time = excluded.through_time, hours_time = excluded.hours_time, days_time = excluded.days_time

-- name: rebuilt_devices
-- Devices whose windows are to be folded anew; null asks for any.
select distinct d.device_key
from device d
join datastream s using (device_key)
where (%(town)s::text is null or d.town_id = %(town)s)
  and (%(device)s::text is null or d.device_id = %(device)s)
  and (%(property)s::text is null or s.property = %(property)s)
order by d.device_key

-- name: observed_span
-- The first and the last day of observations; null where there are none.
select min(phenomenon_time) as first, max(phenomenon_time) as last from observation_set

-- name: observed_quarters
-- Which quarter hours of some devices hold rows, as changes name them.
select device_key, count(*)::integer as rows, (extract(epoch from min(phenomenon_time)) * 1000000)::bigint as first_us,
       (extract(epoch from max(phenomenon_time)) * 1000000)::bigint as last_us
from observation_set
where device_key = any(%(device_keys)s::integer[])
  and phenomenon_time >= timestamptz 'epoch' + %(first_us)s::bigint * interval '1 microsecond'
  and phenomenon_time < timestamptz 'epoch' + %(last_us)s::bigint * interval '1 microsecond'
group by device_key, date_bin(interval '15 minutes', phenomenon_time, timestamptz '1970-01-01 00:00:00+00')

-- name: archived_datastreams
-- Every datastream of some towns with what its statistics depend on, and what people call it; null asks for all.
select s.device_key, s.slot, s.datastream_id, d.device_id, d.town_id, d.profile, s.name, s.property, s.unit, s.interval_s,
       s.period_s, s.stamp
from datastream s
join device d using (device_key)
where %(town)s::text is null or d.town_id = %(town)s
order by s.device_key, s.slot

-- name: states_of
-- How far some devices are, microseconds.
select device_key, (extract(epoch from through_time) * 1000000)::bigint as through_us
from aggregation_state where device_key = any(%(device_keys)s::integer[])

-- name: note_rebuild
-- A block of a rebuild is done: written in the transaction that does it. A change that names nothing tells the aggregator that
-- windows are not as it wrote them.
with told as (insert into window_change (changes) values (''))
insert into rebuild_block (rebuild, day_time, first_device)
values (%(rebuild)s, timestamptz 'epoch' + %(day_us)s::bigint * interval '1 microsecond', %(first_device)s)
on conflict do nothing

-- name: rebuild_done
-- Blocks of a rebuild that are done.
select (extract(epoch from day_time) * 1000000)::bigint as day_us, first_device from rebuild_block
where rebuild = %(rebuild)s

-- name: forget_rebuild
-- The rebuild is over, or begins anew.
delete from rebuild_block where rebuild = %(rebuild)s
