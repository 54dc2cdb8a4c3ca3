-- Brings bounds, words and times of stored datastreams to those of the profiles. Null for all devices.
update datastream s
set lower_bound = p.lower_bound, upper_bound = p.upper_bound, words = p.words,
    interval_s = p.interval_s, period_s = p.period_s, stamp = p.stamp
from device d
join jsonb_to_recordset(%(datastreams)s) as p (
  profile_id text, slot smallint, name text, property text, unit text, factor float8, addend float8,
  lower_bound float8, upper_bound float8, words jsonb, interval_s integer, period_s integer, stamp text
) on p.profile_id = d.profile
where s.device_key = d.device_key and s.slot = p.slot and s.name = p.name
  and (%(device_ids)s::text[] is null or d.device_id = any(%(device_ids)s))
  and (s.lower_bound, s.upper_bound, s.words, s.interval_s, s.period_s, s.stamp)
      is distinct from
      (p.lower_bound, p.upper_bound, p.words, p.interval_s, p.period_s, p.stamp)
