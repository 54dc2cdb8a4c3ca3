-- A window for people, too, is of the town in which it began.
set local role thubon_owner;

create or replace view granted.window_statistics with (security_barrier) as
select p.town_id, v.device_id, v.datastream_id, v.property, v.length_s, v.start_time, v.end_time, v.count,
       v.expected, v.coverage, v.flagged, v.sum, v.mean, v.variance, v.min, v.min_time, v.max, v.max_time,
       v.first, v.first_phenomenon_time, v.last, v.last_phenomenon_time, v.changed_time, v.computed_time,
       v.sealed
from public.window_statistics v
join public.device d on d.device_id = v.device_id
join public.device_placement p on p.device_key = d.device_key
                              and v.start_time >= p.from_time and v.start_time < p.until_time
where (select all_towns_granted()) or p.town_id = any ((select granted_towns())::text[]);
