-- Sets the gateway of devices; null takes it away. After upsert_devices, so that both ends stand.
update device
set gateway_key = gateway.device_key
from jsonb_to_recordset(%(devices)s) as given (device_id text, gateway_id text)
left join device gateway on gateway.device_id = given.gateway_id
where device.device_id = given.device_id and device.gateway_key is distinct from gateway.device_key
