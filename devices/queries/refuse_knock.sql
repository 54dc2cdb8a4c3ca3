-- Wants nothing of a device, or would hear of it again.
update knock
set refused_time = case when %(refused)s then now() end, refused_by = case when %(refused)s then %(person)s end
where device_id = %(device_id)s and town_id = %(town_id)s
