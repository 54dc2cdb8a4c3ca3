-- A new town, the last one of the page where nobody says otherwise.
insert into town (town_id, name_vi, name_en, latitude, longitude, west, south, east, north, position)
select %(town_id)s, %(name_vi)s, %(name_en)s, %(latitude)s, %(longitude)s, %(west)s, %(south)s, %(east)s, %(north)s,
       coalesce(%(position)s::smallint, (select least(max(position) + 1, 1000) from town), 1)
on conflict (town_id) do nothing
