-- Registry and broker were compared; trouble null: they agree.
insert into broker_account_check (checked_time, agreed_time, trouble)
values (now(), case when %(trouble)s::text is null then now() end, %(trouble)s)
on conflict (one) do update
set checked_time = excluded.checked_time, trouble = excluded.trouble,
    agreed_time = coalesce(excluded.agreed_time, broker_account_check.agreed_time)
