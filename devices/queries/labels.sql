-- Devices with their claim codes for label sheets, by site; every filter may be null.
select d.device_id, d.name, d.town_id, d.profile, s.site_id, s.name as site_name, c.code, c.claimed_time
from device d
join site s using (site_key)
join device_claim c using (device_key)
where d.retired_time is null
  and (%(town_id)s::text is null or d.town_id = %(town_id)s)
  and (%(site_id)s::text is null or s.site_id = %(site_id)s)
  and (%(device_ids)s::text[] is null or d.device_id = any(%(device_ids)s))
order by d.town_id, s.site_id, d.device_id
limit %(limit)s
