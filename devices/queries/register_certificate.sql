-- A certificate of a device, unless it is known already.
insert into device_credential (device_key, kind, digest, serial, expires_time, issued_by)
select device_key, 'certificate', %(digest)s, %(serial)s, %(ends)s, %(by)s
from device d
where d.device_id = %(device_id)s and d.retired_time is null and not reserved_at_broker(d.device_id)
  and 8 > (select count(*) from device_credential c
           where c.device_key = d.device_key and c.revoked_time is null and coalesce(c.expires_time > now(), true))
on conflict do nothing
returning credential_id, issued_time
