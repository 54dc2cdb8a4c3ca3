-- name: ledger_page
-- One page of the ledger, newest hour first; every filter may be null.
select hour, town_id, source, family, received, stored, duplicate, conflict, rejected, missing
from ledger
where hour >= %(first)s and hour < %(last)s and hour <= %(cursor_hour)s
  and (%(town)s::text is null or town_id = %(town)s)
  and (%(source)s::text is null or source = %(source)s)
  and (%(family)s::text is null or family = %(family)s)
  and (hour < %(cursor_hour)s or (town_id, source, family) > (%(cursor_town)s, %(cursor_source)s, %(cursor_family)s))
order by hour desc, town_id, source, family
limit %(limit)s;

-- name: broker_reports
-- What brokers dropped, ever since they were first asked.
select broker, dropped, dropped_time, reported_time from broker_report order by broker;

-- name: rejection_page
-- One page of refusals, newest first; every filter may be null.
select received_time, rejection_key, town_id, source, device_id, reason, detail, topic, readings, replayed, replayed_time,
       unkept, subjects, payload
from rejection
where received_time >= %(first)s and received_time < %(last)s
  and (received_time, rejection_key) < (%(cursor_time)s, %(cursor_key)s)
  and (%(reason)s::text is null or reason = %(reason)s)
  and (%(town)s::text is null or town_id = %(town)s or split_part(topic, '/', 3) = %(town)s)
  and (%(device)s::text is null or device_id = %(device)s or source = %(device)s)
order by received_time desc, rejection_key desc
limit %(limit)s;

-- name: replay
-- How far a replay is.
select replay_id, requested_time, reason, device_id, town_id, first_time, last_time, state, started_time, finished_time,
       messages, mended, stored, duplicate, conflict, missing, refused, error
from replay_request
where replay_id = %(replay)s;
