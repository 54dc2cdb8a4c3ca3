-- name: town_headlines
-- Current observations of some properties in a town, reduced in every way a headline may ask for. Current: of good
-- quality, at most three intervals old, from a device that is online. The energetic mean exists for levels in decibel alone:
-- elsewhere the power of ten could overflow.
select e.domain, e.property, min(e.unit) as unit,
       count(*)::integer as datastreams_all,
       count(*) filter (where e.current)::integer as datastreams_current,
       sum(e.value) filter (where e.current) as sum,
       avg(e.value) filter (where e.current) as mean,
       max(e.value) filter (where e.current) as max,
       count(*) filter (where e.current and e.value > 0)::float8 as above_zero,
       10 * log(avg(case when e.unit like 'dB%%' then power(10::float8, e.value / 10) end) filter (where e.current)) as energetic_mean,
       min(e.phenomenon_time) filter (where e.current) as oldest_phenomenon_time,
       max(e.phenomenon_time) filter (where e.current) as newest_phenomenon_time
from (
  select v.domain, s.property, s.unit, l.value_by_slot[s.slot] as value, l.time_by_slot[s.slot] as phenomenon_time,
         coalesce(v.state = 'online'
                  and l.value_by_slot[s.slot] <> 'NaN'
                  and l.quality_by_slot[s.slot] = 0
                  and l.time_by_slot[s.slot] > now() - 3 * s.interval_s * interval '1 second', false) as current
  from device_live v
  join datastream s using (device_key)
  left join latest l using (device_key)
  where v.town_id = %(town)s
    and v.state <> 'retired'
    and (v.domain, s.property) in (select * from unnest(%(domains)s::text[], %(properties)s::text[]))
    and (%(names)s::text[] is null or s.name = any(%(names)s))
) e
group by e.domain, e.property;

-- name: town_problems
-- Devices of a town that need a look, worst state first, within it the longest.
select device_id, name, domain, site_id, site_name, state, state_since
from device_live
where town_id = %(town)s
  and state in ('offline', 'stale', 'never-seen')
order by array_position(array['offline', 'stale', 'never-seen'], state), state_since, device_id
limit %(limit)s;
