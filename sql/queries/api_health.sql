-- name: server_reachable
-- The cheapest question.
select 1;

-- name: disk_free
-- Free bytes of the database's file system; null where the server does not tell.
select database_disk_free_bytes() as free_bytes;

-- name: ingest_activity
-- When ingest last committed anything that changed a device, or filled an hour of the ledger.
select (select changed_time from live_change order by xid desc limit 1) as newest_change_time,
       (select max(hour) from ledger_hour) as newest_ledger_hour,
       (select count(*)::integer from (select from batch_log limit 1000) waiting) as batches_waiting;
