-- People and programs, what they were granted, and the audit of what they did and tried.
-- Run by a superuser: it makes a role and a schema.
reset role;
do $$
begin
  create role thubon_api nologin;
exception when duplicate_object or unique_violation then
  null;  -- roles belong to the whole server: another database made it, perhaps at this moment
end
$$;
-- What the API may read when it changes something is what it may read at all.
grant thubon_read to thubon_api;
create schema granted authorization thubon_owner;
grant usage on schema granted to thubon_read;
set local role thubon_owner;

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
