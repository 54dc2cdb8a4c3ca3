-- Devices in service that have no claim code yet; every filter may be null.
select d.device_id
from device d
join site s using (site_key)
where d.retired_time is null
  and (%(town_id)s::text is null or d.town_id = %(town_id)s)
  and (%(site_id)s::text is null or s.site_id = %(site_id)s)
  and (%(device_ids)s::text[] is null or d.device_id = any(%(device_ids)s))
  and not exists (select from device_claim c where c.device_key = d.device_key)
order by d.town_id, s.site_id, d.device_id
limit %(limit)s
