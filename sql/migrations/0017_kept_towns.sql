-- Towns that people keep: created, changed and retired by who was granted all of them.
set local role thubon_owner;

alter table town
  add column version integer not null default 1,            -- grows with every change: the ETag
  add column changed_time timestamptz not null default now(),
  add column retired_time timestamptz;
create trigger town_version before update on town
  for each row execute function count_version();

grant insert, update on town to thubon_api;
create policy town_create on town for insert to thubon_api with check (all_towns_granted());
create policy town_change on town for update to thubon_api using (all_towns_granted()) with check (all_towns_granted());
