-- How latest moves forward, slot by slot, and how the worker learns that the registry changed.
set local role thubon_owner;

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

grant select on registry_version to thubon_ingest, thubon_read;

-- Beside device_keys and times: which slots the row fills, bit n for slot n + 1 and bit 62 for any beyond; older rows of
-- the same device that fill no other slot cannot matter.
alter table batch_log add column slots bigint[] not null default '{}';
