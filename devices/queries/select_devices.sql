-- The devices of these ids.
select d.device_id, d.town_id, s.site_id, d.domain, d.profile, d.name, d.reporting_interval_s,
       g.device_id as gateway_id, d.commissioned_time, d.labels, d.rated_power_w, c.device_id as fed_by_id,
       d.retired_time is not null as retired
from device d
join site s using (site_key)
left join device g on g.device_key = d.gateway_key
left join device c on c.device_key = d.fed_by_key
where d.device_id = any(%(device_ids)s)
