-- What a device observed in a town where it stood before is not of the town where it stands now: what it said last leaves
-- out every slot from before it came, and what was refused from it is its town's only for the time it stood there.
set local role thubon_owner;

-- Unlike commissioned_time nobody sets it: what was refused before was not from this device, whatever its name says.
alter table device add column registered_time timestamptz not null default now();

-- Serves the view granted.latest: the few spans that are over.
create index device_placement_over_idx on device_placement (device_key) where until_time < 'infinity';

create or replace view granted.latest with (security_barrier) as
select l.device_key, l.phenomenon_time, l.received_time,
       case when m.since is null then l.value_by_slot
            else (select array_agg(case when u.t >= m.since then u.v else 'NaN' end order by u.n)
                  from unnest(l.value_by_slot, l.time_by_slot) with ordinality u (v, t, n)) end as value_by_slot,
       case when m.since is null then l.time_by_slot
            else (select array_agg(case when u.t >= m.since then u.t else '-infinity' end order by u.n)
                  from unnest(l.time_by_slot) with ordinality u (t, n)) end as time_by_slot,
       case when m.since is null then l.quality_by_slot
            else (select array_agg(case when u.t >= m.since then u.q else 0::smallint end order by u.n)
                  from unnest(l.quality_by_slot, l.time_by_slot) with ordinality u (q, t, n)) end as quality_by_slot,
       l.online_since
from public.latest l
join public.device d on d.device_key = l.device_key
-- Since when a device that came from another town has been in this one.
left join (
  select p.device_key, max(p.until_time) as since
  from public.device_placement p
  join public.device e on e.device_key = p.device_key
  where p.until_time < 'infinity' and p.town_id <> e.town_id
  group by p.device_key
) m on m.device_key = l.device_key
where ((select all_towns_granted()) or d.town_id = any ((select granted_towns())::text[]))
  and (m.since is null or l.phenomenon_time >= m.since);

create or replace view granted.latest_observation with (security_barrier) as
select l.time_by_slot[s.slot] as phenomenon_time,
       l.received_time,
       d.town_id,
       d.device_id,
       s.datastream_id,
       s.property,
       l.value_by_slot[s.slot] as value,
       l.quality_by_slot[s.slot] as quality
from granted.latest l
join public.device d on d.device_key = l.device_key
join public.datastream s on s.device_key = l.device_key
where l.value_by_slot[s.slot] <> 'NaN';

drop policy rejection_read on rejection;
-- What a device sent under the topic of another town is its own town's too, from when it was registered and for as long as it
-- stood there: placements are granted by town.
create policy rejection_read on rejection for select to thubon_read
  using ((select all_towns_granted()) or town_id = any ((select granted_towns())::text[])
         or exists (select from device d
                    join device_placement p on p.device_key = d.device_key
                    where d.device_id = rejection.source and d.registered_time <= rejection.received_time
                      and rejection.received_time >= p.from_time and rejection.received_time < p.until_time));
