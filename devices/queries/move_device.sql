-- Puts a device on another site, and so perhaps into another town.
update device d
set town_id = s.town_id, site_key = s.site_key,
    gateway_key = (select g.device_key from device g where g.device_id = %(gateway_id)s),
    fed_by_key = case when d.town_id = s.town_id then d.fed_by_key end
from site s
where s.site_id = %(site_id)s and d.device_id = %(device_id)s
