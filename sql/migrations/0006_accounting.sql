-- The account can be proved from the tables, refusals can be replayed, floods are sampled, the broker's losses are known.
set local role thubon_owner;

-- What a replay has to know of the message, and what became of the refusal since.
alter table rejection
  add column message integer,                        -- number of its message in its batch: tells like from like
  add column message_received integer,               -- readings of the whole message
  add column message_missing integer,                -- of them sent as null
  add column assigned_time timestamptz,              -- given to its first unstamped item
  add column unkept integer not null default 0,      -- of readings: those of further messages of a flood, bytes not kept
  add column replayed integer not null default 0,    -- of readings: those a replay took out
  add column replayed_time timestamptz,              -- when one last did
  add constraint rejection_readings_check check (readings >= unkept + replayed and unkept >= 0 and replayed >= 0);

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

-- Raw retention: drops whole chunks whose newest possible observation is older than the limit; answers their names.
-- What is dropped is counted first, so that the account stays provable. Callers wait for each other: two of them would
-- try to drop the same chunks.
create or replace function drop_observations_before(limit_time timestamptz) returns setof text
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

-- What brokers say of themselves ($SYS), summed over their restarts.
create table broker_report (
  broker text primary key,                           -- address without login
  told bigint not null,                              -- the broker's own counter, which starts anew with it
  dropped bigint not null,                           -- messages it dropped, ever since it was first asked
  dropped_time timestamptz,                          -- when that last grew
  reported_time timestamptz not null
);

grant select, insert, update on ledger_adjustment, retention_mark, broker_report to thubon_ingest;
grant select, update, delete on replay_request to thubon_ingest;
grant select on former_gateway to thubon_ingest;
grant select on ledger_adjustment, retention_mark, broker_report, replay_request, former_gateway to thubon_read;
revoke execute on function remember_gateway() from public;
revoke execute on function request_replay(text, text, text, timestamptz, timestamptz) from public;
grant execute on function request_replay(text, text, text, timestamptz, timestamptz) to thubon_read, thubon_ingest;
