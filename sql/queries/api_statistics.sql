-- name: windows
-- Windows of one datastream. Of each length those that are at rest; where coarser ones are older than their finer ones,
-- the finer; of what is not folded yet, the observations themselves. Windows without any observation give no row.
with through as materialized (
  select coalesce(max(through_time), '-infinity') as folded,
         coalesce(date_bin(interval '1 hour', max(hours_time), timestamptz '1970-01-01 00:00:00+00'), 'infinity') as hours,
         coalesce(date_trunc('day', max(days_time), 'Asia/Ho_Chi_Minh'), 'infinity') as days
  from aggregation_state
  where device_key = %(device_key)s
), part as (
  select w.start_time as start, w.count[%(slot)s] as count, w.flagged[%(slot)s] as flagged, w.sum[%(slot)s] as sum,
         w.min[%(slot)s] as min, w.max[%(slot)s] as max, w.first_time[%(slot)s] as first_time,
         w.last_time[%(slot)s] as last_time, w.energy[%(slot)s] as energy, w.east[%(slot)s] as east,
         w.north[%(slot)s] as north
  from window_set w
  where w.device_key = %(device_key)s and w.length_s = %(length_s)s and %(slot)s <= cardinality(w.count)
    and w.start_time >= %(first)s and w.start_time < %(last)s
    and (%(length_s)s = 900 or w.start_time < (select case when %(length_s)s = 3600 then hours else days end from through))
  union all
  select w.start_time, w.count[%(slot)s], w.flagged[%(slot)s], w.sum[%(slot)s], w.min[%(slot)s], w.max[%(slot)s],
         w.first_time[%(slot)s], w.last_time[%(slot)s], w.energy[%(slot)s], w.east[%(slot)s], w.north[%(slot)s]
  from window_set w
  where w.device_key = %(device_key)s and w.length_s = 3600 and %(length_s)s = 86400 and %(slot)s <= cardinality(w.count)
    and w.start_time >= %(first)s and w.start_time < %(last)s
    and w.start_time >= (select days from through) and w.start_time < (select hours from through)
  union all
  select w.start_time, w.count[%(slot)s], w.flagged[%(slot)s], w.sum[%(slot)s], w.min[%(slot)s], w.max[%(slot)s],
         w.first_time[%(slot)s], w.last_time[%(slot)s], w.energy[%(slot)s], w.east[%(slot)s], w.north[%(slot)s]
  from window_set w
  where w.device_key = %(device_key)s and w.length_s = 900 and %(length_s)s > 900 and %(slot)s <= cardinality(w.count)
    and w.start_time >= %(first)s and w.start_time < %(last)s
    and w.start_time >= (select hours from through)
  union all
  select e.start, count(*) filter (where e.good), count(*) filter (where not e.good), sum(e.value) filter (where e.good),
         min(e.value) filter (where e.good), max(e.value) filter (where e.good),
         min(e.phenomenon_time) filter (where e.good), max(e.phenomenon_time) filter (where e.good),
         sum(power(10::float8, e.value / 10)) filter (where e.good and %(mean)s = 'energetic'),
         sum(sind(e.value)) filter (where e.good and %(mean)s = 'circular'),
         sum(cosd(e.value)) filter (where e.good and %(mean)s = 'circular')
  from (
    select date_bin(interval '15 minutes', phenomenon_time - %(shift_s)s * interval '1 second',
                    timestamptz '1970-01-01 00:00:00+00') as start,
           phenomenon_time, value_by_slot[%(slot)s] as value,
           quality_admits(quality_by_slot[%(slot)s]) as good
    from observation_set
    where device_key = %(device_key)s
      and phenomenon_time > (select folded from through)
      and phenomenon_time >= %(first)s + %(shift_s)s * interval '1 second'
      and phenomenon_time < %(last)s + %(shift_s)s * interval '1 second'
      and value_by_slot[%(slot)s] <> 'NaN'
  ) e
  group by e.start
), whole as (
  select case when %(unit)s::text is null
              then date_bin(%(length_s)s * interval '1 second', p.start, timestamptz '1970-01-01 00:00:00+00')
              else date_trunc(%(unit)s, p.start, 'Asia/Ho_Chi_Minh') end as start,
         sum(p.count)::bigint as count, sum(p.flagged)::bigint as flagged, sum(p.sum) as sum, min(p.min) as min,
         max(p.max) as max, min(p.first_time) as first_time, max(p.last_time) as last_time, sum(p.energy) as energy,
         sum(p.east) as east, sum(p.north) as north
  from part p
  group by 1
)
select start, count, flagged,
       case when count = 0 then null
            when %(mean)s = 'energetic' then 10 * log(energy / count)
            when %(mean)s = 'circular' then
              case when sqrt(east ^ 2 + north ^ 2) > 1e-9 * count
                then mod((atan2d(east, north) + 360)::numeric, 360)::float8 end
            else sum / count
       end as mean,
       case when count > 0 then sum end as sum,
       case when count > 0 then min end as min,
       case when count > 0 then max end as max,
       case when count > 0 then first_time end as first_phenomenon_time,
       case when count > 0 then last_time end as last_phenomenon_time
from whole
where count > 0 or flagged > 0
order by start
