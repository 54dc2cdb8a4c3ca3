-- The devices of these ids.
select d.device_id, d.town_id, s.site_id, d.domain, d.profile, d.name, d.reporting_interval_s,
       g.device_id as gateway_id, d.commissioned_time, d.labels, d.rated_power_w, d.retired_time is not null as retired
from device d
join site s using (site_key)
left join device g on g.device_key = d.gateway_key
where d.device_id = any(%(device_ids)s)
