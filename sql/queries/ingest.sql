-- name: registry_version
-- Grows with every change of towns, sites, devices or datastreams.
select version from registry_version

-- name: registry_devices
-- Every device with what the worker needs to know of it.
select d.device_key, d.device_id, d.town_id, g.device_id as gateway_id,
       (extract(epoch from d.commissioned_time) * 1000000)::bigint as commissioned_us,
       d.retired_time is not null as retired, f.former_towns
from device d
left join device g on g.device_key = d.gateway_key
left join (
  -- Towns whose topics a moved device may still use: town -> up to when, Unix microseconds.
  select device_key, jsonb_object_agg(town_id, until_us) as former_towns
  from (select device_key, town_id, max(extract(epoch from accepted_until) * 1000000)::bigint as until_us
        from device_placement where accepted_until is not null group by device_key, town_id) p
  group by device_key
) f on f.device_key = d.device_key
order by d.device_key

-- name: registry_datastreams
-- Every datastream's slot, bounds and conversion, and where its quality rules are found.
select s.device_key, s.slot, s.name, s.lower_bound, s.upper_bound, s.factor, s.addend, s.words, s.property, d.profile
from datastream s
join device d using (device_key)
order by s.device_key, s.slot

-- name: newest_times
-- Each device's newest stored phenomenon time as latest knows it.
select device_key, (extract(epoch from phenomenon_time) * 1000000)::bigint as time_us from latest

-- name: storage_edition
-- Which storage the server offers.
select storage_edition()

-- name: ensure_day
-- Makes the partition of one day where the storage needs it made by hand.
select ensure_observation_partitions(%(time)s, %(time)s)

-- name: create_staging
-- Rows that may stand already wait here within their transaction; row is their number in the batch.
create temporary table if not exists staging (
  phenomenon_time timestamptz not null, received_time timestamptz not null, device_key integer not null,
  value_by_slot float8[] not null, quality_by_slot smallint[], row integer not null
) on commit delete rows

-- name: create_staging_merged
-- Standing rows with the values that were merged into them.
create temporary table if not exists staging_merged (
  phenomenon_time timestamptz not null, received_time timestamptz not null, device_key integer not null,
  value_by_slot float8[] not null, quality_by_slot smallint[], row integer not null
) on commit delete rows

-- name: copy_observations
-- The straight way in, for rows newer than anything their device has stored.
copy observation_set (phenomenon_time, received_time, device_key, value_by_slot, quality_by_slot)
from stdin (format binary)

-- name: copy_staging
-- The careful way in, first step.
copy staging (phenomenon_time, received_time, device_key, value_by_slot, quality_by_slot, row)
from stdin (format binary)

-- name: copy_staging_merged
-- The careful way in, merged rows.
copy staging_merged (phenomenon_time, received_time, device_key, value_by_slot, quality_by_slot, row)
from stdin (format binary)

-- name: plan_by_key
-- Keys that come as arrays or from staging tables have no statistics; without this the planner may read a chunk's whole
-- index for a handful of rows.
set local enable_hashjoin = off; set local enable_mergejoin = off

-- name: insert_staged
-- Stores the staged rows that do not stand yet and answers their keys.
copy (
  insert into observation_set (phenomenon_time, received_time, device_key, value_by_slot, quality_by_slot)
  select phenomenon_time, received_time, device_key, value_by_slot, quality_by_slot
  from staging
  order by device_key, phenomenon_time
  on conflict (device_key, phenomenon_time) do nothing
  returning device_key, phenomenon_time
) to stdout (format binary)

-- name: differing_rows
-- Staged rows that stand with other values, locked. A row just inserted cannot differ from itself.
select s.row, o.value_by_slot, o.quality_by_slot,
       (extract(epoch from o.received_time) * 1000000)::bigint as received_us
from staging s
join observation_set o using (device_key, phenomenon_time)
where o.phenomenon_time between %(first)s and %(last)s
  and o.value_by_slot is distinct from s.value_by_slot
for no key update of o

-- name: update_merged
-- Puts merged values into the rows that stood already; their locks are held.
update observation_set r
set value_by_slot = m.value_by_slot || r.value_by_slot[cardinality(m.value_by_slot) + 1 :],
    -- A row may be longer than this worker knows its device to be: what stands beyond is kept.
    quality_by_slot = case
      when cardinality(r.value_by_slot) <= cardinality(m.value_by_slot) or r.quality_by_slot is null then m.quality_by_slot
      else coalesce(m.quality_by_slot, array_fill(0::smallint, array[cardinality(m.value_by_slot)]))
           || r.quality_by_slot[cardinality(m.value_by_slot) + 1 :]
    end
from staging_merged m
where r.device_key = m.device_key and r.phenomenon_time = m.phenomenon_time
  and r.phenomenon_time between %(first)s and %(last)s

-- name: rows_before
-- The newest rows of some devices, each before a time of its own, oldest first; not older than the span.
copy (
select k.n::integer, o.phenomenon_time, o.value_by_slot, o.quality_by_slot
from unnest(%(device_keys)s::integer[], %(before_us)s::bigint[]) with ordinality k (device_key, before_us, n)
cross join lateral (
  select * from observation_set r
  where r.device_key = k.device_key
    and r.phenomenon_time < timestamptz 'epoch' + k.before_us * interval '1 microsecond'
    and r.phenomenon_time >= timestamptz 'epoch' + %(first_us)s::bigint * interval '1 microsecond'
    and r.phenomenon_time < timestamptz 'epoch' + %(last_us)s::bigint * interval '1 microsecond'
  order by r.phenomenon_time desc limit %(rows)s
) o
order by k.n, o.phenomenon_time
) to stdout (format binary)

-- name: standing_since
-- Of some slots the values that are equal to the newest before a time, back to the first that differs or the span's start:
-- how many, and the time of the oldest.
select k.n::integer as n, h.count, (extract(epoch from h.since) * 1000000)::bigint as since_us
from unnest(%(device_keys)s::integer[], %(slots)s::smallint[], %(before_us)s::bigint[])
     with ordinality k (device_key, slot, before_us, n)
cross join lateral (
  select count(*) as count, min(e.phenomenon_time) as since
  from (
    select r.phenomenon_time,
           bool_and(r.value_by_slot[k.slot] = lag_value) over newest_first as same
    from (
      select o.phenomenon_time, o.value_by_slot,
             coalesce(lag(o.value_by_slot[k.slot]) over (order by o.phenomenon_time desc), o.value_by_slot[k.slot]) as lag_value
      from observation_set o
      where o.device_key = k.device_key
        and o.phenomenon_time < timestamptz 'epoch' + k.before_us * interval '1 microsecond'
        and o.phenomenon_time >= timestamptz 'epoch' + %(first_us)s::bigint * interval '1 microsecond'
        and o.phenomenon_time < timestamptz 'epoch' + %(last_us)s::bigint * interval '1 microsecond'
        and o.value_by_slot[k.slot] <> 'NaN' and coalesce(o.quality_by_slot[k.slot], 0::smallint) & 3 = 0
    ) r
    window newest_first as (order by r.phenomenon_time desc)
  ) e
  where e.same
) h
where h.count > 0

-- name: clear_staging
-- Makes both staging tables empty for the next block of the same transaction.
truncate staging, staging_merged

-- name: create_staging_rejection
-- What was refused waits here within its transaction: row-level security lets nobody but the owner copy into rejection.
create temporary table if not exists staging_rejection (
  received_time timestamptz, town_id text, source text, device_id text, family text, topic text, reason text, detail text,
  readings integer, subjects jsonb, payload bytea, payload_bytes integer, retained boolean, qos smallint, message integer,
  message_received integer, message_missing integer, assigned_time timestamptz, unkept integer
) on commit delete rows

-- name: insert_rejections
-- What was refused, with its bytes, in the order in which it was copied.
with taken as (delete from staging_rejection returning *)
insert into rejection (received_time, town_id, source, device_id, family, topic, reason, detail, readings, subjects, payload,
                       payload_bytes, retained, qos, message, message_received, message_missing, assigned_time, unkept)
select * from taken

-- name: copy_rejections
-- First step to rejection.
copy staging_rejection (received_time, town_id, source, device_id, family, topic, reason, detail, readings, subjects, payload,
                payload_bytes, retained, qos, message, message_received, message_missing, assigned_time, unkept)
from stdin

-- name: adjust_ledger
-- Notes readings that the ledger counts elsewhere than where observation_set shows them; hours are seconds since 1970.
insert into ledger_adjustment as a (hour, device_id, cause, readings)
select to_timestamp(u.hour), u.device_id, %(cause)s, sum(u.readings)
from unnest(%(hours)s::bigint[], %(devices)s::text[], %(readings)s::bigint[]) u (hour, device_id, readings)
group by 1, 2
order by 1, 2
on conflict (hour, device_id, cause) do update set readings = a.readings + excluded.readings

-- name: note_sent
-- Values as they were sent, of observations whose conversion does not give them back.
insert into observation_sent (device_key, phenomenon_time, slot, value)
select u.device_key, timestamptz 'epoch' + u.time_us * interval '1 microsecond', u.slot, u.value
from unnest(%(device_keys)s::integer[], %(times_us)s::bigint[], %(slots)s::smallint[], %(values)s::float8[])
     u (device_key, time_us, slot, value)
order by u.device_key, u.time_us, u.slot
on conflict do nothing

-- name: trim_sent
-- Values as sent go with their observations.
delete from observation_sent where phenomenon_time < now() - %(keep_days)s * interval '1 day'

-- name: set_statuses
-- The last status word of each device; since moves only when the word changes.
insert into device_status as d (device_key, word, since)
select u.device_key, u.word, u.since
from unnest(%(device_keys)s::integer[], %(words)s::text[], %(times)s::timestamptz[]) u (device_key, word, since)
order by u.device_key
on conflict (device_key) do update
set word = excluded.word, since = case when d.word = excluded.word then d.since else excluded.since end

-- name: log_batch
-- The batch's share of the ledger, the rows that may move latest and the windows it touches; answers the transaction's id,
-- for a doubtful COMMIT.
with change as (
  insert into window_change (changes) select %(changes)s::bytea where length(%(changes)s::bytea) > 0
)
insert into batch_log (worker, hours, town_ids, sources, families, received, stored, duplicate, conflict, rejected, missing,
                       device_keys, times, slots, status_device_keys)
values (%(worker)s, %(hours)s::timestamptz[], %(town_ids)s::text[], %(sources)s::text[], %(families)s::text[],
        %(received)s::bigint[], %(stored)s::bigint[], %(duplicate)s::bigint[], %(conflict)s::bigint[],
        %(rejected)s::bigint[], %(missing)s::bigint[], %(device_keys)s::integer[],
        array(select timestamptz 'epoch' + u.us * interval '1 microsecond'
              from unnest(%(times_us)s::bigint[]) with ordinality u (us, n) order by u.n),
        %(slots)s::bigint[], %(status_device_keys)s::integer[])
returning pg_current_xact_id()::text::bigint as xid

-- name: transaction_status
-- What became of a transaction whose COMMIT was not answered: committed, aborted or in progress.
select pg_xact_status(%(xid)s::text::xid8)

-- name: take_batch_logs
-- Takes committed batches out of the log and adds their share to the ledger; answers what may move latest.
with taken as (
  delete from batch_log
  where batch_key in (select batch_key from batch_log order by batch_key limit %(batches)s for update skip locked)
  returning *
), entry as (
  insert into ledger_hour as l (hour, town_id, source, family, received, stored, duplicate, conflict, rejected, missing)
  select u.hour, u.town_id, u.source, u.family, sum(u.received), sum(u.stored), sum(u.duplicate), sum(u.conflict),
         sum(u.rejected), sum(u.missing)
  from taken t, unnest(t.hours, t.town_ids, t.sources, t.families, t.received, t.stored, t.duplicate, t.conflict,
                       t.rejected, t.missing)
       u (hour, town_id, source, family, received, stored, duplicate, conflict, rejected, missing)
  group by u.hour, u.town_id, u.source, u.family
  order by u.hour, u.town_id, u.source, u.family
  on conflict (hour, town_id, source, family) do update
  set received = l.received + excluded.received, stored = l.stored + excluded.stored,
      duplicate = l.duplicate + excluded.duplicate, conflict = l.conflict + excluded.conflict,
      rejected = l.rejected + excluded.rejected, missing = l.missing + excluded.missing
)
select device_keys, array(select (extract(epoch from u) * 1000000)::bigint from unnest(times) u) as times_us,
       slots, status_device_keys
from taken
order by batch_key

-- name: fold_complete_latest
-- Moves latest forward by rows that fill every slot and are newer than all that stands there: the usual case, at a third of
-- what looking at each slot costs. Answers the devices it moved; the others are for fold_latest.
update latest l
set phenomenon_time = o.phenomenon_time,
    received_time = greatest(l.received_time, o.received_time),
    value_by_slot = o.value_by_slot,
    quality_by_slot = coalesce(o.quality_by_slot, array_fill(0::smallint, array[k.width])),
    time_by_slot = array_fill(o.phenomenon_time, array[k.width]),
    -- It was stale (see device_live) when this came: it is back since now.
    online_since = case
      when l.phenomenon_time + 3 * interval '1 second' * (select d.reporting_interval_s from device d
                                                          where d.device_key = l.device_key) < o.received_time
        then o.received_time
      else l.online_since
    end
from (select u.device_key, timestamptz 'epoch' + u.us * interval '1 microsecond' as phenomenon_time, u.width
      from unnest(%(device_keys)s::integer[], %(times_us)s::bigint[], %(widths)s::integer[]) u (device_key, us, width)
      where u.width > 0) k
cross join lateral (
  select * from observation_set r
  where r.device_key = k.device_key and r.phenomenon_time = k.phenomenon_time
    and r.phenomenon_time between %(first)s and %(last)s
    and cardinality(r.value_by_slot) = k.width
) o
where l.device_key = k.device_key
  and l.phenomenon_time <= k.phenomenon_time
  and cardinality(l.value_by_slot) <= k.width
returning l.device_key

-- name: fold_latest
-- Moves latest forward by the named rows, at most one a device; a slot takes a value only from a time not older than its own.
insert into latest as l (device_key, phenomenon_time, received_time, value_by_slot, time_by_slot, quality_by_slot,
                         online_since)
select o.device_key, o.phenomenon_time, o.received_time, o.value_by_slot,
       latest_times(null, o.value_by_slot, o.phenomenon_time),
       coalesce(o.quality_by_slot, array_fill(0::smallint, array[cardinality(o.value_by_slot)])), o.received_time
from (select u.device_key, timestamptz 'epoch' + u.us * interval '1 microsecond' as phenomenon_time
      from unnest(%(device_keys)s::integer[], %(times_us)s::bigint[]) u (device_key, us)) k
cross join lateral (
  select * from observation_set r
  where r.device_key = k.device_key and r.phenomenon_time = k.phenomenon_time
    and r.phenomenon_time between %(first)s and %(last)s
) o
order by o.device_key
on conflict (device_key) do update
set phenomenon_time = greatest(l.phenomenon_time, excluded.phenomenon_time),
    received_time = greatest(l.received_time, excluded.received_time),
    value_by_slot = latest_values(l.value_by_slot, l.time_by_slot, excluded.value_by_slot, excluded.phenomenon_time),
    quality_by_slot = latest_qualities(l.quality_by_slot, l.time_by_slot, excluded.value_by_slot, excluded.quality_by_slot,
                                       excluded.phenomenon_time),
    time_by_slot = latest_times(l.time_by_slot, excluded.value_by_slot, excluded.phenomenon_time),
    -- It was stale (see device_live) when this came: it is back since now.
    online_since = case
      when l.phenomenon_time + 3 * interval '1 second' * (select d.reporting_interval_s from device d
                                                          where d.device_key = l.device_key) < excluded.received_time
        then excluded.received_time
      else l.online_since
    end

-- name: announce_change
-- Tells live push which devices changed in this transaction.
with change as (
  insert into live_change (device_keys) values (%(device_keys)s::integer[])
)
select pg_notify('thubon_live', '')

-- name: trim_live_changes
-- Live push remembers this long.
delete from live_change where changed_time < now() - %(keep_s)s * interval '1 second'

-- name: trim_rejections
-- Retention of rejections, some thousands at a time; notes up to when they are gone and answers whether more wait.
with gone as (
  delete from rejection
  where rejection_key in (
    select rejection_key from rejection where received_time < now() - %(keep_days)s * interval '1 day'
    order by received_time limit 10000
  )
  returning received_time
), mark as (
  insert into retention_mark as m (what, until)
  select 'rejection', max(received_time) from gone having count(*) > 0
  on conflict (what) do update set until = greatest(m.until, excluded.until)
)
select count(*) = 10000 as more from gone

-- name: trim_replay_requests
-- Finished wishes are of no use to anybody after this long.
delete from replay_request
where state in ('done', 'failed') and finished_time < now() - %(keep_days)s * interval '1 day'

-- name: be_patient
-- Lets statements of this connection take longer than those beside the stream may.
set statement_timeout = '1h'

-- name: drop_old_observations
-- Raw retention, whole chunks.
select drop_observations_before(now() - %(keep_days)s * interval '1 day')

-- name: report_broker
-- What a broker has dropped since it was first asked, summed over its restarts: a counter that fell began anew. Any
-- worker may report.
insert into broker_report as b (broker, told, dropped, dropped_time, reported_time)
values (%(broker)s, %(told)s, 0, null, now())
on conflict (broker) do update
set told = excluded.told,
    dropped = b.dropped + case when excluded.told >= b.told then excluded.told - b.told else excluded.told end,
    dropped_time = case when excluded.told > b.told or excluded.told < b.told and excluded.told > 0 then now()
                        else b.dropped_time end,
    reported_time = now()
returning dropped, dropped_time

-- name: disk_free
-- Free bytes under the database; null where the server does not let us ask.
select database_disk_free_bytes()

-- name: note_knocks
-- Devices that no town has registered, or that another has: counts those known, adds others while there is room.
insert into knock as k (device_id, town_id, reason, gateway_id, first_time, last_time, messages, readings, topic, sample)
select g.device_id, g.town_id, g.reason, g.gateway_id, timestamptz 'epoch' + g.first_us * interval '1 microsecond',
       timestamptz 'epoch' + g.last_us * interval '1 microsecond', g.messages, g.readings, g.topic, g.sample
from unnest(%(device_ids)s::text[], %(town_ids)s::text[], %(reasons)s::text[], %(gateway_ids)s::text[],
            %(firsts_us)s::bigint[], %(lasts_us)s::bigint[], %(messages)s::bigint[],
            %(readings)s::bigint[], %(topics)s::text[], %(samples)s::bytea[])
     with ordinality g (device_id, town_id, reason, gateway_id, first_us, last_us, messages, readings, topic, sample, number)
where exists (select from town t where t.town_id = g.town_id)
  -- Taken in since this worker read the registry: what it refuses until then goes the way again by itself.
  and not exists (select from device d where d.device_id = g.device_id and d.town_id = g.town_id)
  and (exists (select from knock o where o.device_id = g.device_id and o.town_id = g.town_id)
       or g.number <= %(room)s - (select count(*) from knock))
order by g.device_id, g.town_id
on conflict (device_id, town_id) do update
set reason = excluded.reason,
    gateway_id = coalesce(excluded.gateway_id, k.gateway_id),
    first_time = least(k.first_time, excluded.first_time),
    last_time = greatest(k.last_time, excluded.last_time),
    messages = k.messages + excluded.messages,
    readings = k.readings + excluded.readings,
    topic = excluded.topic,
    sample = coalesce(excluded.sample, k.sample)

-- name: trim_knocks
-- Forgets who was not heard of for as long as refusals are kept, and, where the list is nearly full, first those that
-- were heard of but once or twice. What people refused stays refused as long as it sends.
with full_list as (
  select greatest(0, count(*) - %(kept)s) as surplus from knock
)
delete from knock k
where k.last_time < now() - %(keep_days)s * interval '1 day'
   or (k.device_id, k.town_id) in (
     select device_id, town_id from knock
     where refused_time is null
     order by messages > 2, last_time
     limit (select surplus from full_list)
   )
