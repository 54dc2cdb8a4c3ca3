-- Changes what people call a device, since when it counts, and its labels.
update device
set name = %(new_name)s, labels = %(labels)s::text[], commissioned_time = %(commissioned_time)s
where device_id = %(device_id)s
