-- name: choose_refusals
-- The next refusals to replay, in the order in which they came: some hundred, or some megabytes of payload.
-- Status words are left out: yesterday's says nothing about now. So is what retention may have begun to delete.
select rejection_key, received_time, topic, message
from (
  select c.*, sum(c.payload_bytes) over (order by c.rejection_key) as total,
         row_number() over (order by c.rejection_key) as number
  from (
    select rejection_key, received_time, topic, message, payload_bytes
    from rejection
    where rejection_key > %(after)s
      and reason <> 'conflict' and family <> 'status'
      and readings > unkept + replayed
      and message_received is not null
      and octet_length(payload) = payload_bytes
      and received_time > coalesce((select until from retention_mark where what = 'rejection'), '-infinity')
      and (%(reason)s::text is null or reason = %(reason)s)
      and (%(device)s::text is null or device_id = %(device)s or source = %(device)s)
      and (%(town)s::text is null or town_id = %(town)s or split_part(topic, '/', 3) = %(town)s)
      and (%(first)s::timestamptz is null or received_time >= %(first)s)
      and received_time < %(last)s
      -- What a replay made or left while this one runs was seen by one already.
      and coalesce(replayed_time, '-infinity') < %(asked)s
    order by rejection_key
    limit 500
  ) c
) c
where total <= 8000000 or number = 1
order by rejection_key

-- name: refusals_of_messages
-- All refusals of the chosen messages, whatever their reason: a message is replayed whole.
select r.rejection_key, (extract(epoch from r.received_time) * 1000000)::bigint as received_us, r.town_id, r.source,
       r.device_id, r.family, r.topic, r.reason, r.readings, r.unkept, r.replayed, r.payload, r.retained, r.qos, r.message,
       r.message_received, r.message_missing, (extract(epoch from r.assigned_time) * 1000000)::bigint as assigned_us
from rejection r
join (select distinct * from unnest(%(times)s::timestamptz[], %(topics)s::text[], %(messages)s::integer[])
        u (received_time, topic, message)) m
  on r.received_time = m.received_time and r.topic = m.topic and r.message = m.message
order by r.rejection_key

-- name: settle_refusals
-- Takes readings out of refusals, unless somebody else did meanwhile; answers how many rows that were.
with settled as (
  update rejection r
  set replayed = r.replayed + u.leaving,
      replayed_time = case when u.leaving > 0 then now() else r.replayed_time end,
      message_received = u.received,
      message_missing = u.missing,
      assigned_time = coalesce(timestamptz 'epoch' + u.assigned_us * interval '1 microsecond', r.assigned_time)
  from unnest(%(keys)s::bigint[], %(before)s::integer[], %(leaving)s::integer[], %(received)s::integer[],
              %(missing)s::integer[], %(assigned_us)s::bigint[])
       u (rejection_key, before, leaving, received, missing, assigned_us)
  where r.rejection_key = u.rejection_key and r.replayed = u.before
  returning 1
)
select count(*) as rows from settled

-- name: refuse_again
-- Readings of a replayed message that are refused for another reason now; all else is as in the refusal they left.
insert into rejection (received_time, town_id, source, device_id, family, topic, reason, detail, readings, subjects,
                       payload, payload_bytes, retained, qos, message, message_received, message_missing, assigned_time,
                       replayed_time)
select received_time, town_id, source, %(device)s, family, topic, %(reason)s, %(detail)s, %(readings)s, %(subjects)s,
       payload, payload_bytes, retained, qos, message, message_received, message_missing, assigned_time, now()
from rejection
where rejection_key = %(like)s

-- name: take_replay_request
-- The oldest wish that nobody works on: new, ours, or of a worker that gave no sign of life for a minute.
update replay_request
set state = 'running', worker = %(worker)s, started_time = coalesce(started_time, now()), alive_time = now()
where replay_id = (
  select replay_id from replay_request
  where state = 'waiting' and requested_time <= now()  -- some are to wait until workers have learnt of a device
     or state = 'running' and (worker = %(worker)s or alive_time < now() - interval '1 minute')
  order by requested_time
  limit 1
  for update skip locked
)
returning replay_id, requested_time, reason, device_id, town_id, first_time, last_time, after_key

-- name: note_replay
-- Adds what a step did to its wish, unless another worker took it over; answers how many rows that were.
with noted as (
  update replay_request
  set after_key = %(after)s, alive_time = now(), messages = messages + %(messages)s, mended = mended + %(mended)s,
      stored = stored + %(stored)s, duplicate = duplicate + %(duplicate)s, conflict = conflict + %(conflict)s,
      missing = missing + %(missing)s, refused = refused + %(refused)s
  where replay_id = %(replay_id)s and worker = %(worker)s and state = 'running'
  returning 1
)
select count(*) as rows from noted

-- name: finish_replay
-- A wish is fulfilled, or has failed.
update replay_request
set state = case when %(error)s::text is null then 'done' else 'failed' end, error = %(error)s, finished_time = now()
where replay_id = %(replay_id)s and worker = %(worker)s and state = 'running'
