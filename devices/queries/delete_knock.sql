-- A device that was let in knocks no more.
delete from knock where device_id = %(device_id)s and town_id = %(town_id)s
