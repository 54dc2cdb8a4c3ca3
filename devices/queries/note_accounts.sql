-- The broker confirmed these accounts, and that it holds the removed ones no more.
with gone as (delete from broker_account where device_id = any(%(removed)s::text[]))
insert into broker_account (device_id, line)
select * from unnest(%(device_ids)s::text[], %(lines)s::text[])
on conflict (device_id) do update set line = excluded.line, confirmed_time = now()
