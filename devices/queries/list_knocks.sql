-- Who knocked, newest first; null for all towns.
select device_id, town_id, reason, gateway_id, first_time, last_time, messages, readings, topic, sample, refused_time,
       refused_by
from knock
where (%(town_id)s::text is null or town_id = %(town_id)s)
  and (refused_time is not null) = %(refused)s
order by last_time desc, device_id
limit %(limit)s
