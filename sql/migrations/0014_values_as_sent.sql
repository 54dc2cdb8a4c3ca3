-- Values as they were sent, of the few observations whose stored value does not give them back (docs/decisions, "Values as
-- sent"). Beside the observations and not in them: most rows have none.
set local role thubon_owner;

create table observation_sent (
  device_key integer not null,
  phenomenon_time timestamptz not null,
  slot smallint not null,
  value float8 not null,                       -- in the unit the device sends
  primary key (device_key, phenomenon_time, slot)
);
-- Serves retention: rows come nearly in order of time.
create index observation_sent_time_idx on observation_sent using brin (phenomenon_time);

alter table observation_sent enable row level security;
create policy observation_sent_ingest on observation_sent to thubon_ingest using (true) with check (true);
-- Placements are granted by town, so this is as well.
create policy observation_sent_read on observation_sent for select to thubon_read
  using (exists (select from device_placement p
                 where p.device_key = observation_sent.device_key
                   and observation_sent.phenomenon_time >= p.from_time
                   and observation_sent.phenomenon_time < p.until_time));

grant select, insert, delete on observation_sent to thubon_ingest;
grant select on observation_sent to thubon_read;
