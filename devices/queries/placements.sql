-- Where a device stood and stands, newest first.
select nullif(p.from_time, '-infinity') as from_time, nullif(p.until_time, 'infinity') as until_time, p.town_id, s.site_id,
       s.name as site_name, p.accepted_until
from device_placement p
join device d using (device_key)
join site s on s.site_key = p.site_key
where d.device_id = %(device_id)s
order by p.from_time desc
