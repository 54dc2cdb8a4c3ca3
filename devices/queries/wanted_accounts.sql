-- The accounts as the broker is to hold them: device id and line.
select device_id, line from broker_account_wanted order by device_id
