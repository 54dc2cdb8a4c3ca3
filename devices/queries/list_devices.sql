-- One line a device for people, by town and device; null for all towns.
select d.device_id, d.town_id, d.domain, d.profile, s.site_id, d.name,
       (select count(*) from datastream where datastream.device_key = d.device_key) as datastreams,
       d.retired_time
from device d
join site s using (site_key)
where %(town_id)s::text is null or d.town_id = %(town_id)s
order by d.town_id, d.device_id
