-- Accounts in which the broker differs from the registry, by device.
select p.device_id, p.change
from broker_account_pending p
order by p.device_id
limit %(limit)s
