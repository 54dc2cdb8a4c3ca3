-- name: parts
-- Everything of which the windows of one datastream are made, as one row of columns, each a string of numbers as they are
-- sent. `w_*`: windows at rest; where coarser ones are older than their finer ones, the finer. `f_*`: flags of those that hold
-- some. `o_*`: of what is not folded yet, the observations themselves. `s_*`: sketches. One statement, so one snapshot.
with through as materialized (
  select coalesce(max(through_time), '-infinity') as folded,
         coalesce(date_bin(interval '1 hour', max(hours_time), timestamptz '1970-01-01 00:00:00+00'), 'infinity') as hours,
         coalesce(date_trunc('day', max(days_time), 'Asia/Ho_Chi_Minh'), 'infinity') as days
  from aggregation_state
  where device_key = %(device_key)s
), at_rest as (
  select w.*
  from window_set w
  where w.device_key = %(device_key)s and w.length_s = %(length_s)s and %(slot)s <= cardinality(w.count)
    and w.start_time >= %(first)s and w.start_time < %(last)s
    and (%(length_s)s = 900 or w.start_time < (select case when %(length_s)s = 3600 then hours else days end from through))
  union all
  select w.*
  from window_set w
  where w.device_key = %(device_key)s and w.length_s = 3600 and %(length_s)s = 86400 and %(slot)s <= cardinality(w.count)
    and w.start_time >= %(first)s and w.start_time < %(last)s
    and w.start_time >= (select days from through) and w.start_time < (select hours from through)
  union all
  select w.*
  from window_set w
  where w.device_key = %(device_key)s and w.length_s = 900 and %(length_s)s > 900 and %(slot)s <= cardinality(w.count)
    and w.start_time >= %(first)s and w.start_time < %(last)s
    and w.start_time >= (select hours from through)
), tail as (
  select o.phenomenon_time, o.value_by_slot, o.quality_by_slot
  from observation_set o
  where o.device_key = %(device_key)s
    and o.phenomenon_time > (select folded from through)
    and o.phenomenon_time >= %(first)s + %(shift_s)s * interval '1 second'
    and o.phenomenon_time < %(last)s + %(shift_s)s * interval '1 second'
    and o.value_by_slot[%(slot)s] <> 'NaN'
), sketch as (
  select k.* from window_sketch k
  where 'sketch' = any(%(keeps)s::text[]) and k.device_key = %(device_key)s and k.slot = %(slot)s
    and k.start_time >= %(first)s and k.start_time < %(last)s
    and (k.length_s = %(length_s)s
         or k.length_s = 3600 and %(length_s)s = 86400 and k.start_time >= (select days from through)
         or k.length_s = 900 and %(length_s)s > 900 and k.start_time >= (select hours from through))
), weighing as (
  -- Slots that count the vehicles whose mean speed the device tells; none where that is not one speed.
  select slot from datastream
  where 'harmonic-mean' = any(%(keeps)s::text[]) and device_key = %(device_key)s and property = 'vehicle-count'
    and (select count(*) from datastream where device_key = %(device_key)s and property = 'vehicle-speed') = 1
)
select r.*, o.*, s.*
from (
  select string_agg(timestamptz_send(w.start_time), ''::bytea) as w_start,
         string_agg(int4send(w.count[%(slot)s]), ''::bytea) as w_count,
         string_agg(int4send(w.flagged[%(slot)s]), ''::bytea) as w_flagged,
         string_agg(float8send(w.sum[%(slot)s]), ''::bytea) as w_sum,
         string_agg(float8send(w.second_moment[%(slot)s]), ''::bytea) as w_second_moment,
         string_agg(float8send(w.min[%(slot)s]), ''::bytea) as w_min,
         string_agg(float8send(w.max[%(slot)s]), ''::bytea) as w_max,
         string_agg(float8send(w.first[%(slot)s]), ''::bytea) as w_first,
         string_agg(float8send(w.last[%(slot)s]), ''::bytea) as w_last,
         string_agg(timestamptz_send(w.min_time[%(slot)s]), ''::bytea) as w_min_time,
         string_agg(timestamptz_send(w.max_time[%(slot)s]), ''::bytea) as w_max_time,
         string_agg(timestamptz_send(w.first_time[%(slot)s]), ''::bytea) as w_first_time,
         string_agg(timestamptz_send(w.last_time[%(slot)s]), ''::bytea) as w_last_time,
         string_agg(timestamptz_send(w.start_time), ''::bytea) filter (where w.flags is not null) as f_start,
         string_agg(array_send(w.flags[7 * %(slot)s - 6 : 7 * %(slot)s]), ''::bytea)
           filter (where w.flags is not null) as f_flags,
         string_agg(float8send(coalesce(w.energy[%(slot)s]::float8, 'NaN')), ''::bytea)
           filter (where 'energetic-mean' = any(%(keeps)s::text[])) as w_energy,
         string_agg(float8send(coalesce(w.east[%(slot)s]::float8, 'NaN')), ''::bytea)
           filter (where 'circular-mean' = any(%(keeps)s::text[])) as w_east,
         string_agg(float8send(coalesce(w.north[%(slot)s]::float8, 'NaN')), ''::bytea)
           filter (where 'circular-mean' = any(%(keeps)s::text[])) as w_north,
         string_agg(float8send(coalesce(w.weight[%(slot)s]::float8, 'NaN')), ''::bytea)
           filter (where 'harmonic-mean' = any(%(keeps)s::text[])) as w_weight,
         string_agg(float8send(coalesce(w.weight_by_value[%(slot)s]::float8, 'NaN')), ''::bytea)
           filter (where 'harmonic-mean' = any(%(keeps)s::text[])) as w_weight_by_value,
         string_agg(float8send(coalesce(w.held_value_s[%(slot)s]::float8, 'NaN')), ''::bytea)
           filter (where 'time-weighted-mean' = any(%(keeps)s::text[])) as w_held_value_s,
         string_agg(float8send(coalesce(w.held_s[%(slot)s]::float8, 'NaN')), ''::bytea)
           filter (where 'time-weighted-mean' = any(%(keeps)s::text[])) as w_held_s,
         string_agg(float8send(coalesce(w.increase[%(slot)s]::float8, 'NaN')), ''::bytea)
           filter (where 'increase' = any(%(keeps)s::text[])) as w_increase,
         string_agg(float8send(coalesce(w.resets[%(slot)s]::float8, 'NaN')), ''::bytea)
           filter (where 'increase' = any(%(keeps)s::text[])) as w_resets,
         string_agg(float8send(coalesce(w.transitions[%(slot)s]::float8, 'NaN')), ''::bytea)
           filter (where 'states' = any(%(keeps)s::text[])) as w_transitions,
         string_agg(float8send(coalesce(w.above[%(slot)s]::float8, 'NaN')), ''::bytea)
           filter (where 'exceedance' = any(%(keeps)s::text[])) as w_above,
         string_agg(float8send(coalesce(w.longest_run[%(slot)s]::float8, 'NaN')), ''::bytea)
           filter (where 'exceedance' = any(%(keeps)s::text[])) as w_longest_run,
         string_agg(float8send(coalesce(w.run_at_start[%(slot)s]::float8, 'NaN')), ''::bytea)
           filter (where 'exceedance' = any(%(keeps)s::text[])) as w_run_at_start,
         string_agg(float8send(coalesce(w.run_at_end[%(slot)s]::float8, 'NaN')), ''::bytea)
           filter (where 'exceedance' = any(%(keeps)s::text[])) as w_run_at_end,
         string_agg(array_send(coalesce(w.state_s[8 * %(slot)s - 7 : 8 * %(slot)s], array_fill('NaN'::float8, '{8}'))), ''::bytea)
           filter (where 'states' = any(%(keeps)s::text[])) as w_state_s
  from at_rest w
) r, (
  select string_agg(timestamptz_send(t.phenomenon_time), ''::bytea) as o_time,
         string_agg(float8send(t.value_by_slot[%(slot)s]), ''::bytea) as o_value,
         string_agg(int2send(coalesce(t.quality_by_slot[%(slot)s], 0::smallint)), ''::bytea) as o_quality,
         string_agg(float8send(coalesce((
           select sum(t.value_by_slot[v.slot]) from weighing v
           where t.value_by_slot[v.slot] <> 'NaN' and quality_admits(t.quality_by_slot[v.slot])
         ), 0)), ''::bytea) filter (where exists (select from weighing)) as o_weight
  from tail t
) o, (
  select string_agg(timestamptz_send(k.start_time), ''::bytea) as s_start,
         string_agg(int4send(cardinality(k.bins)), ''::bytea) as s_size,
         string_agg(substr(array_send(k.bins), 21), ''::bytea) as s_bins,
         string_agg(substr(array_send(k.counts), 21), ''::bytea) as s_counts
  from sketch k
) s
