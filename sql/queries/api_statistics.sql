-- name: fixed_windows
-- Windows of a fixed length, aligned to the UTC epoch; windows without any observation give no row.
select e.start,
       count(*) filter (where e.quality = 0)::integer as count,
       case %(mean)s::text
         when 'energetic' then 10 * log(avg(e.energy) filter (where e.quality = 0))
         when 'circular' then
           case when sqrt(avg(e.east) filter (where e.quality = 0) ^ 2 + avg(e.north) filter (where e.quality = 0) ^ 2) > 1e-9
             then mod((atan2d(avg(e.east) filter (where e.quality = 0), avg(e.north) filter (where e.quality = 0)) + 360)::numeric, 360)::float8
           end
         else avg(e.value) filter (where e.quality = 0)
       end as mean,
       min(e.value) filter (where e.quality = 0) as min,
       max(e.value) filter (where e.quality = 0) as max,
       sum(e.value) filter (where e.quality = 0) as sum,
       min(e.phenomenon_time) filter (where e.quality = 0) as first_phenomenon_time,
       max(e.phenomenon_time) filter (where e.quality = 0) as last_phenomenon_time,
       count(*) filter (where e.quality <> 0)::integer as flagged
from (
  select date_bin(%(window_s)s * interval '1 second', phenomenon_time - %(shift_s)s * interval '1 second',
                  timestamptz '1970-01-01 00:00:00+00') as start,
         phenomenon_time, value_by_slot[%(slot)s] as value, coalesce(quality_by_slot[%(slot)s], 0::smallint) as quality,
         case when %(mean)s::text = 'energetic' then power(10::float8, value_by_slot[%(slot)s] / 10) end as energy,
         case when %(mean)s::text = 'circular' then sind(value_by_slot[%(slot)s]) end as east,
         case when %(mean)s::text = 'circular' then cosd(value_by_slot[%(slot)s]) end as north
  from observation_set
  where device_key = %(device_key)s
    and phenomenon_time >= %(first)s
    and phenomenon_time < %(last)s
    and value_by_slot[%(slot)s] <> 'NaN'
) e
group by e.start
order by e.start;

-- name: calendar_windows
-- Days and months as people here count them; windows without any observation give no row.
select e.start,
       count(*) filter (where e.quality = 0)::integer as count,
       case %(mean)s::text
         when 'energetic' then 10 * log(avg(e.energy) filter (where e.quality = 0))
         when 'circular' then
           case when sqrt(avg(e.east) filter (where e.quality = 0) ^ 2 + avg(e.north) filter (where e.quality = 0) ^ 2) > 1e-9
             then mod((atan2d(avg(e.east) filter (where e.quality = 0), avg(e.north) filter (where e.quality = 0)) + 360)::numeric, 360)::float8
           end
         else avg(e.value) filter (where e.quality = 0)
       end as mean,
       min(e.value) filter (where e.quality = 0) as min,
       max(e.value) filter (where e.quality = 0) as max,
       sum(e.value) filter (where e.quality = 0) as sum,
       min(e.phenomenon_time) filter (where e.quality = 0) as first_phenomenon_time,
       max(e.phenomenon_time) filter (where e.quality = 0) as last_phenomenon_time,
       count(*) filter (where e.quality <> 0)::integer as flagged
from (
  select date_trunc(%(unit)s, phenomenon_time - %(shift_s)s * interval '1 second', 'Asia/Ho_Chi_Minh') as start,
         phenomenon_time, value_by_slot[%(slot)s] as value, coalesce(quality_by_slot[%(slot)s], 0::smallint) as quality,
         case when %(mean)s::text = 'energetic' then power(10::float8, value_by_slot[%(slot)s] / 10) end as energy,
         case when %(mean)s::text = 'circular' then sind(value_by_slot[%(slot)s]) end as east,
         case when %(mean)s::text = 'circular' then cosd(value_by_slot[%(slot)s]) end as north
  from observation_set
  where device_key = %(device_key)s
    and phenomenon_time >= %(first)s
    and phenomenon_time < %(last)s
    and value_by_slot[%(slot)s] <> 'NaN'
) e
group by e.start
order by e.start;
