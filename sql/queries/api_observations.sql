-- name: datastream
-- One datastream with the place of its values.
select s.device_key, s.slot, s.datastream_id, s.name, s.property, s.unit, s.interval_s, s.period_s, s.stamp,
       s.lower_bound, s.upper_bound, s.factor, s.addend, d.device_id, d.profile
from datastream s
join device d using (device_key)
where s.datastream_id = %(datastream)s;

-- name: observations
-- Raw history, oldest or newest first. No two rows of a device share a time, so a time alone is the cursor.
select phenomenon_time, received_time, value, quality
from observation_page(%(device_key)s, %(slot)s, %(first)s, %(last)s, %(ascending)s, %(limit)s);

-- name: values_as_sent
-- What was sent where the stored value does not give it back, within a page of history.
select phenomenon_time, value
from observation_sent
where device_key = %(device_key)s and slot = %(slot)s
  and phenomenon_time between %(first)s and %(last)s;

-- name: rejections
-- Why messages of or about one device were refused, newest first. Two searches, each served by its own index.
select received_time, rejection_key, source, device_id, reason, detail, topic, readings, unkept, replayed, replayed_time,
       subjects, payload
from (
  (select received_time, rejection_key, source, device_id, reason, detail, topic, readings, unkept, replayed, replayed_time,
       subjects, payload
   from rejection
   where device_id = %(device)s
     and received_time >= %(first)s and received_time < %(last)s
     and (received_time, rejection_key) < (%(cursor_time)s, %(cursor_key)s)
   order by received_time desc, rejection_key desc
   limit %(limit)s)
  union all
  (select received_time, rejection_key, source, device_id, reason, detail, topic, readings, unkept, replayed, replayed_time,
       subjects, payload
   from rejection
   where source = %(device)s and device_id is distinct from %(device)s
     and received_time >= %(first)s and received_time < %(last)s
     and (received_time, rejection_key) < (%(cursor_time)s, %(cursor_key)s)
   order by received_time desc, rejection_key desc
   limit %(limit)s)
) found
order by received_time desc, rejection_key desc
limit %(limit)s;
