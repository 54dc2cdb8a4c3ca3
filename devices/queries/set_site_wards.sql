-- Gives sites the wards declared for them, and those that follow: the ward that took a declared one in whole. Where people
-- declared a ward of that time themselves, theirs stands.
with given as (
  select s.site_key, g.wards
  from jsonb_to_recordset(%(sites)s) as g (site_id text, wards text[])
  join site s using (site_id)
), wanted as (
  select g.site_key, w.ward_id, 'declared' as how
  from given g
  join ward w on w.ward_id = any(g.wards)
  union all
  select g.site_key, next.ward_id, 'successor'
  from given g
  join ward_successor s on s.ward_id = any(g.wards)
  join ward next on next.ward_id = s.successor_id
  where not exists (
    select from ward own
    where own.ward_id = any(g.wards)
      and daterange(own.valid_from, own.valid_to) && daterange(next.valid_from, next.valid_to)
  )
), gone as (
  delete from site_ward w
  using given g
  where w.site_key = g.site_key
    and not exists (select from wanted x where x.site_key = w.site_key and x.ward_id = w.ward_id)
)
insert into site_ward (site_key, ward_id, how)
select site_key, ward_id, how from wanted
on conflict (site_key, ward_id) do update set how = excluded.how
