-- New passwords for devices; with an overlap in seconds their passwords before end after it, without one they stay.
-- A device that is retired, reserved or has eight credentials in force gets none, and no row.
with given as (
  select * from unnest(%(device_ids)s::text[], %(salts)s::bytea[], %(digests)s::bytea[]) g (device_id, salt, digest)
), target as (
  select d.device_key, d.device_id, g.salt, g.digest
  from given g
  join device d using (device_id)
  where d.retired_time is null and not reserved_at_broker(d.device_id)
    and 8 > (select count(*) from device_credential c
             where c.device_key = d.device_key and c.revoked_time is null and coalesce(c.expires_time > now(), true))
), ended as (
  update device_credential c
  set expires_time = least(c.expires_time, now() + make_interval(secs => %(overlap_s)s::float8))
  from target t
  where %(overlap_s)s::float8 is not null and c.device_key = t.device_key and c.kind = 'password'
    and c.revoked_time is null and coalesce(c.expires_time > now(), true)
), made as (
  insert into device_credential (device_key, kind, salt, digest, issued_by)
  select device_key, 'password', salt, digest, %(by)s from target
  returning credential_id, device_key, issued_time
)
select t.device_id, m.credential_id, m.issued_time
from made m
join target t using (device_key)
