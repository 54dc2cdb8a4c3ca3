-- The sites of these ids.
select site_id, town_id, name, kind, latitude, longitude
from site
where site_id = any(%(site_ids)s)
