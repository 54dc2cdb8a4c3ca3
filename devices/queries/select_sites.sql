-- The sites of these ids, each with the wards people declared.
select s.site_id, s.town_id, s.name, s.kind, s.latitude, s.longitude, s.labels, s.retired_time is not null as retired,
       array(select w.ward_id from site_ward w where w.site_key = s.site_key and w.how = 'declared' order by 1) as wards
from site s
where s.site_id = any(%(site_ids)s)
