-- When the certificates of devices end, those in force and those that ended without being revoked within 30 days.
select expires_time
from device_credential
where kind = 'certificate' and revoked_time is null and expires_time > now() - interval '30 days'
