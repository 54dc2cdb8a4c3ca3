-- Gives a device a new claim code; an older one is void from now on.
insert into device_claim (device_key, code)
select device_key, %(code)s from device where device_id = %(device_id)s
on conflict (device_key) do update
set code = excluded.code, created_time = now(), claimed_time = null, claimed_by = null
