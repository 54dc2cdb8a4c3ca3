-- The database of Thu Bon as the migrations leave it, for reading. Databases are made by `python -m sql.migrate up`;
-- a test builds one from this file (in one transaction, as a superuser) and one from them, and holds both equal.
--
--   town 1--n site 1--n device 1--n datastream           registry: changed by people
--                          |
--                          +--n observation_set           one row a device and time; read through the view observation
--                          +--1 latest, device_status     what it said last; read through the view device_live
--   rejection                                             refused bytes with their reason
--   batch_log -> ledger_hour                              counts in readings; read through the view ledger
--             -> live_change                              which devices changed, for live push

-- --- Roles, extension, record of migrations --------------------------------------------------------------------------

-- thubon_owner    owns everything; its members keep the registry and migrate
-- thubon_ingest   writes observations, rejections, the ledger; reads the registry
-- thubon_read     reads
-- thubon_api      what the HTTP API logs in as: keeps the registry
-- thubon_identity keeps the broker's accounts: reads what devices log in with, as hashes
do $$
declare
  role_name text;
begin
  foreach role_name in array array['thubon_owner', 'thubon_ingest', 'thubon_read', 'thubon_api', 'thubon_identity'] loop
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

-- Everything below belongs to thubon_owner but the function that asks the file system.
grant thubon_read to thubon_api;
create schema granted authorization thubon_owner;
grant usage on schema granted to thubon_read;
grant usage, create on schema public to thubon_owner;
grant usage on schema public to thubon_ingest, thubon_read, thubon_api, thubon_identity;
set local role thubon_owner;

create table schema_migration (
  version integer primary key,
  name text not null,
  checksum text not null,                      -- sha256 of the file's bytes, hexadecimal
  applied_time timestamptz not null default now()
);

-- Which storage the server offers; every choice between editions asks here and nowhere else.
create function storage_edition() returns text
language sql stable as $$
  select case
    when not exists (select from pg_extension where extname = 'timescaledb') then 'postgresql'
    when current_setting('timescaledb.license', true) = 'timescale' then 'timescaledb-community'
    else 'timescaledb-apache'
  end
$$;

-- --- Registry --------------------------------------------------------------------------------------------------------

-- Text as one searches it: small letters without tone marks; the Vietnamese d with a stroke is a d. Marks are taken off
-- before letters are made small, so that the server's locale does not matter.
create function fold_text(given text) returns text
language sql immutable parallel safe strict as $$
  select lower(translate(regexp_replace(normalize(given, NFD), '[\u0300-\u036f]', '', 'g'), U&'\0110\0111', 'dd') collate "C")
$$;

-- What is searched of a site or a device; immutable, as a generated column asks, where array_to_string promises less.
create function search_text(id text, name text, kind text, labels text[]) returns text
language sql immutable parallel safe as $$
  select public.fold_text(concat_ws(' ', id, name, kind, array_to_string(labels, ' ')))
$$;

create table town (
  town_id text primary key check (town_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name_vi text not null,
  name_en text not null,
  latitude float8 not null,   -- WGS 84, degrees, of the map's centre for this town
  longitude float8 not null,
  west float8 not null, south float8 not null, east float8 not null, north float8 not null,
  position smallint not null, -- order on the page
  version integer not null default 1,            -- grows with every change: the ETag
  changed_time timestamptz not null default now(),
  retired_time timestamptz
);

create table site (
  site_key integer generated always as identity primary key,
  site_id text not null unique check (site_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  town_id text not null references town,
  name text not null,
  kind text not null,         -- junction, pole, cabinet, station, gauge, bridge ...
  latitude float8 not null check (latitude between -90 and 90),
  longitude float8 not null check (longitude between -180 and 180),
  labels text[] not null default '{}',         -- words, or key=value
  version integer not null default 1,          -- grows with every change: the ETag
  changed_time timestamptz not null default now(),
  retired_time timestamptz,
  search text not null generated always as (search_text(site_id, name, kind, labels)) stored
);
create index site_town_idx on site (town_id);
create index site_labels_idx on site using gin (labels);     -- the filter by label

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
  retired_time timestamptz,
  labels text[] not null default '{}',
  version integer not null default 1,
  changed_time timestamptz not null default now(),
  search text not null generated always as (search_text(device_id, name, profile, labels)) stored,
  -- Unlike commissioned_time nobody sets it: what was refused before was not from this device, whatever its name says.
  registered_time timestamptz not null default now(),
  rated_power_w float8 check (rated_power_w > 0 and rated_power_w <= 100000), -- of a lamp at full light, where people gave it
  fed_by_key integer references device check (fed_by_key <> device_key)  -- the cabinet; null: its gateway where that is one
);
create index device_town_domain_idx on device (town_id, domain, device_id);
create index device_site_idx on device (site_key);
create index device_labels_idx on device using gin (labels);
create index device_gateway_idx on device (gateway_key) where gateway_key is not null;  -- the devices of a gateway
create index device_fed_by_idx on device (fed_by_key) where fed_by_key is not null;  -- the devices of a cabinet

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

create function count_version() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  new.version := old.version + 1;
  new.changed_time := now();
  return new;
end
$$;
create trigger town_version before update on town
  for each row execute function count_version();
create trigger site_version before update on site
  for each row execute function count_version();
create trigger device_version before update on device
  for each row execute function count_version();

-- Administrative areas in their versions: the wards (phuong) and communes (xa) of 2019 and those in force since
-- 2025-07-01. Data, not law: grade says how well a row is known. Nothing is keyed by a ward.
create table ward (
  ward_id text primary key check (ward_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  town_id text not null references town,
  name text not null,
  kind text not null check (kind in ('ward', 'commune')),
  valid_from date not null,                    -- the first day we vouch for
  valid_to date,                               -- exclusive; null: in force
  grade text not null check (grade in ('primary', 'secondary', 'unverified')),
  source text not null,
  check (valid_from < valid_to)
);
create index ward_town_idx on ward (town_id);

-- Which ward took a former one in whole: a site declared in the one stands in the other.
create table ward_successor (
  ward_id text primary key references ward,
  successor_id text not null references ward,
  grade text not null check (grade in ('primary', 'secondary', 'unverified')),
  check (ward_id <> successor_id)
);

-- The wards of a site, one a version: as people declared it, or following from what they declared.
create table site_ward (
  site_key integer not null references site,
  ward_id text not null references ward,
  how text not null check (how in ('declared', 'successor')),
  primary key (site_key, ward_id)
);
create index site_ward_ward_idx on site_ward (ward_id);      -- the filter by ward

insert into ward (ward_id, town_id, name, kind, valid_from, valid_to, grade, source) values
  ('tam-ky-2019-an-my', 'tam-ky', 'An Mỹ', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('tam-ky-2019-an-phu', 'tam-ky', 'An Phú', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('tam-ky-2019-an-son', 'tam-ky', 'An Sơn', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('tam-ky-2019-an-xuan', 'tam-ky', 'An Xuân', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('tam-ky-2019-hoa-huong', 'tam-ky', 'Hòa Hương', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('tam-ky-2019-hoa-thuan', 'tam-ky', 'Hòa Thuận', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('tam-ky-2019-phuoc-hoa', 'tam-ky', 'Phước Hòa', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('tam-ky-2019-tan-thanh', 'tam-ky', 'Tân Thạnh', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('tam-ky-2019-truong-xuan', 'tam-ky', 'Trường Xuân', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('tam-ky-2019-tam-ngoc', 'tam-ky', 'Tam Ngọc', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('tam-ky-2019-tam-phu', 'tam-ky', 'Tam Phú', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('tam-ky-2019-tam-thanh', 'tam-ky', 'Tam Thanh', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('tam-ky-2019-tam-thang', 'tam-ky', 'Tam Thăng', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('tam-ky-2025-tam-ky', 'tam-ky', 'Tam Kỳ', 'ward', '2025-07-01', null, 'secondary', 'baoquangnam.vn 3153454'),
  ('tam-ky-2025-ban-thach', 'tam-ky', 'Bàn Thạch', 'ward', '2025-07-01', null, 'secondary', 'baoquangnam.vn 3153454'),
  ('tam-ky-2025-quang-phu', 'tam-ky', 'Quảng Phú', 'ward', '2025-07-01', null, 'secondary', 'baoquangnam.vn 3153454'),
  ('tam-ky-2025-huong-tra', 'tam-ky', 'Hương Trà', 'ward', '2025-07-01', null, 'secondary', 'baoquangnam.vn 3153454'),
  ('hoi-an-2019-cam-an', 'hoi-an', 'Cẩm An', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('hoi-an-2019-cam-chau', 'hoi-an', 'Cẩm Châu', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('hoi-an-2019-cam-nam', 'hoi-an', 'Cẩm Nam', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('hoi-an-2019-cam-pho', 'hoi-an', 'Cẩm Phô', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('hoi-an-2019-cua-dai', 'hoi-an', 'Cửa Đại', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('hoi-an-2019-minh-an', 'hoi-an', 'Minh An', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('hoi-an-2019-son-phong', 'hoi-an', 'Sơn Phong', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('hoi-an-2019-tan-an', 'hoi-an', 'Tân An', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('hoi-an-2019-thanh-ha', 'hoi-an', 'Thanh Hà', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('hoi-an-2019-cam-ha', 'hoi-an', 'Cẩm Hà', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('hoi-an-2019-cam-kim', 'hoi-an', 'Cẩm Kim', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('hoi-an-2019-cam-thanh', 'hoi-an', 'Cẩm Thanh', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('hoi-an-2019-tan-hiep', 'hoi-an', 'Tân Hiệp', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('hoi-an-2025-hoi-an', 'hoi-an', 'Hội An', 'ward', '2025-07-01', null, 'secondary', 'cafef.vn, 04-2025'),
  ('hoi-an-2025-hoi-an-dong', 'hoi-an', 'Hội An Đông', 'ward', '2025-07-01', null, 'secondary', 'cafef.vn, 04-2025'),
  ('hoi-an-2025-hoi-an-tay', 'hoi-an', 'Hội An Tây', 'ward', '2025-07-01', null, 'secondary', 'cafef.vn, 04-2025'),
  ('hoi-an-2025-tan-hiep', 'hoi-an', 'Tân Hiệp', 'commune', '2025-07-01', null, 'secondary', 'cafef.vn, 04-2025'),
  ('dien-ban-2019-dien-an', 'dien-ban', 'Điện An', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-dien-duong', 'dien-ban', 'Điện Dương', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-dien-nam-bac', 'dien-ban', 'Điện Nam Bắc', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-dien-nam-dong', 'dien-ban', 'Điện Nam Đông', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-dien-nam-trung', 'dien-ban', 'Điện Nam Trung', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-dien-ngoc', 'dien-ban', 'Điện Ngọc', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-vinh-dien', 'dien-ban', 'Vĩnh Điện', 'ward', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-dien-hoa', 'dien-ban', 'Điện Hòa', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-dien-hong', 'dien-ban', 'Điện Hồng', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-dien-minh', 'dien-ban', 'Điện Minh', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-dien-phong', 'dien-ban', 'Điện Phong', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-dien-phuoc', 'dien-ban', 'Điện Phước', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-dien-phuong', 'dien-ban', 'Điện Phương', 'commune', '2019-01-01', '2025-07-01', 'unverified', 'from memory'),
  ('dien-ban-2019-dien-quang', 'dien-ban', 'Điện Quang', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-dien-thang-bac', 'dien-ban', 'Điện Thắng Bắc', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-dien-thang-trung', 'dien-ban', 'Điện Thắng Trung', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-dien-thang-nam', 'dien-ban', 'Điện Thắng Nam', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-dien-tho', 'dien-ban', 'Điện Thọ', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2019-dien-tien', 'dien-ban', 'Điện Tiến', 'commune', '2019-01-01', '2025-07-01', 'unverified', 'from memory'),
  ('dien-ban-2019-dien-trung', 'dien-ban', 'Điện Trung', 'commune', '2019-01-01', '2025-07-01', 'secondary', 'several data sets, merged'),
  ('dien-ban-2025-dien-ban', 'dien-ban', 'Điện Bàn', 'ward', '2025-07-01', null, 'secondary', 'plan of 04-2025 and a bulletin of 11-2025'),
  ('dien-ban-2025-dien-ban-dong', 'dien-ban', 'Điện Bàn Đông', 'ward', '2025-07-01', null, 'unverified', 'from memory'),
  ('dien-ban-2025-an-thang', 'dien-ban', 'An Thắng', 'ward', '2025-07-01', null, 'secondary', 'plan of 04-2025 and a bulletin of 11-2025'),
  ('dien-ban-2025-dien-ban-bac', 'dien-ban', 'Điện Bàn Bắc', 'ward', '2025-07-01', null, 'unverified', 'from memory'),
  ('dien-ban-2025-dien-ban-tay', 'dien-ban', 'Điện Bàn Tây', 'commune', '2025-07-01', null, 'unverified', 'from memory'),
  ('dien-ban-2025-go-noi', 'dien-ban', 'Gò Nổi', 'commune', '2025-07-01', null, 'secondary', 'plan of 04-2025 and a bulletin of 11-2025');

insert into ward_successor (ward_id, successor_id, grade) values
  ('tam-ky-2019-an-my', 'tam-ky-2025-tam-ky', 'secondary'),
  ('tam-ky-2019-an-xuan', 'tam-ky-2025-tam-ky', 'secondary'),
  ('tam-ky-2019-truong-xuan', 'tam-ky-2025-tam-ky', 'secondary'),
  ('tam-ky-2019-phuoc-hoa', 'tam-ky-2025-tam-ky', 'unverified'),
  ('tam-ky-2019-tan-thanh', 'tam-ky-2025-ban-thach', 'secondary'),
  ('tam-ky-2019-hoa-thuan', 'tam-ky-2025-ban-thach', 'secondary'),
  ('tam-ky-2019-tam-thang', 'tam-ky-2025-ban-thach', 'secondary'),
  ('tam-ky-2019-an-phu', 'tam-ky-2025-quang-phu', 'secondary'),
  ('tam-ky-2019-tam-thanh', 'tam-ky-2025-quang-phu', 'secondary'),
  ('tam-ky-2019-tam-phu', 'tam-ky-2025-quang-phu', 'secondary'),
  ('tam-ky-2019-hoa-huong', 'tam-ky-2025-huong-tra', 'secondary'),
  ('tam-ky-2019-an-son', 'tam-ky-2025-huong-tra', 'secondary'),
  ('tam-ky-2019-tam-ngoc', 'tam-ky-2025-huong-tra', 'secondary'),
  ('hoi-an-2019-minh-an', 'hoi-an-2025-hoi-an', 'unverified'),
  ('hoi-an-2019-cam-pho', 'hoi-an-2025-hoi-an', 'unverified'),
  ('hoi-an-2019-son-phong', 'hoi-an-2025-hoi-an', 'unverified'),
  ('hoi-an-2019-cam-nam', 'hoi-an-2025-hoi-an', 'unverified'),
  ('hoi-an-2019-cam-kim', 'hoi-an-2025-hoi-an', 'unverified'),
  ('hoi-an-2019-cam-chau', 'hoi-an-2025-hoi-an-dong', 'unverified'),
  ('hoi-an-2019-cua-dai', 'hoi-an-2025-hoi-an-dong', 'unverified'),
  ('hoi-an-2019-cam-thanh', 'hoi-an-2025-hoi-an-dong', 'unverified'),
  ('hoi-an-2019-thanh-ha', 'hoi-an-2025-hoi-an-tay', 'unverified'),
  ('hoi-an-2019-tan-an', 'hoi-an-2025-hoi-an-tay', 'unverified'),
  ('hoi-an-2019-cam-an', 'hoi-an-2025-hoi-an-tay', 'unverified'),
  ('hoi-an-2019-cam-ha', 'hoi-an-2025-hoi-an-tay', 'unverified'),
  ('hoi-an-2019-tan-hiep', 'hoi-an-2025-tan-hiep', 'secondary'),
  ('dien-ban-2019-vinh-dien', 'dien-ban-2025-dien-ban', 'unverified'),
  ('dien-ban-2019-dien-minh', 'dien-ban-2025-dien-ban', 'unverified'),
  ('dien-ban-2019-dien-phuong', 'dien-ban-2025-dien-ban', 'unverified'),
  ('dien-ban-2019-dien-nam-dong', 'dien-ban-2025-dien-ban-dong', 'unverified'),
  ('dien-ban-2019-dien-nam-trung', 'dien-ban-2025-dien-ban-dong', 'unverified'),
  ('dien-ban-2019-dien-nam-bac', 'dien-ban-2025-dien-ban-dong', 'unverified'),
  ('dien-ban-2019-dien-duong', 'dien-ban-2025-dien-ban-dong', 'unverified'),
  ('dien-ban-2019-dien-ngoc', 'dien-ban-2025-dien-ban-dong', 'unverified'),
  ('dien-ban-2019-dien-an', 'dien-ban-2025-an-thang', 'unverified'),
  ('dien-ban-2019-dien-thang-nam', 'dien-ban-2025-an-thang', 'unverified'),
  ('dien-ban-2019-dien-thang-trung', 'dien-ban-2025-an-thang', 'unverified'),
  ('dien-ban-2019-dien-thang-bac', 'dien-ban-2025-dien-ban-bac', 'unverified'),
  ('dien-ban-2019-dien-hoa', 'dien-ban-2025-dien-ban-bac', 'unverified'),
  ('dien-ban-2019-dien-tien', 'dien-ban-2025-dien-ban-bac', 'unverified'),
  ('dien-ban-2019-dien-hong', 'dien-ban-2025-dien-ban-tay', 'unverified'),
  ('dien-ban-2019-dien-tho', 'dien-ban-2025-dien-ban-tay', 'unverified'),
  ('dien-ban-2019-dien-phuoc', 'dien-ban-2025-dien-ban-tay', 'unverified'),
  ('dien-ban-2019-dien-phong', 'dien-ban-2025-go-noi', 'unverified'),
  ('dien-ban-2019-dien-trung', 'dien-ban-2025-go-noi', 'unverified'),
  ('dien-ban-2019-dien-quang', 'dien-ban-2025-go-noi', 'unverified');

-- Where each device stood: half-open spans without a gap, the first from ever, the last for ever. Who sees which part of
-- a device's history follows the town of that time.
create table device_placement (
  device_key integer not null references device,
  from_time timestamptz not null,
  until_time timestamptz not null default 'infinity',
  town_id text not null references town,
  site_key integer not null references site,
  accepted_until timestamptz,                  -- up to when topics of this town are still taken after a move away
  primary key (device_key, from_time),
  check (from_time < until_time)
);
create index device_placement_town_idx on device_placement (town_id, device_key);
-- Serves the worker's look for devices whose former topics are still taken.
create index device_placement_grace_idx on device_placement (device_key) where accepted_until is not null;
-- Serves the view granted.latest: the few spans that are over.
create index device_placement_over_idx on device_placement (device_key) where until_time < 'infinity';

create function place_devices() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if tg_op = 'INSERT' then
    insert into device_placement (device_key, from_time, town_id, site_key)
    select device_key, '-infinity', town_id, site_key from new_rows;
    return null;
  end if;
  if not exists (select from new_rows n join old_rows o using (device_key)
                 where (n.town_id, n.site_key) is distinct from (o.town_id, o.site_key)) then
    return null;
  end if;
  update device_placement p
  set until_time = now()
  from new_rows n
  join old_rows o using (device_key)
  where p.device_key = n.device_key and p.until_time = 'infinity' and p.from_time < now()
    and (n.town_id, n.site_key) is distinct from (o.town_id, o.site_key);
  -- Moved twice in one transaction: it was never in between.
  insert into device_placement (device_key, from_time, town_id, site_key)
  select n.device_key, now(), n.town_id, n.site_key
  from new_rows n
  join old_rows o using (device_key)
  where (n.town_id, n.site_key) is distinct from (o.town_id, o.site_key)
  on conflict (device_key, from_time) do update set town_id = excluded.town_id, site_key = excluded.site_key;
  return null;
end
$$;
create trigger device_placed after insert on device
  referencing new table as new_rows for each statement execute function place_devices();
create trigger device_moved after update on device
  referencing old table as old_rows new table as new_rows for each statement execute function place_devices();

-- A device behind itself, over however many gateways, would wait for itself.
create function refuse_gateway_circle() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  found text;
begin
  with recursive up as (
    select n.device_key as start, n.gateway_key as at, 1 as steps from new_rows n where n.gateway_key is not null
    union all
    select u.start, d.gateway_key, u.steps + 1
    from up u join device d on d.device_key = u.at
    where d.gateway_key is not null and u.at <> u.start and u.steps < 64
  )
  select d.device_id into found from up join device d on d.device_key = up.start where up.at = up.start limit 1;
  if found is not null then
    raise exception 'device % would stand behind itself', found using errcode = 'check_violation',
      constraint = 'device_gateway_circle';
  end if;
  return null;
end
$$;
create trigger device_gateway_given after insert on device
  referencing new table as new_rows for each statement execute function refuse_gateway_circle();
create trigger device_gateway_changed after update on device
  referencing new table as new_rows for each statement execute function refuse_gateway_circle();

-- The code on a device's label: who is at the device types or scans it, and the device gets its credentials.
create table device_claim (
  device_key integer primary key references device,
  code text not null unique check (code ~ '^[0-9A-HJKMNP-TV-Z]{10}$'),
  created_time timestamptz not null default now(),
  claimed_time timestamptz,
  claimed_by text,
  check ((claimed_time is null) = (claimed_by is null))
);

-- Devices that send and that no town has registered (or that another has): a row a device and town of its topic.
-- Bounded; exact counts of everything are in the ledger.
create table knock (
  device_id text not null check (device_id ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  town_id text not null references town,
  reason text not null check (reason in ('unknown-device', 'wrong-town')),
  gateway_id text,                             -- who spoke for it, where it did not speak itself
  first_time timestamptz not null,             -- received
  last_time timestamptz not null,
  messages bigint not null,
  readings bigint not null,
  topic text not null,                         -- of the newest message
  sample bytea,                                -- of the newest message that held readings, cut at 4,096 bytes
  refused_time timestamptz,                    -- people want nothing of it
  refused_by text,
  primary key (device_id, town_id)
);
create index knock_time_idx on knock (town_id, last_time desc);

-- Which of these ids are taken, whoever may see them: an id is unique over all towns.
create function taken_ids(device_ids text[], site_ids text[]) returns table (kind text, id text)
language sql stable security definer set search_path = public, pg_temp as $$
  select 'device', device_id from device where device_id = any(device_ids)
  union all
  select 'site', site_id from site where site_id = any(site_ids)
$$;

-- Grows with every change of the registry, so that who keeps a copy of it knows when to read it again.
create table registry_version (
  one boolean primary key default true check (one),
  version bigint not null
);
insert into registry_version (version) values (1);

create function registry_changed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  update registry_version set version = version + 1;
  return null;
end
$$;

create trigger town_changed after insert or update or delete or truncate on town
  for each statement execute function registry_changed();
create trigger site_changed after insert or update or delete or truncate on site
  for each statement execute function registry_changed();
create trigger device_changed after insert or update or delete or truncate on device
  for each statement execute function registry_changed();
create trigger datastream_changed after insert or update or delete or truncate on datastream
  for each statement execute function registry_changed();

-- --- Observations ----------------------------------------------------------------------------------------------------

-- One row holds what one device observed at one time, a value for each of its slots.
-- Why this layout: docs/decisions/0002-physical-layout.md.
do $$
begin
  if storage_edition() = 'postgresql' then
    create table observation_set (
      phenomenon_time timestamptz not null,
      received_time timestamptz not null,
      device_key integer not null,
      value_by_slot float8[] not null,
      quality_by_slot smallint[]
    ) partition by range (phenomenon_time);
  else
    create table observation_set (
      phenomenon_time timestamptz not null,
      received_time timestamptz not null,
      device_key integer not null,
      value_by_slot float8[] not null,
      quality_by_slot smallint[]
    );
    perform create_hypertable('observation_set', 'phenomenon_time',
                              chunk_time_interval => interval '1 day', create_default_indexes => false);
  end if;
end
$$;
comment on column observation_set.value_by_slot is
  'NaN: this slot had no reading at this time. No reading is ever NaN: it would have been refused.';
comment on column observation_set.quality_by_slot is
  'Bit set a slot: 1 calibrating, 2 fault, 4 outside expected range, 8 spike, 16 stuck, 32 flat at bound, 64 clock skew; null: all are 0.';
-- Serves the uniqueness of (datastream, phenomenon time) and the history of one device.
create unique index observation_set_device_time_idx on observation_set (device_key, phenomenon_time);

-- The columnstore, where the licence has it.
do $$
begin
  if storage_edition() = 'timescaledb-community' then
    alter table observation_set set (
      timescaledb.compress,
      timescaledb.compress_segmentby = 'device_key',
      timescaledb.compress_orderby = 'phenomenon_time'
    );
    -- TimescaleDB runs a policy as the table's owner, whom it wants to be able to log in. It has no password, so it
    -- cannot where the server asks for one.
    reset role;
    alter role thubon_owner login;
    set local role thubon_owner;
    perform add_compression_policy('observation_set', interval '14 days');
  end if;
end
$$;

-- Plain PostgreSQL has no chunks of its own: makes the day partitions that [first, last] needs. Elsewhere: nothing.
-- Attached rather than created in place, so that readers are not locked out.
create function ensure_observation_partitions(first_time timestamptz, last_time timestamptz) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  day date;
  partition text;
begin
  if storage_edition() <> 'postgresql' then
    return;
  end if;
  for day in
    select generate_series((first_time at time zone 'UTC')::date, (last_time at time zone 'UTC')::date,
                           interval '1 day')::date
  loop
    partition := 'observation_set_' || to_char(day, 'YYYYMMDD');
    continue when to_regclass(partition) is not null;
    -- The lock that attaching takes anyway, now: an advisory one would leave us with a stale look at the catalogue.
    lock table observation_set in share update exclusive mode;
    continue when to_regclass(partition) is not null;
    execute format('create table %I (like observation_set including defaults including constraints including comments,'
                   ' check (phenomenon_time >= %L and phenomenon_time < %L))',
                   partition, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
    execute format('alter table observation_set attach partition %I for values from (%L) to (%L)',
                   partition, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
  end loop;
end
$$;

-- Raw retention: drops whole chunks whose newest possible observation is older than the limit; answers their names.
-- What is dropped is counted first, so that the account stays provable. Callers wait for each other: two of them would
-- try to drop the same chunks.
create function drop_observations_before(limit_time timestamptz) returns setof text
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  plain boolean := storage_edition() = 'postgresql';
  first_kept text := 'observation_set_' || to_char((limit_time at time zone 'UTC')::date, 'YYYYMMDD');
  part regclass;
  parts regclass[];
begin
  perform pg_advisory_xact_lock(hashtext('thubon observation_set chunks'));
  if plain then
    parts := array(select c.oid::regclass from pg_inherits i join pg_class c on c.oid = i.inhrelid
                   where i.inhparent = 'observation_set'::regclass and c.relname < first_kept order by c.relname);
  else
    parts := array(select show_chunks('observation_set', older_than => limit_time));
  end if;
  if cardinality(parts) = 0 then
    return;
  end if;
  update statistics_seal set before_time = greatest(before_time, limit_time);
  if plain then
    -- The lock that dropping takes anyway, before we hold a weaker one and could meet a writer halfway.
    lock table observation_set in access exclusive mode;
  end if;
  foreach part in array parts loop
    if not plain then
      -- No writer may add a row between the count and the drop.
      execute format('lock table %s in share row exclusive mode', part);
    end if;
    execute format(
      'insert into ledger_adjustment as a (hour, device_id, cause, readings)'
      ' select date_trunc(''hour'', o.received_time, ''UTC''), d.device_id, ''dropped'','
      '        sum(cardinality(array_remove(o.value_by_slot, ''NaN'')))'
      ' from %s o join device d using (device_key) group by 1, 2'
      ' on conflict (hour, device_id, cause) do update set readings = a.readings + excluded.readings', part);
    if plain then
      return next part::text;
      execute format('drop table %s', part);
    end if;
  end loop;
  if not plain then
    return query select c::text from drop_chunks('observation_set', limit_time) c;
  end if;
end
$$;

-- Whether a value of this quality enters statistics, as devices/quality.py has it: not when the instrument calibrates (1) or
-- reports a fault (2), nor what is a spike (8), stuck (16) or flat-lined at a bound (32).
create function quality_admits(quality smallint) returns boolean
language sql immutable parallel safe as $$ select coalesce(quality, 0) & 59 = 0 $$;

-- The narrow face for people and tests: a row an observation.
create view observation as
select r.phenomenon_time,
       r.received_time,
       d.town_id,
       d.device_id,
       s.datastream_id,
       s.property,
       r.value_by_slot[s.slot] as value,
       coalesce(r.quality_by_slot[s.slot], 0::smallint) as quality
from observation_set r
join device d using (device_key)
join datastream s on s.device_key = r.device_key
where r.value_by_slot[s.slot] <> 'NaN';

-- --- What each device said last --------------------------------------------------------------------------------------

-- What each device said last, value beside value; each slot with the time it speaks of.
create table latest (
  device_key integer primary key references device,
  phenomenon_time timestamptz not null,        -- newest of time_by_slot
  received_time timestamptz not null,          -- of the newest row folded in
  value_by_slot float8[] not null,             -- NaN: nothing yet
  time_by_slot timestamptz[] not null,         -- -infinity: nothing yet
  quality_by_slot smallint[] not null,
  online_since timestamptz                     -- heard of without a pause since; received time; null: not known
) with (fillfactor = 50);

create view latest_observation as
select l.time_by_slot[s.slot] as phenomenon_time,
       l.received_time,
       d.town_id,
       d.device_id,
       s.datastream_id,
       s.property,
       l.value_by_slot[s.slot] as value,
       l.quality_by_slot[s.slot] as quality
from latest l
join device d using (device_key)
join datastream s on s.device_key = l.device_key
where l.value_by_slot[s.slot] <> 'NaN';

-- The last word of a device's status topic (also its last will).
create table device_status (
  device_key integer primary key references device,
  word text not null check (word in ('online', 'offline')),
  since timestamptz not null                   -- received time of the message that changed the word
);

-- A slot takes the new value when it has one and the new time is not before the slot's own.
create function latest_values(
  old_value float8[], old_time timestamptz[], new_value float8[], new_time timestamptz
) returns float8[]
language sql immutable parallel safe as $$
  select case
    -- The usual case, a complete and newer row, without taking the arrays apart.
    when cardinality(new_value) >= cardinality(old_value)
         and array_position(new_value, 'NaN'::float8) is null
         and new_time >= all (old_time) then new_value
    else (
      select array_agg(case when u.new <> 'NaN' and new_time >= coalesce(u.at, '-infinity') then u.new
                            else coalesce(u.old, 'NaN') end order by u.slot)
      from unnest(old_value, old_time, new_value) with ordinality u (old, at, new, slot)
    )
  end
$$;

create function latest_times(
  old_time timestamptz[], new_value float8[], new_time timestamptz
) returns timestamptz[]
language sql immutable parallel safe as $$
  select case
    when cardinality(new_value) >= coalesce(cardinality(old_time), 0)
         and array_position(new_value, 'NaN'::float8) is null
         and (old_time is null or new_time >= all (old_time))
      then array_fill(new_time, array[cardinality(new_value)])
    else (
      select array_agg(case when u.new <> 'NaN' then greatest(new_time, coalesce(u.at, '-infinity'))
                            else coalesce(u.at, '-infinity') end order by u.slot)
      from unnest(coalesce(old_time, '{}'), new_value) with ordinality u (at, new, slot)
    )
  end
$$;

create function latest_qualities(
  old_quality smallint[], old_time timestamptz[], new_value float8[], new_quality smallint[], new_time timestamptz
) returns smallint[]
language sql immutable parallel safe as $$
  select case
    when cardinality(new_value) >= cardinality(old_quality)
         and array_position(new_value, 'NaN'::float8) is null
         and new_time >= all (old_time) then new_quality
    else (
      select array_agg(case when u.new <> 'NaN' and new_time >= coalesce(u.at, '-infinity') then coalesce(u.new_quality, 0)
                            else coalesce(u.old, 0) end order by u.slot)
      from unnest(old_quality, old_time, new_value, new_quality) with ordinality u (old, at, new, new_quality, slot)
    )
  end
$$;

-- How each device stands now. Its state follows from the clock, so it is computed when asked and never stored.
-- online       spoke within three reporting intervals
-- stale        no newer phenomenon time than three reporting intervals: silent, or sending old data, not failed
-- offline      its last will or its own word said so and it observed nothing since,
--              or nothing was heard of it for ten intervals, an hour at least
-- never-seen   neither a reading nor a status word
-- retired      taken out of service
-- state_since of an online device: its status word, the first message after it was silent, or where a last will was
-- overtaken by an observation, the will. Null where none of these is known.
create view device_live with (security_barrier) as
select d.device_key,
       d.device_id,
       d.town_id,
       d.domain,
       d.profile,
       d.name,
       s.site_id,
       s.name as site_name,
       s.kind as site_kind,
       s.latitude,
       s.longitude,
       d.reporting_interval_s,
       l.phenomenon_time,
       l.received_time,
       case
         when d.retired_time <= statement_timestamp() then 'retired'
         when l.device_key is null and w.device_key is null then 'never-seen'
         when m.offline_from <= statement_timestamp() then 'offline'
         when m.stale_from <= statement_timestamp() then 'stale'
         else 'online'
       end as state,
       case
         when d.retired_time <= statement_timestamp() then d.retired_time
         when l.device_key is null and w.device_key is null then d.commissioned_time
         when m.offline_from <= statement_timestamp() then m.offline_from
         when m.stale_from <= statement_timestamp() then m.stale_from
         else greatest(m.online_word_time, l.online_since, m.overtaken_word_time)
       end as state_since,
       d.site_key,
       d.labels,
       d.version,
       d.gateway_key
from device d
join site s using (site_key)
left join latest l using (device_key)
left join device_status w using (device_key)
cross join lateral (
  select case when w.word = 'online' then w.since end as online_word_time,
         -- An offline word is overtaken by an observation made after it.
         case when w.word = 'offline' and l.phenomenon_time > w.since is not true then w.since end as offline_word_time,
         case when w.word = 'offline' and l.phenomenon_time > w.since then w.since end as overtaken_word_time
) word
cross join lateral (
  -- greatest and least pass over nulls.
  select word.online_word_time,
         word.overtaken_word_time,
         least(word.offline_word_time,
               greatest(l.received_time, word.online_word_time)
                 + make_interval(secs => greatest(10 * d.reporting_interval_s, 3600))) as offline_from,
         greatest(l.phenomenon_time + make_interval(secs => 3 * d.reporting_interval_s),
                  word.online_word_time) as stale_from
) m;
comment on view device_live is
  'One row a device with its present state: online, stale, offline, never-seen or retired.';


-- --- Rejections, ledger, live push -----------------------------------------------------------------------------------

-- What was refused, with its bytes.
create table rejection (
  rejection_key bigint generated always as identity primary key,
  received_time timestamptz not null,
  town_id text not null,                       -- as the topic said, '-' when it said nothing usable
  source text not null,                        -- device or gateway of the topic, '-' when there is none
  device_id text,                              -- device the refused readings speak of, where known
  family text not null,                        -- payload family
  topic text not null,
  reason text not null,                        -- machine-readable; docs/operating.md has a paragraph for each
  detail text not null,                        -- for people: what was wrong, what is allowed
  readings integer not null,                   -- how many readings this row refuses
  subjects jsonb,                              -- the refused readings: device, name, ts, value (bounded list)
  payload bytea not null,                      -- the whole message as received, cut at payload_bytes > kept bound
  payload_bytes integer not null,
  retained boolean not null default false,
  qos smallint not null default 1,
  message integer,                             -- number of its message: tells like from like of the same time
  message_received integer,                    -- readings of the whole message
  message_missing integer,                     -- of them sent as null
  assigned_time timestamptz,                   -- given to its first unstamped item
  unkept integer not null default 0,           -- of readings: those of further messages of a flood, bytes not kept
  replayed integer not null default 0,         -- of readings: those a replay took out
  replayed_time timestamptz,                   -- when one last did
  constraint rejection_readings_check check (readings >= unkept + replayed and unkept >= 0 and replayed >= 0)
);
create index rejection_time_idx on rejection (received_time desc, rejection_key desc);
create index rejection_source_idx on rejection (source, received_time desc);
create index rejection_device_idx on rejection (device_id, received_time desc);

-- Counts in readings by hour of receipt. Equation: received = stored + duplicate + conflict + rejected + missing.
create table ledger_hour (
  hour timestamptz not null,
  town_id text not null,
  source text not null,
  family text not null,
  received bigint not null default 0,
  stored bigint not null default 0,
  duplicate bigint not null default 0,
  conflict bigint not null default 0,
  rejected bigint not null default 0,
  missing bigint not null default 0,           -- sent as null
  primary key (hour, town_id, source, family)
) with (fillfactor = 70);

-- One row a committed batch: its share of the ledger and the rows that may move latest, written in the batch's own
-- transaction as one small insert, folded into ledger_hour and latest within a second, then deleted.
create table batch_log (
  batch_key bigint generated always as identity primary key,
  worker text not null,
  committed_time timestamptz not null default clock_timestamp(),
  hours timestamptz[] not null,
  town_ids text[] not null,
  sources text[] not null,
  families text[] not null,
  received bigint[] not null,
  stored bigint[] not null,
  duplicate bigint[] not null,
  conflict bigint[] not null,
  rejected bigint[] not null,
  missing bigint[] not null,
  device_keys integer[] not null,              -- with times: observation_set rows newer than the batch's others
  times timestamptz[] not null,
  status_device_keys integer[] not null,       -- devices whose status word changed
  slots bigint[] not null default '{}'         -- beside device_keys: the slots filled, bit n for slot n + 1, 62 for beyond
);

create view ledger with (security_barrier) as
select hour, town_id, source, family,
       sum(received)::bigint as received, sum(stored)::bigint as stored, sum(duplicate)::bigint as duplicate,
       sum(conflict)::bigint as conflict, sum(rejected)::bigint as rejected, sum(missing)::bigint as missing
from (
  select hour, town_id, source, family, received, stored, duplicate, conflict, rejected, missing from ledger_hour
  union all
  select u.* from batch_log b, unnest(b.hours, b.town_ids, b.sources, b.families, b.received, b.stored, b.duplicate,
                                      b.conflict, b.rejected, b.missing) u
) entry
group by hour, town_id, source, family;

-- Readings that the ledger counts as stored, by hour of receipt and device, where observation_set tells otherwise:
-- chunks that retention dropped; readings merged into a row of another hour; readings replayed for the ledger entry of
-- no registered source ('-'). For each hour and device: ledger = observation_set + this.
create table ledger_adjustment (
  hour timestamptz not null,
  device_id text not null,
  cause text not null check (cause in ('dropped', 'merged', 'replayed')),
  readings bigint not null,
  primary key (hour, device_id, cause)
);

-- Up to when retention deleted rows: what came until then cannot be proved any more.
create table retention_mark (
  what text primary key check (what in ('rejection')),
  until timestamptz not null                         -- newest received time that was deleted
);

-- Which devices changed, for live push. A reader takes rows before which no open transaction can still come: those below
-- pg_snapshot_xmin, and those below the oldest of the open transactions that hold a lock on batch_log or on this table. So who
-- inserts here locks one of the two before anything else.
create table live_change (
  xid xid8 primary key default pg_current_xact_id(),
  changed_time timestamptz not null default clock_timestamp(),
  device_keys integer[] not null
);

-- A gateway's ledger entries hold readings of the devices behind it, so a check must know who stood behind whom.
create table former_gateway (
  device_key integer not null references device,
  gateway_key integer not null references device,
  primary key (device_key, gateway_key)
);

create function remember_gateway() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into former_gateway (device_key, gateway_key) values (old.device_key, old.gateway_key) on conflict do nothing;
  return null;
end
$$;
create trigger gateway_changed after update of gateway_key on device
  for each row when (old.gateway_key is not null and old.gateway_key is distinct from new.gateway_key)
  execute function remember_gateway();

-- Wishes of people that kept refusals be sent through the way again; a worker takes them. See
-- docs/decisions/0004-replay.md.
create table replay_request (
  replay_id uuid primary key default gen_random_uuid(),
  requested_time timestamptz not null default now(),
  reason text,                                       -- the next five: what is replayed, null: any
  device_id text,
  town_id text,
  first_time timestamptz,                            -- received time, inclusive
  last_time timestamptz,                             -- received time, exclusive
  state text not null default 'waiting' check (state in ('waiting', 'running', 'done', 'failed')),
  worker text,
  started_time timestamptz,
  alive_time timestamptz,                            -- last sign of life of the worker that has it
  finished_time timestamptz,
  after_key bigint not null default 0,               -- rejections up to here are done
  messages integer not null default 0,
  mended bigint not null default 0,                  -- readings that are refused no more: the next four, and null
  stored bigint not null default 0,
  duplicate bigint not null default 0,
  conflict bigint not null default 0,
  missing bigint not null default 0,
  refused bigint not null default 0,                 -- readings looked at that stay refused
  error text
);
create index replay_request_open_idx on replay_request (requested_time) where state in ('waiting', 'running');

-- The API only reads; this is the one thing it may ask for. Bounded: whoever may ask may ask too often.
create function request_replay(
  of_reason text, of_device text, of_town text, from_time timestamptz, to_time timestamptz
) returns uuid
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  id uuid;
begin
  perform pg_advisory_xact_lock(hashtext('thubon replay_request'));
  if (select count(*) >= 20 from replay_request where state in ('waiting', 'running')) then
    raise exception 'twenty replays are waiting already' using errcode = 'configuration_limit_exceeded';
  end if;
  insert into replay_request (reason, device_id, town_id, first_time, last_time)
  values (of_reason, of_device, of_town, from_time, to_time)
  returning replay_id into id;
  return id;
end
$$;

-- What a device's kept refusals hold goes the way again, a little later: workers must have learnt of the device first, and
-- what they refuse until then is meant as well. Asked twice it runs once.
create function replay_device_soon(of_device text, of_reason text) returns void
language sql security definer set search_path = public, pg_temp as $$
  insert into replay_request (requested_time, reason, device_id)
  select now() + interval '4 seconds', of_reason, of_device
  where not exists (select from replay_request
                    where state = 'waiting' and requested_time > now() and device_id = of_device
                      and reason is not distinct from of_reason)
$$;

-- What brokers say of themselves ($SYS), summed over their restarts.
create table broker_report (
  broker text primary key,                           -- address without login
  told bigint not null,                              -- the broker's own counter, which starts anew with it
  dropped bigint not null,                           -- messages it dropped, ever since it was first asked
  dropped_time timestamptz,                          -- when that last grew
  reported_time timestamptz not null
);

-- --- Statistics --------------------------------------------------------------------------------------------------------

-- Which windows a committed batch touched, written in the batch's own transaction, so that it is exactly as true as the
-- batch. The aggregator takes these rows and repairs what they name.
create table window_change (
  change_key bigint generated always as identity primary key,
  changes bytea not null                       -- 24 bytes each, little-endian: device_key int4; of its rows in one quarter
);                                             -- hour how many int4, first and last phenomenon time int8 Unix microseconds
-- Written and read once, in seconds: the server's own compression costs a fleet that reports each minute a sixth of what its
-- statistics cost. Where the server has no LZ4 it is left uncompressed.
do $$
begin
  alter table window_change alter column changes set compression lz4;
exception when feature_not_supported then
  alter table window_change alter column changes set storage external;
end
$$;

-- Window statistics as partials that merge, a row a device and window, each column an array by slot.
-- For people: view window_statistics.
create table window_set (
  device_key integer not null,
  length_s integer not null check (length_s in (900, 3600, 86400)),
  start_time timestamptz not null,             -- quarters and hours of UTC, days of Asia/Ho_Chi_Minh
  changed_time timestamptz not null,           -- received time of the newest row that is in it
  computed_time timestamptz not null,
  count integer[] not null,
  flagged integer[] not null,                  -- readings left out for their quality
  sum float8[] not null,
  second_moment float8[] not null,             -- sum of squared differences from the mean
  min float8[] not null,                       -- infinity: no reading
  min_time timestamptz[] not null,
  max float8[] not null,
  max_time timestamptz[] not null,
  first float8[] not null,                     -- NaN: no reading
  first_time timestamptz[] not null,           -- infinity: no reading
  last float8[] not null,
  last_time timestamptz[] not null,            -- -infinity: no reading
  -- The rest is kept where a slot of the device asks for it (devices/keeping.py).
  energy float8[],                             -- sum of 10 ^ (level / 10)
  east float8[], north float8[],               -- sums of unit vectors
  weight float8[], weight_by_value float8[],
  held_value_s float8[], held_s float8[],
  increase float8[], resets integer[],
  state_s float8[],                            -- eight a slot: seconds in the states 0 to 6, and in others
  transitions integer[],
  flags integer[],                             -- seven a slot: readings that bear bit 1, 2, 4 ... 64; null: none does
  above integer[],                             -- readings above the datastream's limit
  longest_run integer[], run_at_start integer[], run_at_end integer[]
) with (toast_tuple_target = 8160);
-- Serves a device's windows in order of time, and their uniqueness.
create unique index window_set_key_idx on window_set (device_key, length_s, start_time);

do $$
begin
  if storage_edition() <> 'postgresql' then
    perform create_hypertable('window_set', 'start_time',
                              chunk_time_interval => interval '30 days', create_default_indexes => false);
  end if;
end
$$;

-- Quantile sketches, of the slots that keep them: counts of bins (devices/reductions/sketch.py), bins ascending.
create table window_sketch (
  device_key integer not null,
  length_s integer not null,
  start_time timestamptz not null,
  slot smallint not null,
  bins smallint[] not null,
  counts integer[] not null,
  primary key (device_key, length_s, start_time, slot)
);

-- How far the aggregator is, a row a device. Observations up to through_time are in its quarters, except those that a
-- window_change row still names; later ones are read from observation_set when statistics are asked for.
create table aggregation_state (
  device_key integer primary key references device,
  through_time timestamptz not null,
  hours_time timestamptz,                      -- from the hour that holds this on, hours are older than their quarters
  days_time timestamptz                        -- from the day that holds this on, days are older than their hours
) with (fillfactor = 50);

-- What an interrupted rebuild of window statistics has done.
create table rebuild_block (
  rebuild text not null,                       -- what was asked for: town, device, property
  day_time timestamptz not null,               -- a local midnight
  first_device integer not null,               -- device_key of the first device of the block
  primary key (rebuild, day_time, first_device)
);
grant select, insert, delete on rebuild_block to thubon_ingest;
grant select on rebuild_block to thubon_read;

-- Retention dropped observations before this time: windows that start before it are sealed, nothing changes them.
create table statistics_seal (
  one boolean primary key default true check (one),
  before_time timestamptz not null
);
insert into statistics_seal (before_time) values ('-infinity');

-- The narrow face for people and tests: a row a datastream and window.
create view window_statistics with (security_barrier) as
select d.town_id,
       d.device_id,
       s.datastream_id,
       s.property,
       w.length_s,
       w.start_time,
       w.start_time + make_interval(secs => w.length_s) as end_time,
       w.count[s.slot] as count,
       w.length_s / s.interval_s as expected,
       least(1.0, w.count[s.slot] * s.interval_s / w.length_s::float8) as coverage,
       w.flagged[s.slot] as flagged,
       case when w.count[s.slot] > 0 then w.sum[s.slot] end as sum,
       w.sum[s.slot] / nullif(w.count[s.slot], 0) as mean,
       w.second_moment[s.slot] / nullif(w.count[s.slot], 0) as variance,
       case when w.count[s.slot] > 0 then w.min[s.slot] end as min,
       case when w.count[s.slot] > 0 then w.min_time[s.slot] end as min_time,
       case when w.count[s.slot] > 0 then w.max[s.slot] end as max,
       case when w.count[s.slot] > 0 then w.max_time[s.slot] end as max_time,
       case when w.count[s.slot] > 0 then w.first[s.slot] end as first,
       case when w.count[s.slot] > 0 then w.first_time[s.slot] end as first_phenomenon_time,
       case when w.count[s.slot] > 0 then w.last[s.slot] end as last,
       case when w.count[s.slot] > 0 then w.last_time[s.slot] end as last_phenomenon_time,
       w.changed_time,
       w.computed_time,
       w.start_time < (select before_time from statistics_seal) as sealed
from window_set w
join device d using (device_key)
join datastream s on s.device_key = w.device_key and s.slot <= cardinality(w.count)
where w.count[s.slot] > 0 or w.flagged[s.slot] > 0;

-- --- Devices at the broker ------------------------------------------------------------------------------------------

-- A device's password, as its salted hash, or its certificate, as its hash. Rows are never deleted: what was revoked
-- stays known. A device may have several in force, so that a new one is at hand before the old one ends.
create table device_credential (
  credential_id uuid primary key default gen_random_uuid(),
  device_key integer not null references device,
  kind text not null check (kind in ('password', 'certificate')),
  salt bytea check (length(salt) = 16),
  digest bytea not null check (length(digest) = 32), -- sha256 of salt and password, or of the certificate (DER)
  serial text,                                       -- of a certificate, hexadecimal
  issued_time timestamptz not null default now(),
  issued_by text not null,
  expires_time timestamptz,                          -- end of the overlap after a rotation; of the certificate
  revoked_time timestamptz,
  revoked_by text,
  check ((kind = 'password') = (salt is not null)),
  check ((kind = 'certificate') = (serial is not null)),
  check ((revoked_time is null) = (revoked_by is null))
);
create index device_credential_device_idx on device_credential (device_key);
create unique index device_credential_certificate_idx on device_credential (digest) where kind = 'certificate';

-- What the broker confirmed to hold, a row an account, and the last comparison; written by `python -m devices broker`.
create table broker_account (
  device_id text primary key,
  line text not null,
  confirmed_time timestamptz not null default now()
);
create table broker_account_check (
  one boolean primary key default true check (one),
  checked_time timestamptz not null,           -- when registry and broker were last compared
  agreed_time timestamptz,                     -- when the broker last confirmed all of it
  trouble text                                 -- null: registry and broker agree
);

-- Names of the broker's own programs, and the beginning of their client ids: no device may bear them there.
create function reserved_at_broker(device_id text) returns boolean
language sql immutable parallel safe as $$
  select device_id in ('devices', 'health', 'identity', 'ingest', 'simulators') or device_id like 'thubon-%'
$$;

-- The accounts as the broker is to hold them, a line each as images/broker/accounts.c reads it. A device that never had a
-- credential has none; one whose credentials have all ended has one that lets nobody in, and so has a retired one.
-- A town it moved away from is open to it as long as the registry says.
create view broker_account_wanted with (security_barrier) as
select d.device_id,
       d.device_id || ' ' || d.town_id || '@0' || coalesce(former.towns, '') || ' ' || coalesce(c.secrets, '-') as line
from device d
left join (
  select device_key,
         string_agg(
           case kind when 'password' then 'p:' || encode(salt, 'hex') || ':' else 'c:' end
             || encode(digest, 'hex') || ':' || coalesce(ceil(extract(epoch from expires_time))::bigint, 0),
           ',' order by credential_id
         ) filter (where revoked_time is null and (expires_time is null or expires_time > now())) as secrets
  from device_credential
  group by device_key
) c using (device_key)
left join (
  select p.device_key, string_agg(',' || p.town_id || '@' || p.accepted_until, '' order by p.town_id) as towns
  from (
    select a.device_key, a.town_id, ceil(extract(epoch from max(a.accepted_until)))::bigint as accepted_until
    from device_placement a
    join device n using (device_key)
    where a.accepted_until > now() and a.town_id <> n.town_id
    group by a.device_key, a.town_id
  ) p
  group by p.device_key
) former using (device_key)
where d.retired_time is null and c.device_key is not null and not reserved_at_broker(d.device_id)
union all
select device_id, device_id || ' ' || town_id || '@0 -'
from device
where retired_time is not null and not reserved_at_broker(device_id);

-- Accounts in which the broker differs from the registry, without their secrets.
create view broker_account_pending with (security_barrier) as
select coalesce(w.device_id, h.device_id) as device_id,
       case when h.device_id is null then 'add' when w.device_id is null then 'remove' else 'change' end as change
from broker_account_wanted w
full join broker_account h using (device_id)
where w.line is distinct from h.line;

-- Wakes the program that keeps the broker's accounts.
create function broker_accounts_changed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  notify thubon_broker_accounts;
  return null;
end
$$;
create trigger broker_accounts_changed after insert or update or delete or truncate on device_credential
  for each statement execute function broker_accounts_changed();
create trigger broker_accounts_changed after update or delete on device
  for each statement execute function broker_accounts_changed();
create trigger broker_accounts_changed after insert or update or delete on device_placement
  for each statement execute function broker_accounts_changed();


-- --- Rights ----------------------------------------------------------------------------------------------------------

grant select on schema_migration, town, site, device, datastream, registry_version to thubon_ingest, thubon_read;
grant select, insert, update on observation_set, latest, device_status to thubon_ingest;
grant select on observation_set, latest, device_status to thubon_read;
grant select, insert, update, delete on rejection, ledger_hour, batch_log, live_change to thubon_ingest;
grant select on rejection, ledger_hour, batch_log, live_change to thubon_read;
grant select on observation, latest_observation, device_live, ledger to thubon_ingest, thubon_read;
revoke execute on function drop_observations_before(timestamptz) from public;
revoke execute on function ensure_observation_partitions(timestamptz, timestamptz) from public;
grant execute on function drop_observations_before(timestamptz) to thubon_ingest;
grant execute on function ensure_observation_partitions(timestamptz, timestamptz) to thubon_ingest;

grant select, insert, update on ledger_adjustment, retention_mark, broker_report to thubon_ingest;
grant select, update, delete on replay_request to thubon_ingest;
grant select on former_gateway to thubon_ingest;
grant select on ledger_adjustment, retention_mark, broker_report, replay_request, former_gateway to thubon_read;
revoke execute on function remember_gateway() from public;
revoke execute on function request_replay(text, text, text, timestamptz, timestamptz) from public;
grant execute on function request_replay(text, text, text, timestamptz, timestamptz) to thubon_read, thubon_ingest;

grant select, insert, update, delete on window_change, window_set, window_sketch, aggregation_state to thubon_ingest;
grant select, update on statistics_seal to thubon_ingest;
grant select on window_change, window_set, window_sketch, aggregation_state, statistics_seal to thubon_read;
grant select on window_statistics to thubon_ingest, thubon_read;

grant select on ward, ward_successor, site_ward, device_placement, device_claim, knock
  to thubon_ingest, thubon_read, thubon_api;
grant insert, update, delete on knock to thubon_ingest;
grant select, insert, update on site, device, datastream to thubon_api;
grant insert, update on town to thubon_api;
grant insert, update, delete on site_ward, device_claim to thubon_api;
grant update (accepted_until) on device_placement to thubon_api;
grant update, delete on knock to thubon_api;
revoke execute on function place_devices(), refuse_gateway_circle(), count_version() from public;
revoke execute on function taken_ids(text[], text[]), replay_device_soon(text, text) from public;
grant execute on function taken_ids(text[], text[]), replay_device_soon(text, text) to thubon_api;

revoke execute on function broker_accounts_changed() from public;
grant select on broker_account_wanted, broker_account_pending, broker_account, broker_account_check to thubon_identity;
grant select (credential_id, kind, expires_time, revoked_time) on device_credential to thubon_identity;
grant insert, update, delete on broker_account to thubon_identity;
grant insert, update on broker_account_check to thubon_identity;
grant select (credential_id, device_key, kind, serial, issued_time, issued_by, expires_time, revoked_time, revoked_by)
  on device_credential to thubon_api;
grant insert on device_credential to thubon_api;
grant update (expires_time, revoked_time, revoked_by) on device_credential to thubon_api;
grant select on broker_account_pending, broker_account_check to thubon_api;
-- --- People ----------------------------------------------------------------------------------------------------------

-- Towns of who asks, as the API says for each connection or transaction: ids by comma, '*' for all; none where it said
-- nothing.
create function granted_towns() returns text[]
language sql stable parallel safe as $$
  select coalesce(string_to_array(nullif(current_setting('thubon.towns', true), ''), ','), '{}')
$$;

create function all_towns_granted() returns boolean
language sql stable parallel safe as $$
  select coalesce(current_setting('thubon.towns', true) = '*', false)
$$;

-- Whether who asks was granted a town; null and '-' (nobody's) only with all of them.
create function town_granted(town_id text) returns boolean
language sql stable parallel safe as $$
  select all_towns_granted() or coalesce(town_id = any (granted_towns()), false)
$$;

-- Whether who asks was granted the town in which a device stands now.
create function device_granted(of_device_key integer) returns boolean
language sql stable parallel safe as $$
  select all_towns_granted()
         or exists (select from device d where d.device_key = of_device_key and d.town_id = any (granted_towns()))
$$;

-- A person with a password of ours. Those of an OpenID provider have none here: their sessions bear what it says.
create table account (
  account_id uuid primary key default gen_random_uuid(),
  name text not null unique check (name ~ '^[a-z0-9][a-z0-9._@-]{0,62}$'),
  display_name text not null,
  password_hash text not null,                 -- argon2id, as its library writes it
  created_time timestamptz not null default now(),
  password_time timestamptz not null default now(),
  last_login_time timestamptz,
  disabled_time timestamptz
);

create table account_grant (
  account_id uuid not null references account on delete cascade,
  town_id text references town,                -- null: every town, those to come too
  role text not null check (role in ('viewer', 'operator', 'engineer', 'administrator')),
  unique nulls not distinct (account_id, town_id)
);

-- A login of the page. Of its cookie only the hash is kept.
create table page_session (
  session_hash bytea primary key,              -- sha256 of the cookie's value
  account_id uuid references account on delete cascade,
  subject text,                                -- of the OpenID provider, where there is no account
  name text not null,
  grants jsonb,                                -- town or '*' -> role, where there is no account
  created_time timestamptz not null default now(),
  expires_time timestamptz not null,
  address text not null,
  check ((account_id is null) = (grants is not null))
);
create index page_session_account_idx on page_session (account_id);
create index page_session_expires_idx on page_session (expires_time);

-- A login at the OpenID provider that was begun and not finished.
create table openid_attempt (
  state_hash bytea primary key,                -- sha256 of the state, which the browser holds in a cookie too
  nonce text not null,
  verifier text not null,                      -- of PKCE
  expires_time timestamptz not null
);

-- Keys of agencies' programs. Of a key only the hash is kept: it is random enough that a plain one will do.
create table api_key (
  key_id uuid primary key default gen_random_uuid(),
  name text not null check (length(name) between 1 and 100),
  key_hash bytea not null unique,              -- sha256 of the key
  beginning text not null,                     -- its first characters, to tell one from another
  created_by text not null,
  created_time timestamptz not null default now(),
  expires_time timestamptz not null,
  revoked_time timestamptz,
  last_used_time timestamptz,
  last_used_address text
);

create table api_key_grant (
  key_id uuid not null references api_key on delete cascade,
  town_id text references town,                -- null: every town, those to come too
  role text not null check (role in ('viewer', 'operator', 'engineer', 'administrator')),
  unique nulls not distinct (key_id, town_id)
);

-- Whoever remembers what somebody may do forgets it when this is told.
create function access_changed() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  notify thubon_access;
  return null;
end
$$;
create trigger account_changed after update on account
  for each row when (old.password_hash is distinct from new.password_hash
                     or old.disabled_time is distinct from new.disabled_time)
  execute function access_changed();
create trigger account_deleted after delete on account
  for each statement execute function access_changed();
create trigger account_grant_changed after insert or update or delete on account_grant
  for each statement execute function access_changed();
create trigger page_session_changed after update or delete on page_session
  for each statement execute function access_changed();
create trigger api_key_changed after delete or update of revoked_time on api_key
  for each statement execute function access_changed();
create trigger api_key_grant_changed after insert or update or delete on api_key_grant
  for each statement execute function access_changed();

-- What was changed, and what was tried and refused. Programs add to it and nothing else.
create table audit (
  audit_key bigint generated always as identity primary key,
  audit_time timestamptz not null default clock_timestamp(),
  actor text not null,                         -- name of an account, 'key:<name>', 'openid:<name>', 'cli:<user>', '-'
  address text,                                -- where from, where that is known
  action text not null,                        -- such as device.create
  outcome text not null check (outcome in ('done', 'refused')),
  town_id text,                                -- null: of no town or of all
  subject text not null,                       -- what it was done to
  detail text,                                 -- why it was refused
  attempts integer not null default 1,         -- refusals that this row stands for
  before jsonb,
  after jsonb
);
create index audit_time_idx on audit (audit_time desc, audit_key desc);
create index audit_subject_idx on audit (subject, audit_key desc);
create index audit_actor_idx on audit (actor, audit_key desc);

alter table audit enable row level security;
create policy audit_read on audit for select to thubon_api using (town_granted(town_id));
-- Who is refused was perhaps granted nothing.
create policy audit_add on audit for insert to thubon_api with check (true);

-- For programs that work as the registry's owner: one row of what they changed.
create function audit_note(
  of_actor text, of_action text, of_town text, of_subject text, was jsonb, became jsonb
) returns void
language sql security definer set search_path = public, pg_temp as $$
  insert into audit (actor, action, outcome, town_id, subject, before, after)
  values (of_actor, of_action, 'done', of_town, of_subject, was, became)
$$;

revoke execute on function access_changed() from public;
revoke execute on function audit_note(text, text, text, text, jsonb, jsonb) from public;
grant execute on function audit_note(text, text, text, text, jsonb, jsonb) to thubon_api;
grant select, insert, update on account to thubon_api;
grant select, insert, delete on account_grant, api_key_grant to thubon_api;
grant select, insert, delete on page_session, openid_attempt to thubon_api;
grant select, insert on api_key to thubon_api;
grant update (revoked_time, last_used_time, last_used_address) on api_key to thubon_api;
grant select, insert on audit to thubon_api;

-- --- Granted towns ---------------------------------------------------------------------------------------------------

-- Nobody reads what is of a town that was not granted: row-level security on the registry, rejections and replays; views
-- over what bears none, under the same names in the schema `granted`, which readers search first.

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
-- What a device sent under the topic of another town is its own town's too, from when it was registered and for as long as it
-- stood there: placements are granted by town.
create policy rejection_read on rejection for select to thubon_read
  using ((select all_towns_granted()) or town_id = any ((select granted_towns())::text[])
         or exists (select from device d
                    join device_placement p on p.device_key = d.device_key
                    where d.device_id = rejection.source and d.registered_time <= rejection.received_time
                      and rejection.received_time >= p.from_time and rejection.received_time < p.until_time));
create policy replay_request_read on replay_request for select to thubon_read using (town_granted(town_id));
create policy site_ward_read on site_ward for select to thubon_read
  using ((select all_towns_granted()) or exists (select from site s where s.site_key = site_ward.site_key));
create policy device_placement_read on device_placement for select to thubon_read using (town_granted(town_id));
create policy device_claim_read on device_claim for select to thubon_read using (device_granted(device_key));
create policy knock_read on knock for select to thubon_read using (town_granted(town_id));

-- Towns are kept by who was granted all of them.
create policy town_create on town for insert to thubon_api with check (all_towns_granted());
create policy town_change on town for update to thubon_api using (all_towns_granted()) with check (all_towns_granted());
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

create view granted.window_statistics with (security_barrier) as
select p.town_id, v.device_id, v.datastream_id, v.property, v.length_s, v.start_time, v.end_time, v.count,
       v.expected, v.coverage, v.flagged, v.sum, v.mean, v.variance, v.min, v.min_time, v.max, v.max_time,
       v.first, v.first_phenomenon_time, v.last, v.last_phenomenon_time, v.changed_time, v.computed_time,
       v.sealed
from public.window_statistics v
join public.device d on d.device_id = v.device_id
join public.device_placement p on p.device_key = d.device_key
                              and v.start_time >= p.from_time and v.start_time < p.until_time
where (select all_towns_granted()) or p.town_id = any ((select granted_towns())::text[]);

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

-- --- Values as sent --------------------------------------------------------------------------------------------------

-- Values as they were sent, of the few observations whose stored value does not give them back (docs/decisions, "Values as
-- sent"). Beside the observations and not in them: most rows have none.
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

-- --- Disk ------------------------------------------------------------------------------------------------------------

-- The next function belongs to whoever migrates: asking the file system takes a superuser.
reset role;

-- Free bytes of the file system that holds the database; null where the server does not let us ask: no superuser made
-- this function, the server has no df, or the transaction only reads (COPY needs a table to write to).
-- The table is always a fresh one: into a table that stood before, the caller may have put a trigger to run as us.
create function database_disk_free_bytes() returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set client_min_messages = warning as $$
declare
  folder text;
  free_bytes bigint;
begin
  folder := replace(current_setting('data_directory'), $q$'$q$, $q$'\''$q$);
  drop table if exists pg_temp.thubon_disk_free;
  create temporary table thubon_disk_free (line text);
  execute format('copy pg_temp.thubon_disk_free from program %L', format($q$df -Pk '%s' | tail -n 1$q$, folder));
  select split_part(regexp_replace(f.line, '\s+', ' ', 'g'), ' ', 4)::bigint * 1024 into free_bytes
  from pg_temp.thubon_disk_free f;
  drop table pg_temp.thubon_disk_free;
  return free_bytes;
exception
  when insufficient_privilege or read_only_sql_transaction or external_routine_exception
       or undefined_file or invalid_text_representation then
    return null;
end
$$;
revoke execute on function database_disk_free_bytes() from public;
grant execute on function database_disk_free_bytes() to thubon_ingest, thubon_read;
