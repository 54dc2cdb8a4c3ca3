-- One device as people keep it, locked.
select d.device_key, d.device_id, d.town_id, s.site_id, d.domain, d.profile, d.name, d.reporting_interval_s,
       g.device_id as gateway_id, d.commissioned_time, d.labels, d.rated_power_w, c.device_id as fed_by_id,
       d.version, d.retired_time,
       (select count(*)::integer from device b where b.gateway_key = d.device_key and b.retired_time is null) as carries,
       (select count(*)::integer from device b where b.fed_by_key = d.device_key and b.retired_time is null) as feeds
from device d
join site s using (site_key)
left join device g on g.device_key = d.gateway_key
left join device c on c.device_key = d.fed_by_key
where d.device_id = %(device_id)s
for update of d
