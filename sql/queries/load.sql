-- name: seen
-- Whether a reading can be seen.
select 1
from observation
where device_id = %(device)s and phenomenon_time = %(time)s and datastream_id = %(device)s || ':' || %(name)s

-- name: counted
-- The whole ledger, by outcome; status words aside.
select coalesce(sum(received), 0)::bigint as received, coalesce(sum(stored), 0)::bigint as stored,
       coalesce(sum(duplicate), 0)::bigint as duplicate, coalesce(sum(conflict), 0)::bigint as conflict,
       coalesce(sum(rejected), 0)::bigint as rejected, coalesce(sum(missing), 0)::bigint as missing
from ledger
where family <> 'status'
