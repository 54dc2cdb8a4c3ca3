-- The accounts as the broker last confirmed them: device id and line.
select device_id, line from broker_account
