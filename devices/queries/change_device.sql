-- Changes what people call a device, since when it counts, its labels and its rated power.
update device
set name = %(new_name)s, labels = %(labels)s::text[], commissioned_time = %(commissioned_time)s,
    rated_power_w = %(rated_power_w)s
where device_id = %(device_id)s
