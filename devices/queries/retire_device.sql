-- Takes a device out of service, or back into it.
update device set retired_time = case when %(retired)s then now() end where device_id = %(device_id)s
