-- Registry: towns, sites, devices and their datastreams; the three roles of least right.
-- Run by a superuser: it makes roles and the extension.
do $$
declare
  role_name text;
begin
  foreach role_name in array array['thubon_owner', 'thubon_ingest', 'thubon_read'] loop
    begin
      execute format('create role %I nologin', role_name);
    exception when duplicate_object or unique_violation then
      null;  -- roles belong to the whole server: another database made it, perhaps at this moment
    end;
  end loop;
end
$$;

do $$
begin
  if exists (select from pg_available_extensions where name = 'timescaledb' and installed_version is null) then
    -- Reading this setting takes a superuser, as creating the extension does.
    if current_setting('shared_preload_libraries') like '%timescaledb%' then
      create extension timescaledb;
    end if;
  end if;
end
$$;

-- Everything belongs to thubon_owner, so that its members keep the registry and run later migrations without being
-- superusers. Each migration starts with this line.
grant usage, create on schema public to thubon_owner;
grant usage on schema public to thubon_ingest, thubon_read;
alter table if exists schema_migration owner to thubon_owner;
set local role thubon_owner;

-- Which storage the server offers; every choice between editions asks here and nowhere else.
create function storage_edition() returns text
language sql stable as $$
  select case
    when not exists (select from pg_extension where extname = 'timescaledb') then 'postgresql'
    when current_setting('timescaledb.license', true) = 'timescale' then 'timescaledb-community'
    else 'timescaledb-apache'
  end
$$;

create table town (
  town_id text primary key check (town_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name_vi text not null,
  name_en text not null,
  latitude float8 not null,   -- WGS 84, degrees, of the map's centre for this town
  longitude float8 not null,
  west float8 not null, south float8 not null, east float8 not null, north float8 not null,
  position smallint not null  -- order on the page
);

create table site (
  site_key integer generated always as identity primary key,
  site_id text not null unique check (site_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  town_id text not null references town,
  name text not null,
  kind text not null,         -- junction, pole, cabinet, station, gauge, bridge ...
  latitude float8 not null check (latitude between -90 and 90),
  longitude float8 not null check (longitude between -180 and 180)
);
create index site_town_idx on site (town_id);

create table device (
  device_key integer generated always as identity primary key,
  device_id text not null unique check (device_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  town_id text not null references town,
  site_key integer not null references site,
  domain text not null check (domain in ('traffic', 'lighting', 'environment')),
  profile text not null,                       -- id of a device profile in the catalogue
  name text not null,
  reporting_interval_s integer not null check (reporting_interval_s > 0),
  gateway_key integer references device,       -- the gateway that carries it, if any
  commissioned_time timestamptz not null default now(),
  retired_time timestamptz
);
create index device_town_domain_idx on device (town_id, domain, device_id);
create index device_site_idx on device (site_key);

-- A device's datastreams, in slots: slot n is element n of observation_set.value_by_slot.
-- Slots are given in the order of the profile, are never reused and never move.
create table datastream (
  datastream_key integer generated always as identity primary key,
  datastream_id text not null unique,          -- <device>:<name>, the public id, for ever
  device_key integer not null references device,
  slot smallint not null check (slot between 1 and 256),
  name text not null check (name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  property text not null,                      -- observed property
  unit text not null,                          -- UCUM, canonical unit of the stored value
  factor float8 not null default 1,            -- stored = sent * factor + addend
  addend float8 not null default 0,
  lower_bound float8 not null,                 -- physical bounds of the stored value, inclusive
  upper_bound float8 not null,
  words jsonb,                                 -- enumeration: word -> number
  interval_s integer not null check (interval_s > 0),
  period_s integer check (period_s > 0),       -- null: the value holds at an instant
  stamp text not null default 'end' check (stamp in ('end', 'start')),
  check (lower_bound <= upper_bound),
  unique (device_key, slot),
  unique (device_key, name)
);
create index datastream_property_idx on datastream (property, device_key);

insert into town (town_id, name_vi, name_en, latitude, longitude, west, south, east, north, position) values
  ('tam-ky', 'Tam Kỳ', 'Tam Ky', 15.57055, 108.47341, 108.43, 15.49, 108.57, 15.65, 1),
  ('hoi-an', 'Hội An', 'Hoi An', 15.88, 108.335, 108.28, 15.83, 108.41, 15.94, 2),
  ('dien-ban', 'Điện Bàn', 'Dien Ban', 15.892, 108.247, 108.10, 15.83, 108.30, 15.98, 3);

grant select on schema_migration, town, site, device, datastream to thubon_ingest, thubon_read;
