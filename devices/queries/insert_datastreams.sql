-- Appends the datastreams that devices lack against their profiles. Null for all devices.
insert into datastream (datastream_id, device_key, slot, name, property, unit, factor, addend, lower_bound, upper_bound,
                        words, interval_s, period_s, stamp)
select d.device_id || ':' || p.name, d.device_key, p.slot, p.name, p.property, p.unit, p.factor, p.addend,
       p.lower_bound, p.upper_bound, p.words, p.interval_s, p.period_s, p.stamp
from device d
join jsonb_to_recordset(%(datastreams)s) as p (
  profile_id text, slot smallint, name text, property text, unit text, factor float8, addend float8,
  lower_bound float8, upper_bound float8, words jsonb, interval_s integer, period_s integer, stamp text
) on p.profile_id = d.profile
where (%(device_ids)s::text[] is null or d.device_id = any(%(device_ids)s))
  and not exists (select from datastream s where s.device_key = d.device_key and s.slot = p.slot)
order by d.device_key, p.slot
