-- Credentials of devices, and what of them the broker holds. Run by a superuser: it makes a role.
reset role;
do $$
begin
  create role thubon_identity nologin;
exception when duplicate_object or unique_violation then
  null;  -- roles belong to the whole server: another database made it, perhaps at this moment
end
$$;
grant usage on schema public to thubon_identity;
set local role thubon_owner;

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
