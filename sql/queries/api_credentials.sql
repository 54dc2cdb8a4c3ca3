-- name: credentials
-- The credentials of one device, newest first, with how they stand; never what they are checked with.
select c.credential_id, c.kind, c.serial, c.issued_time, c.issued_by, c.expires_time, c.revoked_time, c.revoked_by,
       case when c.revoked_time is not null then 'revoked'
            when c.expires_time <= now() then 'expired'
            else 'valid' end as state
from device d
join device_credential c using (device_key)
where d.device_id = %(device)s
order by c.issued_time desc, c.credential_id
limit 100

-- name: pending_of_device
-- How the broker differs for one device: add, change, remove; no row: not at all.
select change from granted.broker_account_pending where device_id = %(device)s

-- name: pending
-- Accounts in which the broker differs, by device after a device.
select device_id, change
from granted.broker_account_pending
where device_id > %(after)s
order by device_id
limit %(limit)s

-- name: account_check
-- When registry and broker were last compared and last agreed, and what is wrong.
select checked_time, agreed_time, trouble, checked_time > now() - interval '1 minute' as recent
from broker_account_check
