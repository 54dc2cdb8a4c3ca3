-- One town as people keep it, locked.
select t.town_id, t.name_vi, t.name_en, t.latitude, t.longitude, t.west, t.south, t.east, t.north, t.position, t.version,
       t.retired_time,
       (select count(*)::integer from site s where s.town_id = t.town_id and s.retired_time is null) as sites,
       (select count(*)::integer from device d where d.town_id = t.town_id and d.retired_time is null) as devices
from town t
where t.town_id = %(town_id)s
for update of t
