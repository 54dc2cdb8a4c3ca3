-- How each device stands now: its state follows from the clock, so it is computed when asked and never stored.
set local role thubon_owner;

-- online       spoke within three reporting intervals
-- stale        no newer phenomenon time than three reporting intervals: silent, or sending old data, not failed
-- offline      its last will or its own word said so and it observed nothing since,
--              or nothing was heard of it for ten intervals, an hour at least
-- never-seen   neither a reading nor a status word
-- retired      taken out of service
-- state_since is null where that moment is not known: an online device without a status word.
create view device_live with (security_barrier) as
select d.device_key,
       d.device_id,
       d.town_id,
       d.domain,
       d.profile,
       d.name,
       s.site_id,
       s.name as site_name,
       s.kind as site_kind,
       s.latitude,
       s.longitude,
       d.reporting_interval_s,
       l.phenomenon_time,
       l.received_time,
       case
         when d.retired_time <= statement_timestamp() then 'retired'
         when l.device_key is null and w.device_key is null then 'never-seen'
         when m.offline_from <= statement_timestamp() then 'offline'
         when m.stale_from <= statement_timestamp() then 'stale'
         else 'online'
       end as state,
       case
         when d.retired_time <= statement_timestamp() then d.retired_time
         when l.device_key is null and w.device_key is null then d.commissioned_time
         when m.offline_from <= statement_timestamp() then m.offline_from
         when m.stale_from <= statement_timestamp() then m.stale_from
         else m.online_word_time
       end as state_since
from device d
join site s using (site_key)
left join latest l using (device_key)
left join device_status w using (device_key)
cross join lateral (
  select case when w.word = 'online' then w.since end as online_word_time,
         -- An offline word is overtaken by an observation made after it.
         case when w.word = 'offline' and l.phenomenon_time > w.since is not true then w.since end as offline_word_time
) word
cross join lateral (
  -- greatest and least pass over nulls.
  select word.online_word_time,
         least(word.offline_word_time,
               greatest(l.received_time, word.online_word_time)
                 + make_interval(secs => greatest(10 * d.reporting_interval_s, 3600))) as offline_from,
         greatest(l.phenomenon_time + make_interval(secs => 3 * d.reporting_interval_s),
                  word.online_word_time) as stale_from
) m;
comment on view device_live is
  'One row a device with its present state: online, stale, offline, never-seen or retired.';

grant select on device_live to thubon_ingest, thubon_read;
