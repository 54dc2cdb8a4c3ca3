-- name: town_headlines
-- Some figures of a town, each a reduction of the current observations of its datastreams. Current: of good quality, at
-- most three intervals old, from a device that is online. Lamps are lit in the states 1 (on) and 2 (low).
select h.position,
       count(*)::integer as datastreams_all,
       count(*) filter (where e.current)::integer as datastreams_current,
       case h.reduction
         when 'sum' then sum(e.value) filter (where e.current)
         when 'mean' then avg(e.value) filter (where e.current)
         when 'max' then max(e.value) filter (where e.current)
         when 'hourly_rate' then sum(e.value * 3600 / e.period_s) filter (where e.current)
         when 'lit' then sum(case when e.value in (1, 2) then 1 else 0 end) filter (where e.current)::float8
         -- The power is taken of levels alone: of other values it could overflow.
         when 'energetic_mean' then
           10 * log(avg(case when h.reduction = 'energetic_mean' then power(10::float8, e.value / 10) end) filter (where e.current))
       end as value,
       min(e.phenomenon_time) filter (where e.current) as oldest_phenomenon_time,
       max(e.phenomenon_time) filter (where e.current) as newest_phenomenon_time
from unnest(%(domains)s::text[], %(properties)s::text[], %(names)s::text[], %(profiles)s::text[], %(reductions)s::text[])
     with ordinality as h(domain, property, name, profile, reduction, position)
join (
  select v.domain, v.profile, s.property, s.name, s.period_s, l.value_by_slot[s.slot] as value,
         l.time_by_slot[s.slot] as phenomenon_time,
         coalesce(v.state = 'online'
                  and l.value_by_slot[s.slot] <> 'NaN'
                  and quality_admits(l.quality_by_slot[s.slot])
                  and l.time_by_slot[s.slot] > now() - 3 * s.interval_s * interval '1 second', false) as current
  from device_live v
  join datastream s using (device_key)
  left join latest l using (device_key)
  where v.town_id = %(town)s
    and v.state <> 'retired'
    and s.property = any(%(properties)s)
) e on e.domain = h.domain and e.property = h.property
   and (h.name is null or e.name = h.name) and (h.profile is null or e.profile = h.profile)
group by h.position, h.reduction;

-- name: town_problems
-- Devices of a town that need a look, worst state first, within it the longest.
select device_id, name, domain, site_id, site_name, state, state_since
from device_live
where town_id = %(town)s
  and state in ('offline', 'stale', 'never-seen')
order by array_position(array['offline', 'stale', 'never-seen'], state), state_since, device_id
limit %(limit)s;
