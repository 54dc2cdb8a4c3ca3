-- name: one_moment
-- The judge reads everything as of one moment, and takes its time.
set transaction isolation level repeatable read, read only

-- name: be_patient
-- It reads every observation of a run.
set local statement_timeout = 0

-- name: devices
-- The registry as the judge needs it: a row a datastream, and one for each device without any.
select d.device_id, d.town_id, d.profile, g.device_id as gateway_id, c.device_id as fed_by_id,
       extract(epoch from d.commissioned_time)::float8 as commissioned_s, d.retired_time is not null as retired,
       d.reporting_interval_s, d.rated_power_w, p.site_id, p.latitude, p.longitude,
       s.name, s.slot, s.property, s.factor, s.addend, s.lower_bound, s.upper_bound, s.words, s.interval_s, s.period_s,
       s.stamp
from device d
join site p using (site_key)
left join device g on g.device_key = d.gateway_key
left join device c on c.device_key = d.fed_by_key
left join datastream s on s.device_key = d.device_key
order by d.device_id, s.slot

-- name: observations
-- What is stored of one device in a span.
select split_part(datastream_id, ':', 2) as name, (extract(epoch from phenomenon_time) * 1000000)::bigint as time_us,
       value, quality, (extract(epoch from received_time) * 1000000)::bigint as received_us
from observation
where device_id = %(device)s and phenomenon_time >= %(first)s and phenomenon_time < %(last)s
order by phenomenon_time

-- name: strays
-- What was received during the run and bears a time outside the span that the run speaks of.
select device_id, split_part(datastream_id, ':', 2) as name,
       (extract(epoch from phenomenon_time) * 1000000)::bigint as time_us, value
from observation
where device_id = any(%(devices)s) and received_time >= %(began)s
  and (phenomenon_time < %(first)s or phenomenon_time >= %(last)s)
order by device_id, phenomenon_time
limit 1000

-- name: latest
-- What the devices said last.
select device_id, split_part(datastream_id, ':', 2) as name,
       (extract(epoch from phenomenon_time) * 1000000)::bigint as time_us, value, quality
from latest_observation
where device_id = any(%(devices)s)

-- name: refusals
-- Readings refused during the run.
select source, topic, payload, reason, readings, unkept
from rejection
where received_time >= %(began)s

-- name: refusals_by_entry
-- The same by ledger entry.
select date_trunc('hour', received_time, 'UTC') as hour, town_id,
       case when town_id = '-' then '-' else source end as source, family,
       coalesce(sum(readings - replayed) filter (where reason <> 'conflict'), 0)::bigint as rejected,
       coalesce(sum(readings - replayed) filter (where reason = 'conflict'), 0)::bigint as conflict
from rejection
where received_time >= %(hour)s
group by 1, 2, 3, 4

-- name: ledger
-- The account since the hour in which the run began.
select hour, town_id, source, family, received, stored, duplicate, conflict, rejected, missing
from ledger
where hour >= %(hour)s

-- name: stored_by_hour
-- Readings stored since that hour, with those that the ledger counts elsewhere.
select hour, sum(readings)::bigint as readings
from (
  select date_trunc('hour', received_time, 'UTC') as hour, count(*) as readings
  from observation where received_time >= %(hour)s group by 1
  union all
  select hour, sum(readings) from ledger_adjustment where hour >= %(hour)s group by 1
) counted
group by 1

-- name: progress
-- How far the pipeline is: what is not folded yet, and what was counted so far.
select (select count(*) from batch_log) as unfolded,
       (select count(*) from window_change) as changes,
       (select coalesce(sum(received), 0)::bigint from ledger where hour >= %(hour)s) as received,
       (select count(*) from aggregation_state where hours_time is not null or days_time is not null) as behind

-- name: folded
-- How far the windows of each device are.
select d.device_id, a.through_time, a.hours_time, a.days_time
from aggregation_state a
join device d using (device_key)
where d.device_id = any(%(devices)s)

-- name: windows
-- Windows at rest of one device in a span.
select split_part(datastream_id, ':', 2) as name, length_s, extract(epoch from start_time)::bigint as start_s, count,
       flagged, sum, mean, min, max, first, last,
       (extract(epoch from first_phenomenon_time) * 1000000)::bigint as first_us,
       (extract(epoch from last_phenomenon_time) * 1000000)::bigint as last_us
from window_statistics
where device_id = %(device)s and start_time >= %(first)s and start_time < %(last)s and not sealed
