-- Devices in service without any credential in force; null for all.
select d.device_id
from device d
where d.retired_time is null and not reserved_at_broker(d.device_id)
  and (%(device_ids)s::text[] is null or d.device_id = any(%(device_ids)s))
  and not exists (select from device_credential c
                  where c.device_key = d.device_key and c.revoked_time is null and coalesce(c.expires_time > now(), true))
order by d.device_id
