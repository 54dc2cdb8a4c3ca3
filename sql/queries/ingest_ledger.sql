-- name: one_moment
-- All that a check reads, it reads as of one moment.
set transaction isolation level repeatable read, read only

-- name: ledger_entries
-- The ledger of whole hours, with what is not folded yet.
select hour, town_id, source, family, received, stored, duplicate, conflict, rejected, missing
from ledger
where hour >= %(first)s and hour < %(last)s and (%(town)s::text is null or town_id = %(town)s)
order by hour, town_id, source, family

-- name: observed_readings
-- Readings in observation_set by hour of receipt and device. Nothing is observed more than some minutes after its
-- receipt; a day leaves room, and lets the server pass over later chunks.
select date_trunc('hour', o.received_time, 'UTC') as hour, d.device_id,
       sum(cardinality(array_remove(o.value_by_slot, 'NaN')))::bigint as readings
from observation_set o
join device d using (device_key)
where o.received_time >= %(first)s and o.received_time < %(last)s
  and o.phenomenon_time < %(last)s::timestamptz + interval '1 day'
group by 1, 2

-- name: ledger_adjustments
-- Readings that the ledger counts elsewhere than where observation_set shows them.
select hour, device_id, sum(readings)::bigint as readings
from ledger_adjustment
where hour >= %(first)s and hour < %(last)s
group by hour, device_id

-- name: gateways
-- Who stands or stood behind whom: their readings may be counted under either.
select d.device_id, g.device_id as gateway_id
from (select device_key, gateway_key from device where gateway_key is not null
      union select device_key, gateway_key from former_gateway) pair
join device d on d.device_key = pair.device_key
join device g on g.device_key = pair.gateway_key

-- name: refused_readings
-- Readings that are refused still, by ledger entry.
select date_trunc('hour', received_time, 'UTC') as hour, town_id,
       case when town_id = '-' then '-' else source end as source, family,
       coalesce(sum(readings - replayed) filter (where reason <> 'conflict'), 0)::bigint as rejected,
       coalesce(sum(readings - replayed) filter (where reason = 'conflict'), 0)::bigint as conflict
from rejection
where received_time >= %(first)s and received_time < %(last)s
group by 1, 2, 3, 4

-- name: refusals_kept_since
-- Up to when retention deleted refusals; no row: never.
select until from retention_mark where what = 'rejection'

-- name: broker_reports
-- What brokers dropped, ever since they were first asked.
select broker, dropped, dropped_time, reported_time from broker_report order by broker

-- name: list_rejections
-- The newest refusals of some source, device, town or reason.
select received_time, town_id, source, device_id, family, topic, reason, detail, readings, unkept, replayed,
       replayed_time
from rejection
where (%(reason)s::text is null or reason = %(reason)s)
  and (%(device)s::text is null or device_id = %(device)s or source = %(device)s)
  and (%(town)s::text is null or town_id = %(town)s or split_part(topic, '/', 3) = %(town)s)
  and (%(first)s::timestamptz is null or received_time >= %(first)s)
  and (%(last)s::timestamptz is null or received_time < %(last)s)
order by received_time desc, rejection_key desc
limit %(limit)s

-- name: why_refused
-- What a device is refused for, most readings first, each reason with its newest case.
select reason, sum(readings)::bigint as readings, sum(replayed)::bigint as replayed, count(*) as messages,
       min(received_time) as first_time, max(received_time) as last_time,
       (array_agg(detail order by received_time desc, rejection_key desc))[1] as detail,
       (array_agg(topic order by received_time desc, rejection_key desc))[1] as topic,
       (array_agg(left(encode(payload, 'escape'), 300) order by received_time desc, rejection_key desc))[1] as payload
from rejection
where (device_id = %(device)s or source = %(device)s)
  and (%(first)s::timestamptz is null or received_time >= %(first)s)
  and (%(last)s::timestamptz is null or received_time < %(last)s)
group by reason
order by sum(readings) desc, reason

-- name: be_patient
-- A check reads every observation of its hours.
set statement_timeout = 0
