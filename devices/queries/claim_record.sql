-- The device a claim code stands for, locked.
select c.device_key, d.device_id, d.town_id, c.code, c.created_time, c.claimed_time, c.claimed_by, d.retired_time
from device_claim c
join device d using (device_key)
where c.code = %(code)s
for update of c
