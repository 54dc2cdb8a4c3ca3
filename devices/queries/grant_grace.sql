-- For how long the topics of the town a device was just moved from are still taken; from then on those of any town it
-- moved back to are its own.
update device_placement p
set accepted_until = now() + %(grace_s)s * interval '1 second'
from device d
where d.device_id = %(device_id)s and p.device_key = d.device_key and p.until_time = now() and p.town_id <> d.town_id
returning p.accepted_until
