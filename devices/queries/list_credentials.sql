-- The credentials of one device, newest first, and whether the broker knows how they stand.
select c.credential_id, c.kind, c.serial, c.issued_time, c.issued_by, c.expires_time, c.revoked_time, c.revoked_by,
       case when c.revoked_time is not null then 'revoked'
            when c.expires_time <= now() then 'expired'
            else 'valid' end as state
from device d
join device_credential c using (device_key)
where d.device_id = %(device_id)s
order by c.issued_time desc, c.credential_id
limit 100
