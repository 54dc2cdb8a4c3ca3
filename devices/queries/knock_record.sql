-- One knock, locked.
select device_id, town_id, reason, gateway_id, first_time, last_time, messages, readings, topic, sample, refused_time,
       refused_by
from knock
where device_id = %(device_id)s and town_id = %(town_id)s
for update
