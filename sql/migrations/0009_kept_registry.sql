-- The registry that people keep: versioned wards, labels, search without accents, moves with history, claim codes, knocks.
-- Run by a superuser, like the first: it makes a role.
reset role;
do $$
begin
  create role thubon_api nologin;
exception when duplicate_object or unique_violation then
  null;  -- roles belong to the whole server: another database made it, perhaps at this moment
end
$$;
grant usage on schema public to thubon_api;
set local role thubon_owner;

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

alter table site
  add column labels text[] not null default '{}',           -- words, or key=value
  add column version integer not null default 1,            -- grows with every change: the ETag
  add column changed_time timestamptz not null default now(),
  add column retired_time timestamptz,
  add column search text not null generated always as (search_text(site_id, name, kind, labels)) stored;
alter table device
  add column labels text[] not null default '{}',
  add column version integer not null default 1,
  add column changed_time timestamptz not null default now(),
  add column search text not null generated always as (search_text(device_id, name, profile, labels)) stored;
create index site_labels_idx on site using gin (labels);     -- the filter by label
create index device_labels_idx on device using gin (labels);
create index device_gateway_idx on device (gateway_key) where gateway_key is not null;  -- the devices of a gateway

create function count_version() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
  new.version := old.version + 1;
  new.changed_time := now();
  return new;
end
$$;
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
insert into device_placement (device_key, from_time, town_id, site_key)
select device_key, '-infinity', town_id, site_key from device;

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

-- Since when a device has been heard of without a pause: of the liveness.
alter table latest add column online_since timestamptz;      -- received time; null: not known

create or replace view device_live with (security_barrier) as
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

grant select on ward, ward_successor, site_ward, device_placement, device_claim, knock
  to thubon_ingest, thubon_read, thubon_api;
grant insert, update, delete on knock to thubon_ingest;
grant select, insert, update on site, device, datastream to thubon_api;
grant insert, update, delete on site_ward, device_claim to thubon_api;
grant update (accepted_until) on device_placement to thubon_api;
grant update, delete on knock to thubon_api;
revoke execute on function place_devices(), refuse_gateway_circle(), count_version() from public;
revoke execute on function taken_ids(text[], text[]), replay_device_soon(text, text) from public;
grant execute on function taken_ids(text[], text[]), replay_device_soon(text, text) to thubon_api;
