-- How the stored datastreams of devices differ from their profiles: missing, changed, or contradicting (a slot that
-- speaks of something else than the profile says, or that the profile does not have). Counts, and the first twenty
-- that contradict. Null for all devices.
select kind, count(*)::integer as datastreams,
       (array_agg(device_id || ' slot ' || slot || ' holds ''' || stored_name || ''', its profile has '
                  || coalesce('''' || given_name || ''' with another property, unit or conversion', 'nothing') || ' there'
                  order by device_id, slot) filter (where kind = 'contradicting'))[1:20] as shown
from (
  select device_id, slot,
         case
           when stored.device_key is null then 'missing'
           -- Values as sent are had back through the conversion they were stored with, so it stays.
           when given.profile_id is null or (stored.name, stored.property, stored.unit, stored.factor, stored.addend)
                is distinct from (given.name, given.property, given.unit, given.factor, given.addend)
             then 'contradicting'
           else 'changed'
         end as kind,
         stored.name as stored_name, given.name as given_name
  from (
    select d.device_id, s.*
    from device d
    join datastream s using (device_key)
    where d.profile = any(%(profile_ids)s) and (%(device_ids)s::text[] is null or d.device_id = any(%(device_ids)s))
  ) stored
  full join (
    select d.device_id, p.*
    from device d
    join jsonb_to_recordset(%(datastreams)s) as p (
      profile_id text, slot smallint, name text, property text, unit text, factor float8, addend float8,
      lower_bound float8, upper_bound float8, words jsonb, interval_s integer, period_s integer, stamp text
    ) on p.profile_id = d.profile
    where %(device_ids)s::text[] is null or d.device_id = any(%(device_ids)s)
  ) given using (device_id, slot)
  where (stored.name, stored.property, stored.unit, stored.factor, stored.addend, stored.lower_bound,
         stored.upper_bound, stored.words, stored.interval_s, stored.period_s, stored.stamp)
        is distinct from
        (given.name, given.property, given.unit, given.factor, given.addend, given.lower_bound,
         given.upper_bound, given.words, given.interval_s, given.period_s, given.stamp)
) difference
group by kind
