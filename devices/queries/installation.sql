-- How far the installation of a device is.
select d.device_id, d.town_id, d.retired_time, c.created_time as code_time, c.claimed_time, c.claimed_by,
       l.phenomenon_time, l.received_time, w.word, w.since as word_time,
       (select count(*)::integer from rejection r where r.device_id = d.device_id
        and r.received_time > now() - interval '1 day') as refused_lately,
       (select r.reason from rejection r where r.device_id = d.device_id
        order by r.received_time desc, r.rejection_key desc limit 1) as refused_reason
from device d
left join device_claim c using (device_key)
left join latest l using (device_key)
left join device_status w using (device_key)
where d.device_id = %(device_id)s
