-- One site as people keep it, locked.
select s.site_key, s.site_id, s.town_id, s.name, s.kind, s.latitude, s.longitude, s.labels, s.version, s.retired_time,
       array(select w.ward_id from site_ward w where w.site_key = s.site_key and w.how = 'declared' order by 1) as wards,
       (select count(*)::integer from device d where d.site_key = s.site_key and d.retired_time is null) as devices
from site s
where s.site_id = %(site_id)s
for update of s
