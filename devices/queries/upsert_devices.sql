-- Writes devices, new or changed; a device never changes its town or profile here.
insert into device (device_id, town_id, site_key, domain, profile, name, reporting_interval_s, commissioned_time, labels,
                    rated_power_w)
select device_id, given.town_id, site_key, domain, profile_id, given.name, reporting_interval_s,
       coalesce(commissioned_time, now()), given.labels, given.rated_power_w
from jsonb_to_recordset(%(devices)s) as given (
  device_id text, town_id text, site_id text, domain text, profile_id text, name text, reporting_interval_s integer,
  commissioned_time timestamptz, labels text[], rated_power_w float8
)
join site using (site_id)
on conflict (device_id) do update
set site_key = excluded.site_key, name = excluded.name, reporting_interval_s = excluded.reporting_interval_s,
    commissioned_time = excluded.commissioned_time, labels = excluded.labels,
    rated_power_w = excluded.rated_power_w
where device.town_id = excluded.town_id and device.profile = excluded.profile
