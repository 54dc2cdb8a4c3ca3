-- Writes sites, new or changed; a site never changes its town.
insert into site (site_id, town_id, name, kind, latitude, longitude, labels)
select site_id, town_id, name, kind, latitude, longitude, labels
from jsonb_to_recordset(%(sites)s) as given (
  site_id text, town_id text, name text, kind text, latitude float8, longitude float8, labels text[]
)
on conflict (site_id) do update
set name = excluded.name, kind = excluded.kind, latitude = excluded.latitude, longitude = excluded.longitude,
    labels = excluded.labels
where site.town_id = excluded.town_id
