-- name: town_list
-- The towns in the order of the page.
select town_id, name_vi, name_en, latitude, longitude, west, south, east, north
from town
order by position, town_id;

-- name: device_states
-- How many devices stand in each state, by town and domain.
select town_id, domain, state, count(*)::integer as devices
from device_live
group by town_id, domain, state;

-- name: device_page
-- One page of devices in the order of their ids; every filter may be null.
select v.device_key, v.device_id, v.name, v.town_id, v.domain, v.profile, v.site_id, v.site_name, v.site_kind,
       v.latitude, v.longitude, v.state, v.state_since, v.reporting_interval_s, v.phenomenon_time, v.received_time
from device_live v
where v.device_id > %(after)s
  and (%(town)s::text is null or v.town_id = %(town)s)
  and (%(domain)s::text is null or v.domain = %(domain)s)
  and (%(state)s::text is null or v.state = %(state)s)
  and (%(west)s::float8 is null or v.longitude between %(west)s and %(east)s and v.latitude between %(south)s and %(north)s)
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
       d.commissioned_time, d.retired_time
from device_live v
join device d using (device_key)
where v.device_id = %(device)s;

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
