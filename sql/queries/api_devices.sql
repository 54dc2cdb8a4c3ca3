-- name: town_list
-- The towns in the order of the page.
select town_id, name_vi, name_en, latitude, longitude, west, south, east, north, retired_time is not null as retired
from town
order by position, town_id;

-- name: device_states
-- How many devices stand in each state, by town and domain.
select town_id, domain, state, count(*)::integer as devices
from device_live
group by town_id, domain, state;

-- name: device_page
-- One page of devices in the order of their ids; every filter may be null. Words are looked for anywhere, without accents.
select v.device_key, v.device_id, v.name, v.town_id, v.domain, v.profile, v.site_id, v.site_name, v.site_kind,
       v.latitude, v.longitude, v.state, v.state_since, v.reporting_interval_s, v.phenomenon_time, v.received_time,
       v.labels, v.version, g.device_id as gateway_id
from device_live v
join device d using (device_key)
join site s on s.site_key = d.site_key
left join device g on g.device_key = v.gateway_key
where v.device_id > %(after)s
  and (%(town)s::text is null or v.town_id = %(town)s)
  and (%(domain)s::text is null or v.domain = %(domain)s)
  and (%(state)s::text is null or v.state = %(state)s)
  and (%(west)s::float8 is null or v.longitude between %(west)s and %(east)s and v.latitude between %(south)s and %(north)s)
  and (%(profile)s::text is null or v.profile = %(profile)s)
  and (%(site)s::text is null or v.site_id = %(site)s)
  and (%(gateway)s::text is null or g.device_id = %(gateway)s)
  and (%(fed_by)s::text is null
       or coalesce(d.fed_by_key, d.gateway_key) = (select c.device_key from device c where c.device_id = %(fed_by)s))
  and (%(label)s::text is null or v.labels @> array[%(label)s::text])
  and (%(ward)s::text is null or d.site_key in (select w.site_key from site_ward w where w.ward_id = %(ward)s))
  and not exists (
    select from regexp_split_to_table(fold_text(%(search)s::text), '\s+') word
    where position(word in d.search) = 0 and position(word in s.search) = 0
  )
order by v.device_id
limit %(limit)s;

-- name: devices_by_key
-- The devices of a live change.
select v.device_key, v.device_id, v.town_id, v.domain, v.profile, v.state, v.phenomenon_time, v.received_time
from device_live v
where v.device_key = any(%(device_keys)s)
order by v.device_id;

-- name: device_detail
-- One device with the times of its life.
select v.device_key, v.device_id, v.name, v.town_id, v.domain, v.profile, v.site_id, v.site_name, v.site_kind,
       v.latitude, v.longitude, v.state, v.state_since, v.reporting_interval_s, v.phenomenon_time, v.received_time,
       v.labels, v.version, g.device_id as gateway_id, d.commissioned_time, d.retired_time, d.rated_power_w,
       c.device_id as fed_by_id,
       (select count(*)::integer from device f
        where (f.fed_by_key = v.device_key or (f.fed_by_key is null and f.gateway_key = v.device_key))
          and f.retired_time is null) as feeds
from device_live v
join device d using (device_key)
left join device g on g.device_key = v.gateway_key
left join device c on c.device_key = d.fed_by_key
where v.device_id = %(device)s;

-- name: device_reports
-- What devices report of themselves, of the datastreams they have for it; without a value where none came yet.
select s.device_key, s.property, s.datastream_id, s.unit, nullif(l.value_by_slot[s.slot], 'NaN') as value,
       nullif(l.time_by_slot[s.slot], '-infinity') as phenomenon_time
from datastream s
left join latest l using (device_key)
where s.device_key = any(%(device_keys)s)
  and s.property = any(%(properties)s)
order by s.device_key, array_position(%(properties)s::text[], s.property), s.slot;

-- name: device_placements
-- Where a device stood and stands, newest first.
select nullif(p.from_time, '-infinity') as from_time, nullif(p.until_time, 'infinity') as until_time, p.town_id, s.site_id,
       s.name as site_name, p.accepted_until
from device_placement p
join site s on s.site_key = p.site_key
where p.device_key = %(device_key)s
order by p.from_time desc
limit 1000;

-- name: device_datastreams
-- What one device observes, in the order of its slots.
select datastream_id, name, property, unit, interval_s, period_s, stamp, lower_bound, upper_bound
from datastream
where device_key = %(device_key)s
order by slot;

-- name: latest_values
-- What each of some devices said last: a row a datastream that ever had an observation, in the order of the slots.
select s.device_key, s.datastream_id, s.name, s.property, s.unit, l.value_by_slot[s.slot] as value,
       l.time_by_slot[s.slot] as phenomenon_time, l.quality_by_slot[s.slot] as quality
from latest l
join datastream s using (device_key)
where l.device_key = any(%(device_keys)s)
  and l.value_by_slot[s.slot] <> 'NaN'
  and l.time_by_slot[s.slot] > '-infinity'
order by s.device_key, s.slot;
