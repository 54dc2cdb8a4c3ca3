-- Ends credentials of a device at once: one, or all where none is named.
update device_credential c
set revoked_time = now(), revoked_by = %(by)s
from device d
where d.device_id = %(device_id)s and c.device_key = d.device_key and c.revoked_time is null
  and (%(credential_id)s::uuid is null or c.credential_id = %(credential_id)s)
returning c.credential_id
