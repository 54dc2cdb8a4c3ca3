-- Sets gateway and cabinet of devices; null takes them away. After upsert_devices, so that both ends stand.
update device
set gateway_key = gateway.device_key, fed_by_key = cabinet.device_key
from jsonb_to_recordset(%(devices)s) as given (device_id text, gateway_id text, fed_by_id text)
left join device gateway on gateway.device_id = given.gateway_id
left join device cabinet on cabinet.device_id = given.fed_by_id
where device.device_id = given.device_id
  and (device.gateway_key is distinct from gateway.device_key or device.fed_by_key is distinct from cabinet.device_key)
