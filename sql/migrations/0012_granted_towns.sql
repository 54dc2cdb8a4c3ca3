-- Nobody reads what is of a town that was not granted: row-level security on the registry, rejections and replays; views
-- over what bears none, under the same names in the schema `granted`, which readers search first.
set local role thubon_owner;

alter table town enable row level security;
alter table site enable row level security;
alter table device enable row level security;
alter table datastream enable row level security;
alter table rejection enable row level security;
alter table replay_request enable row level security;
alter table site_ward enable row level security;
alter table device_placement enable row level security;
alter table device_claim enable row level security;
alter table knock enable row level security;
alter table device_credential enable row level security;

-- The selects are asked once a statement, not once a row.
create policy town_read on town for select to thubon_read
  using ((select all_towns_granted()) or town_id = any ((select granted_towns())::text[]));
create policy site_read on site for select to thubon_read
  using ((select all_towns_granted()) or town_id = any ((select granted_towns())::text[]));
create policy device_read on device for select to thubon_read
  using ((select all_towns_granted()) or town_id = any ((select granted_towns())::text[]));
create policy datastream_read on datastream for select to thubon_read
  using ((select all_towns_granted())
         or exists (select from device d where d.device_key = datastream.device_key));
-- What a device sent under the topic of another town is its own town's too.
create policy rejection_read on rejection for select to thubon_read
  using ((select all_towns_granted()) or town_id = any ((select granted_towns())::text[])
         or exists (select from device d where d.device_id = rejection.source));
create policy replay_request_read on replay_request for select to thubon_read using (town_granted(town_id));
create policy site_ward_read on site_ward for select to thubon_read
  using ((select all_towns_granted()) or exists (select from site s where s.site_key = site_ward.site_key));
create policy device_placement_read on device_placement for select to thubon_read using (town_granted(town_id));
create policy device_claim_read on device_claim for select to thubon_read using (device_granted(device_key));
create policy knock_read on knock for select to thubon_read using (town_granted(town_id));

create policy site_write on site for all to thubon_api
  using (town_granted(town_id)) with check (town_granted(town_id));
create policy device_write on device for all to thubon_api
  using (town_granted(town_id)) with check (town_granted(town_id));
create policy datastream_write on datastream for all to thubon_api
  using (device_granted(device_key)) with check (device_granted(device_key));
create policy site_ward_write on site_ward for all to thubon_api
  using (exists (select from site s where s.site_key = site_ward.site_key and town_granted(s.town_id)))
  with check (exists (select from site s where s.site_key = site_ward.site_key and town_granted(s.town_id)));
create policy device_placement_write on device_placement for update to thubon_api
  using (town_granted(town_id)) with check (town_granted(town_id));
create policy device_claim_write on device_claim for all to thubon_api
  using (device_granted(device_key)) with check (device_granted(device_key));
create policy knock_write on knock for all to thubon_api
  using (town_granted(town_id)) with check (town_granted(town_id));
create policy device_credential_write on device_credential for all to thubon_api
  using (device_granted(device_key)) with check (device_granted(device_key));

-- Ingest takes from every town, and the broker's accounts are kept for all of them.
create policy town_ingest on town for select to thubon_ingest using (true);
create policy site_ingest on site for select to thubon_ingest using (true);
create policy device_ingest on device for select to thubon_ingest using (true);
create policy datastream_ingest on datastream for select to thubon_ingest using (true);
create policy rejection_ingest on rejection to thubon_ingest using (true) with check (true);
create policy replay_request_ingest on replay_request to thubon_ingest using (true) with check (true);
create policy site_ward_ingest on site_ward for select to thubon_ingest using (true);
create policy device_placement_ingest on device_placement for select to thubon_ingest using (true);
create policy device_claim_ingest on device_claim for select to thubon_ingest using (true);
create policy knock_ingest on knock to thubon_ingest using (true) with check (true);
create policy device_credential_identity on device_credential for select to thubon_identity using (true);

-- Row-level security and the columnstore exclude each other on one hypertable, so these stand behind views. Each row is of
-- the town in which its device stood at that time; a window is of the town in which it began.
create view granted.observation_set with (security_barrier) as
select o.*
from public.observation_set o
join public.device_placement p on p.device_key = o.device_key
                              and o.phenomenon_time >= p.from_time and o.phenomenon_time < p.until_time
where (select all_towns_granted()) or p.town_id = any ((select granted_towns())::text[]);

create view granted.window_set with (security_barrier) as
select w.*
from public.window_set w
join public.device_placement p on p.device_key = w.device_key
                              and w.start_time >= p.from_time and w.start_time < p.until_time
where (select all_towns_granted()) or p.town_id = any ((select granted_towns())::text[]);

create view granted.window_sketch with (security_barrier) as
select w.*
from public.window_sketch w
join public.device_placement p on p.device_key = w.device_key
                              and w.start_time >= p.from_time and w.start_time < p.until_time
where (select all_towns_granted()) or p.town_id = any ((select granted_towns())::text[]);

create view granted.latest with (security_barrier) as
select l.*
from public.latest l
join public.device_placement p on p.device_key = l.device_key
                              and l.phenomenon_time >= p.from_time and l.phenomenon_time < p.until_time
where (select all_towns_granted()) or p.town_id = any ((select granted_towns())::text[]);

create view granted.device_status with (security_barrier) as
select s.*
from public.device_status s
join public.device d using (device_key)
where (select all_towns_granted()) or d.town_id = any ((select granted_towns())::text[]);

create view granted.device_live with (security_barrier) as
select * from public.device_live
where (select all_towns_granted()) or town_id = any ((select granted_towns())::text[]);

create view granted.observation with (security_barrier) as
select r.phenomenon_time, r.received_time, p.town_id, d.device_id, s.datastream_id, s.property,
       r.value_by_slot[s.slot] as value, coalesce(r.quality_by_slot[s.slot], 0::smallint) as quality
from public.observation_set r
join public.device d using (device_key)
join public.device_placement p on p.device_key = r.device_key
                              and r.phenomenon_time >= p.from_time and r.phenomenon_time < p.until_time
join public.datastream s on s.device_key = r.device_key
where r.value_by_slot[s.slot] <> 'NaN'
  and ((select all_towns_granted()) or p.town_id = any ((select granted_towns())::text[]));

create view granted.latest_observation with (security_barrier) as
select * from public.latest_observation
where (select all_towns_granted()) or town_id = any ((select granted_towns())::text[]);

create view granted.window_statistics with (security_barrier) as
select * from public.window_statistics
where (select all_towns_granted()) or town_id = any ((select granted_towns())::text[]);

create view granted.ledger with (security_barrier) as
select * from public.ledger
where (select all_towns_granted()) or town_id = any ((select granted_towns())::text[]);

create view granted.broker_account_pending with (security_barrier) as
select a.*
from public.broker_account_pending a
join public.device d using (device_id)
where (select all_towns_granted()) or d.town_id = any ((select granted_towns())::text[]);

-- A page of one device's history. A barrier keeps no order, so that through the view a page would read and sort the whole
-- span; here the grant is asked once and the index gives the order.
create function granted.observation_page(
  of_device_key integer, of_slot integer, from_time timestamptz, to_time timestamptz, ascending boolean, rows_max integer
) returns table (phenomenon_time timestamptz, received_time timestamptz, value float8, quality smallint)
language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  -- Whether it stood in granted towns all its life, as most do.
  everything boolean := all_towns_granted() or not exists (
    select from device_placement p where p.device_key = of_device_key and not town_granted(p.town_id));
begin
  if not everything and not exists (
    select from device_placement p where p.device_key = of_device_key and town_granted(p.town_id)) then
    return;
  end if;
  if ascending then
    return query
      select o.phenomenon_time, o.received_time, o.value_by_slot[of_slot], coalesce(o.quality_by_slot[of_slot], 0::smallint)
      from observation_set o
      where o.device_key = of_device_key and o.phenomenon_time >= from_time and o.phenomenon_time < to_time
        and o.value_by_slot[of_slot] <> 'NaN'
        and (everything or exists (
          select from device_placement p
          where p.device_key = of_device_key and o.phenomenon_time >= p.from_time and o.phenomenon_time < p.until_time
            and town_granted(p.town_id)))
      order by o.phenomenon_time
      limit rows_max;
  else
    return query
      select o.phenomenon_time, o.received_time, o.value_by_slot[of_slot], coalesce(o.quality_by_slot[of_slot], 0::smallint)
      from observation_set o
      where o.device_key = of_device_key and o.phenomenon_time >= from_time and o.phenomenon_time < to_time
        and o.value_by_slot[of_slot] <> 'NaN'
        and (everything or exists (
          select from device_placement p
          where p.device_key = of_device_key and o.phenomenon_time >= p.from_time and o.phenomenon_time < p.until_time
            and town_granted(p.town_id)))
      order by o.phenomenon_time desc
      limit rows_max;
  end if;
end
$$;

grant select on all tables in schema granted to thubon_read;
revoke select on granted.broker_account_pending from thubon_read;
grant select on granted.broker_account_pending to thubon_api;
revoke select on broker_account_pending from thubon_api;
revoke select on observation_set, window_set, window_sketch, latest, device_status from thubon_read;
revoke select on observation, latest_observation, device_live, ledger, window_statistics from thubon_read;
revoke select on ledger_hour, batch_log, ledger_adjustment, former_gateway, window_change from thubon_read;
-- For /readyz: when, and how many; not whose.
grant select (hour) on ledger_hour to thubon_read;
grant select (batch_key) on batch_log to thubon_read;

-- Asking for a replay is a change.
revoke execute on function request_replay(text, text, text, timestamptz, timestamptz) from thubon_read;
grant execute on function request_replay(text, text, text, timestamptz, timestamptz) to thubon_api;
